"""The training methods against their controls: the table of scripts/train/results/controls.csv."""
import csv
import statistics

from common import ROOT, table

CONTROLS = ROOT / "scripts/train/results/controls.csv"
# Method, what it is held against, what it is.
PAIRS = [("mixed", None, "trunk first, heads on it detached; then all exits together"),
         ("joint", "mixed", "BranchyNet's joint loss from the first step"),
         ("distil", "mixed", "labels and the logits of B-LeNet, trained on all pictures"),
         ("regenerate", "mixed", "faded channels raised twice"),
         ("prune", "mixed", "train, take half of the prunable channels at once, fine-tune"),
         ("rapid", "prune", "the same half taken in one stage from an untrained network, with "
          "online distillation")]


def spread(values):
    """Mean ± sample standard deviation, in percent."""
    deviation = statistics.stdev(values) if len(values) > 1 else float("nan")
    return f"{100 * statistics.mean(values):.2f} ± {100 * deviation:.2f}"


def paired(rows, method, control, exit_name):
    """Mean gain in points over the control with the same seed, and its 95 % interval."""
    by_seed = {m: {r["seed"]: float(r[exit_name]) for r in rows[m]} for m in (method, control)}
    gains = [v - by_seed[control][seed] for seed, v in by_seed[method].items()
             if seed in by_seed[control]]
    if len(gains) < 3:
        return "-", "-"
    t = {3: 4.303, 4: 3.182, 5: 2.776}.get(len(gains), 2.6)
    mean = statistics.mean(gains)
    half = t * statistics.stdev(gains) / len(gains) ** 0.5
    verdict = "no difference shown" if abs(mean) <= half else "better" if mean > 0 else "worse"
    return f"{100 * mean:+.2f} [{100 * (mean - half):+.2f}, {100 * (mean + half):+.2f}]", verdict


def section():
    """Markdown, or None before there are results."""
    if not CONTROLS.exists():
        return None
    rows = {}
    with open(CONTROLS, newline="", encoding="utf-8") as found:
        for row in csv.DictReader(found):
            rows.setdefault(row["method"], []).append(row)
    body = []
    for method, control, what in PAIRS:
        if method not in rows:
            continue
        runs = rows[method]
        gain, verdict = paired(rows, method, control, "final") if control in rows else ("-", "-")
        body.append([f"`{method}`: {what}", str(len(runs)),
                     *(spread([float(r[e]) for r in runs]) for e in ("exit1", "exit2", "final")),
                     f"`{control}`" if control else "-", gain, verdict,
                     f"{statistics.mean(float(r['parameters']) for r in runs) / 1e3:.1f} k",
                     f"{max(int(r['dead']) for r in runs)} of {runs[0]['channels']}",
                     f"{statistics.mean(float(r['cpu_seconds']) for r in runs):.0f} s"])
    first = next(iter(rows.values()))[0]
    head = ["method", "seeds", "exit 1, %", "exit 2, %", "final, %", "control",
            "final exit's gain, points [95 %]", "verdict", "parameters", "dead channels",
            "processor time"]
    return (f"`fashion-bresnet8` on {first['images']} Fashion-MNIST pictures for "
            f"{first['epochs']} epochs (`scripts/train/controls.py`); mean ± standard deviation "
            f"over seeds, gains seed by seed with Student's interval. Short runs of a small network: "
            f"they rank the methods here and say nothing of long training.\n\n{table(head, body)}")
