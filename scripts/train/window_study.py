#!/usr/bin/python3
"""Objectness windows on the trained ViT: accuracy by share kept, against random dropping.

    scripts/train/window_study.py RUN --data train.tar --test test.tar [--package KEEP]

Writes results/windows.csv, and the network with each number of windows as ONNX files into
WORK/RUN/windows for scripts/bench/windows to time. With --package, also writes the model
package `cifar10-bvit-windows` that keeps KEEP of the 16 windows in its graph. --random RUN
names a run that was trained with random windows; random dropping is then judged by it.
"""
import argparse
import copy
import csv
import os
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import torch

import data
import export
import trainer
from nets import NETWORKS, vit

RANDOM_SEEDS = 3
KEPT = (14, 12, 10, 8, 6)
RESULTS = Path(__file__).parent / "results/windows.csv"


def final_accuracy(net, dataset, part):
    return trainer.accuracy(trainer.predict(net, dataset, part), part.labels)[-1]


def random_accuracy(net, dataset, part, keep):
    """Mean over seeds of keeping `keep` windows chosen at random."""
    vit.set_windows(net, keep, random=True)
    shares = []
    for seed in range(RANDOM_SEEDS):
        torch.manual_seed(seed)
        shares.append(final_accuracy(net, dataset, part))
    return sum(shares) / len(shares)


def study(net, randomly, dataset, part):
    """One row per number of windows kept: (keep, objectness, random)."""
    full = [final_accuracy(vit.set_windows(n, None), dataset, part) for n in (net, randomly)]
    rows = [(vit.WINDOWS, *full)]
    for keep in KEPT:
        chosen = final_accuracy(vit.set_windows(net, keep), dataset, part)
        rows.append((keep, chosen, random_accuracy(randomly, dataset, part, keep)))
        print(*rows[-1], flush=True)
    return rows


def write_rows(rows):
    with open(RESULTS, "w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["windows_kept", "objectness", "random"])
        writer.writerows((keep, f"{a:.4f}", f"{b:.4f}") for keep, a, b in rows)


def write_files(net, dataset, folder):
    """keep-N.onnx for every N of the study."""
    for keep in (vit.WINDOWS, *KEPT):
        vit.set_windows(net, None if keep == vit.WINDOWS else keep)
        export.write_onnx(net, export.sample_input(dataset, 2), folder / f"keep-{keep}.onnx")


def load_run(folder):
    net = NETWORKS["cifar10-bvit"].build()
    net.load_state_dict(torch.load(folder / "checkpoint.pt")["net"])
    return net


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="a finished run of WORK")
    parser.add_argument("--random", metavar="RUN", help="one trained with random windows")
    parser.add_argument("--data", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--work", default="build/train", type=Path)
    parser.add_argument("--models", default="models", type=Path)
    parser.add_argument("--package", type=int, metavar="KEEP")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    torch.set_num_threads(1)
    dataset = data.load("cifar10", arguments.data, arguments.test, arguments.work / "cache")
    net = load_run(arguments.work / arguments.run)
    write_files(copy.deepcopy(net), dataset, arguments.work / arguments.run / "windows")
    if arguments.package:
        export.write_package(vit.set_windows(copy.deepcopy(net), arguments.package), dataset,
                             arguments.models / "cifar10-bvit-windows")
    randomly = load_run(arguments.work / (arguments.random or arguments.run))
    write_rows(study(net, randomly, dataset, dataset.test))


if __name__ == "__main__":
    main()
