#!/usr/bin/python3
"""Trains one network, reports it and writes its model package.

    scripts/train/train.py fashion-blenet
    scripts/train/train.py cifar10-balexnet --data train.tar --test test.tar

A run lives in WORK/NAME-SEED (checkpoint, log.csv, curve.png, result.json) and continues
where it was if started again. See README.md beside this file.
"""
import argparse
import dataclasses
import json
import os
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")      # read at import; its idle threads spin

import torch

import data
import distill
import export
import heads
import plot
import pruning
import regenerate
import trainer
import windows
from nets import NETWORKS
from nets.base import count_parameters

METHODS = ["mixed", "joint", "heads", "distil", "rapid", "prune", "regenerate", "windows",
           "random-windows"]
TOP = Path(__file__).resolve().parents[2]


def add_places(group):
    group.add_argument("--data", help="training images: a folder or tar of class folders, "
                       "or a folder of IDX files for Fashion-MNIST")
    group.add_argument("--test", help="test images, likewise")
    group.add_argument("--work", default=TOP / "build" / "train", type=Path,
                       help="checkpoints, logs and decoded images (default build/train)")
    group.add_argument("--run", help="name of the run's folder (default NAME[-METHOD]-SEED)")
    group.add_argument("--models", default=TOP / "models", type=Path,
                       help="where the package is written (default models)")
    group.add_argument("--as-is", action="store_true",
                       help="no more training: report and package the run's last checkpoint")
    group.add_argument("--no-package", action="store_true", help="train and report only")
    group.add_argument("--reference", type=Path,
                       help="also write reference outputs for the engine's tests into this folder")


def add_method(group):
    group.add_argument("--plain", action="store_true", help="the same network without branches")
    group.add_argument("--method", choices=METHODS, default="mixed", help="see README.md")
    group.add_argument("--prune", default=0.5, type=float, metavar="SHARE",
                       help="of the prunable channels, for the methods prune and rapid")
    group.add_argument("--teacher", metavar="RUN", help="a finished run of WORK, for distil")
    group.add_argument("--trunk", metavar="RUN", help="a finished run of WORK whose trunk to "
                       "start from (method heads: and to keep)")
    group.add_argument("--init", metavar="RUN,...", help="a run of WORK, finished or not, of the "
                       "same network, all of whose weights to start from; of several their mean")


def add_recipe(group):
    group.add_argument("--seed", default=1, type=int)
    group.add_argument("--epochs", type=int, help="instead of the recipe's")
    group.add_argument("--rate", type=float, help="peak learning rate, instead of the recipe's")
    group.add_argument("--trunk-share", type=float, help="instead of the recipe's")
    group.add_argument("--low-res-share", type=float, help="likewise")
    group.add_argument("--images", type=int, help="train on so many images, always the same")
    group.add_argument("--threads", default=1, type=int)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(NETWORKS))
    add_places(parser.add_argument_group("places"))
    add_method(parser.add_argument_group("method"))
    add_recipe(parser.add_argument_group("recipe"))
    return parser.parse_args()


def build(entry, arguments):
    """The network and its recipe, with the command line's changes."""
    net, recipe = entry.build(), entry.recipe
    changes = {"epochs": arguments.epochs, "learning_rate": arguments.rate,
               "low_res_share": arguments.low_res_share,
               "trunk_share": 0.0 if arguments.method == "joint" else arguments.trunk_share}
    recipe = dataclasses.replace(recipe, **{k: v for k, v in changes.items() if v is not None})
    if arguments.plain:
        net = net.plain()
        recipe = dataclasses.replace(recipe, exit_weights=(1.0,))
    return net, recipe


def run_folder(arguments):
    variant = "-plain" if arguments.plain else ""
    variant += "" if arguments.method == "mixed" else f"-{arguments.method}"
    return arguments.work / (arguments.run or f"{arguments.name}{variant}-{arguments.seed}")


def load_teacher(run, dataset, work):
    """Cached logits of a run named NAME-SEED (or whatever its result.json says)."""
    name = json.loads((work / run / "result.json").read_text())["network"]
    return distill.teacher_logits(NETWORKS[name].build(), dataset, work / run)


def make_trainer(net, dataset, recipe, folder, arguments):
    parts, method = (net, dataset, recipe, folder, arguments.seed), arguments.method
    trunk = heads.trunk_state(arguments.work / arguments.trunk, net) if arguments.trunk else {}
    if method == "heads":
        return heads.HeadTrainer(*parts, trunk=trunk)
    if method == "distil":
        teacher = load_teacher(arguments.teacher, dataset, arguments.work)
        run = distill.DistilTrainer(*parts, teacher=teacher)
    elif method in ("prune", "rapid"):
        run = pruning.PruneTrainer(*parts, target=arguments.prune, rapid=method == "rapid")
    elif method == "regenerate":
        run = regenerate.RegenerateTrainer(*parts)
    elif method in ("windows", "random-windows"):
        run = windows.WindowTrainer(*parts, random=method == "random-windows")
    else:
        run = trainer.Trainer(*parts)
    run.start_from(trunk)
    if arguments.init:
        run.start_from(trainer.mean_state(arguments.work / name for name in arguments.init.split(",")))
    return run


def report(net, recipe, epochs, dataset, folder, arguments):
    shares = export.test_accuracy(net, dataset)
    print("test accuracy: " + ", ".join(f"{n} {a:.4f}" for n, a in shares.items()))
    export.write_json(folder / "result.json", {
        "network": arguments.name, "plain": arguments.plain, "seed": arguments.seed,
        "method": arguments.method, "teacher": arguments.teacher, "trunk": arguments.trunk,
        "recipe": dataclasses.asdict(recipe), "epochs": epochs,
        "parameters": count_parameters(net), "test_images": len(dataset.test.labels),
        "test_accuracy": shares})


def main():
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    entry, folder = NETWORKS[arguments.name], run_folder(arguments)
    dataset = data.load(entry.data, arguments.data, arguments.test, arguments.work / "cache")
    if arguments.images:
        dataset.train = data.subset(dataset.train, arguments.images)
    net, recipe = build(entry, arguments)
    run = make_trainer(net, dataset, recipe, folder, arguments)
    if arguments.as_is:
        run.resume()
    else:
        run.run()
    plot.curves(folder / "log.csv", folder / "curve.png", folder.name)
    report(net, recipe, run.epoch, dataset, folder, arguments)
    if not arguments.plain and not arguments.no_package:
        export.write_package(net, dataset, arguments.models / arguments.name)
    if arguments.reference:
        export.write_reference(net, dataset, arguments.reference)


if __name__ == "__main__":
    main()
