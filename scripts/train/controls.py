#!/usr/bin/python3
"""Every training method against its control: a small network, few images, three seeds.

    scripts/train/controls.py --work build/train --teacher fashion-blenet-1

All runs take the same number of steps on the same images (rapid also trains its teacher in
each). A run that is already in the table is not repeated. Writes results/controls.csv.
"""
import argparse
import csv
import dataclasses
import json
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import torch

import data
import distill
import export
import pruning
import regenerate
import trainer
from nets import NETWORKS
from nets.base import count_parameters

NETWORK = "fashion-bresnet8"
METHODS = ("mixed", "joint", "distil", "regenerate", "prune", "rapid")
COLUMNS = ("method", "seed", "images", "epochs", "cpu_seconds", "parameters", "dead", "channels",
           "exit1", "exit2", "final")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", default="build/train", type=Path)
    parser.add_argument("--teacher", help="a finished run of WORK, for distil; without, "
                        "distil is left out")
    parser.add_argument("--out", default=Path(__file__).parent / "results/controls.csv", type=Path)
    parser.add_argument("--images", default=2560, type=int)
    parser.add_argument("--epochs", default=6, type=int)
    parser.add_argument("--seeds", default=3, type=int)
    return parser.parse_args()


class Quiet:
    """No held-out curve: these runs are judged by their end only."""

    def record(self, loss, seconds):
        pass

    def save(self):
        pass


def make_trainer(method, parts, teacher):
    """The method's trainer, without logs and checkpoints."""
    base, options = {
        "mixed": (trainer.Trainer, {}), "joint": (trainer.Trainer, {}),
        "distil": (distill.DistilTrainer, {"teacher": teacher}),
        "regenerate": (regenerate.RegenerateTrainer, {}),
        "prune": (pruning.PruneTrainer, {"target": 0.5, "rapid": False}),
        "rapid": (pruning.PruneTrainer, {"target": 0.5, "rapid": True}),
    }[method]
    return type("QuietTrainer", (Quiet, base), {})(*parts, **options)


def one_run(method, seed, dataset, teacher, arguments):
    entry = NETWORKS[NETWORK]
    recipe = dataclasses.replace(entry.recipe, epochs=arguments.epochs)
    if method == "joint":
        recipe = dataclasses.replace(recipe, trunk_share=0.0)
    net, started = entry.build(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        make_trainer(method, (net, dataset, recipe, folder, seed), teacher).run()
    seconds = time.process_time() - started
    dead, channels = regenerate.dead_channels(net)
    shares = export.test_accuracy(net, dataset)
    return dict(zip(COLUMNS, (method, seed, arguments.images, arguments.epochs, f"{seconds:.0f}",
                              count_parameters(net), dead, channels,
                              *(f"{share:.4f}" for share in shares.values()))))


def read_rows(path):
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


def write_rows(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as table:
        writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def load_teacher(run, dataset, work):
    name = json.loads((work / run / "result.json").read_text())["network"]
    return distill.teacher_logits(NETWORKS[name].build(), dataset, work / run)


def main():
    arguments = parse_arguments()
    torch.set_num_threads(1)
    dataset = data.fashion()
    dataset.train = data.subset(dataset.train, arguments.images)
    rows = read_rows(arguments.out)
    done = {(row["method"], int(row["seed"])) for row in rows}
    methods = METHODS if arguments.teacher else [m for m in METHODS if m != "distil"]
    teacher = load_teacher(arguments.teacher, dataset, arguments.work) if arguments.teacher else None
    for seed in range(1, arguments.seeds + 1):
        for method in methods:
            if (method, seed) not in done:
                rows.append(one_run(method, seed, dataset, teacher, arguments))
                print(rows[-1], flush=True)
                write_rows(arguments.out, rows)


if __name__ == "__main__":
    main()
