#!/usr/bin/python3
"""Gathers finished runs into a folder: summary.csv, and each run's curves as CSV and PNG.

    scripts/train/results.py --work build/train --out scripts/train/results
"""
import argparse
import csv
import json
import math
import shutil
from pathlib import Path


def wilson(share, count, z=1.96):
    """95 % interval of a share seen in `count` trials."""
    centre = share + z * z / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return tuple((centre + sign * half) / (1 + z * z / count) for sign in (-1, 1))


def rows_of(run):
    """One row per exit of a finished run."""
    result = json.loads((run / "result.json").read_text())
    for name, share in result["test_accuracy"].items():
        low, high = wilson(share, result["test_images"])
        yield {"run": run.name, "network": result["network"],
               "method": "plain" if result["plain"] else result["method"],
               "seed": result["seed"], "epochs": result.get("epochs", result["recipe"]["epochs"]),
               "parameters": result["parameters"], "exit": name,
               "test_images": result["test_images"], "test_accuracy": f"{share:.4f}",
               "low_95": f"{low:.4f}", "high_95": f"{high:.4f}"}


def gather(work, out):
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for run in sorted(path.parent for path in work.glob("*/result.json")):
        rows += rows_of(run)
        shutil.copy(run / "log.csv", out / f"{run.name}.csv")
        shutil.copy(run / "curve.png", out / f"{run.name}.png")
    with open(out / "summary.csv", "w", newline="") as summary:
        writer = csv.DictWriter(summary, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", default="build/train", type=Path)
    parser.add_argument("--out", default=Path(__file__).parent / "results", type=Path)
    arguments = parser.parse_args()
    gather(arguments.work, arguments.out)


if __name__ == "__main__":
    main()
