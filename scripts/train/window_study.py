#!/usr/bin/python3
"""Objectness windows on the trained ViT: accuracy by share kept, against random dropping.

    scripts/train/window_study.py RUN --data train.tar --test test.tar [--package KEEP]

Nothing is retrained. Prints and saves WORK/RUN/windows.csv; with --package, writes the model
package `cifar10-bvit-windows` that keeps KEEP of the 16 windows in its graph.
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


def study(net, dataset, part):
    """One row per number of windows kept: (keep, objectness, random)."""
    rows = [(vit.WINDOWS, final_accuracy(vit.set_windows(net, None), dataset, part), "")]
    for keep in (14, 12, 10, 8, 6, 4):
        chosen = final_accuracy(vit.set_windows(net, keep), dataset, part)
        rows.append((keep, chosen, random_accuracy(net, dataset, part, keep)))
    return rows


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="a finished run of WORK")
    parser.add_argument("--data", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--work", default="build/train", type=Path)
    parser.add_argument("--models", default="models", type=Path)
    parser.add_argument("--package", type=int, metavar="KEEP")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    torch.set_num_threads(1)
    folder = arguments.work / arguments.run
    dataset = data.load("cifar10", arguments.data, arguments.test, arguments.work / "cache")
    net = NETWORKS["cifar10-bvit"].build()
    net.load_state_dict(torch.load(folder / "checkpoint.pt")["net"])
    rows = study(copy.deepcopy(net), dataset, dataset.test)
    with open(folder / "windows.csv", "w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["windows_kept", "objectness", "random"])
        writer.writerows(rows)
    print(*rows, sep="\n")
    if arguments.package:
        vit.set_windows(net, arguments.package)
        export.write_package(net, dataset, arguments.models / "cifar10-bvit-windows")


if __name__ == "__main__":
    main()
