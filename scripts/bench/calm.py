"""Repeats measurements that other processes of the machine disturbed.

Foreign is the processor time of all that does not descend from this process, and what the
host of a virtual machine takes (steal), as a share of all processors' time.
"""
import os
import pathlib

LIMIT = 0.04
ATTEMPTS = 2


def all_ticks():
    """(busy, all) ticks of the machine since it started."""
    user, nice, system, idle, wait, irq, soft, steal = map(
        int, pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    busy = user + nice + system + irq + soft + steal
    return busy, busy + idle + wait


def processes():
    """{pid: (parent, ticks of its own and of children it waited for)}"""
    found = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        found[int(folder.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    return found


def own_ticks():
    found, ours = processes(), {os.getpid()}
    grown = True
    while grown:
        more = {pid for pid, (parent, _) in found.items() if parent in ours} - ours
        ours |= more
        grown = bool(more)
    return sum(found[pid][1] for pid in ours)


class Calm:
    """Counts its measurements and those that stayed disturbed."""

    def __init__(self):
        self.measured = self.repeated = self.disturbed = 0

    def once(self, measure):
        """(share of foreign processor time, what `measure` returns)"""
        own, (busy, total) = own_ticks(), all_ticks()
        result = measure()
        own_after, (busy_after, total_after) = own_ticks(), all_ticks()
        return ((busy_after - busy - (own_after - own)) / max(1, total_after - total), result)

    def __call__(self, measure):
        """The calmest of up to ATTEMPTS measurements; the first calm one is enough."""
        self.measured += 1
        tries = [self.once(measure)]
        while tries[-1][0] > LIMIT and len(tries) < ATTEMPTS:
            self.repeated += 1
            tries.append(self.once(measure))
        foreign, result = min(tries, key=lambda t: t[0])
        self.disturbed += foreign > LIMIT
        return result

    def text(self):
        return (f"Visits in which other processes took more than {100 * LIMIT:g} % of the processors "
                f"were repeated ({self.repeated} times); {self.disturbed} of {self.measured} "
                "stayed so.")
