"""What the benchmarks share: the machine's name, medians, sections of docs/benchmarks.md."""
import datetime
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FASHION = pathlib.Path("/usr/share/datasets/fashion-mnist")
FASHION_TEST = (f"{FASHION / 't10k-images-idx3-ubyte.gz'},"
                f"{FASHION / 't10k-labels-idx1-ubyte.gz'}")
# Debian's package of what scripts may find missing: a program, or files of a folder.
DEBIAN = {"wrk": "wrk", "npm": "npm", "node": "nodejs", "/usr/sbin/nginx": "nginx-light",
          str(FASHION): "dataset-fashion-mnist"}


def need(*things):
    """Ends the script unless all these programs and files are there."""
    for thing in map(str, things):
        if shutil.which(thing) or pathlib.Path(thing).exists():
            continue
        package = next((DEBIAN[k] for k in DEBIAN if thing.startswith(k)), None)
        sys.exit(f"{thing} is missing" + (f": apt install {package}" if package else ""))


def alight(build, *arguments):
    """Runs the toolbox with --json and returns what it prints."""
    command = [str(pathlib.Path(build) / "alight"), *map(str, arguments), "--json"]
    if not pathlib.Path(command[0]).exists():
        sys.exit(f"{command[0]} is missing: build first, or say --build FOLDER")
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr.strip())
    return json.loads(done.stdout)


def quartiles(values):
    """25 %, 50 % and 75 % points, linear between neighbours."""
    ordered = sorted(values)

    def at(q):
        place = q * (len(ordered) - 1)
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (place - low) * (ordered[high] - ordered[low])

    return at(0.25), at(0.5), at(0.75)


def machine():
    """One line: processor, usable cores, load while measuring."""
    model = "unknown processor"
    for line in open("/proc/cpuinfo", encoding="ascii", errors="replace"):
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} usable cores, load average {os.getloadavg()[0]:.1f}"


def command_line():
    """How this script was called, from the repository's root."""
    script = pathlib.Path(sys.argv[0]).resolve().relative_to(ROOT)
    return shlex.join([str(script), *sys.argv[1:]])


def write_section(name, title, body, page="benchmarks"):
    """Replaces the section `name` of docs/PAGE.md, or adds it at the end."""
    page = ROOT / "docs" / f"{page}.md"
    text = page.read_text() if page.exists() else (
        "# Benchmarks\n\nEach section is written by the script it names; figures are medians "
        "with quartiles.\n")
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    section = (f"{start}\n## {title}\n\n`{command_line()}`  \n"
               f"{datetime.date.today().isoformat()}, {machine()}\n\n{body.strip()}\n{end}")
    if start in text and end in text:
        before, rest = text.split(start, 1)
        text = before + section + rest.split(end, 1)[1]
    else:
        text = text.rstrip() + "\n\n" + section + "\n"
    page.parent.mkdir(exist_ok=True)
    page.write_text(text)
    print(f"written to {page.relative_to(ROOT)}")


def table(head, rows):
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)
