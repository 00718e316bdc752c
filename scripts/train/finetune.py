#!/usr/bin/python3
"""Fine-tunes the weights of an ONNX classifier, keeping its graph.

    scripts/train/finetune.py IN.onnx OUT.onnx --set cifar10 --data train.tar --test test.tar

Prints the accuracy of every output on the held-out images before and after.
"""
import argparse
import os
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import torch

import data
import trainer
from nets import Recipe
from onnx_net import OnnxNet


class FineTuner(trainer.Trainer):
    """Starts from the weights it is given."""

    def initialise(self):
        pass


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--set", choices=["fashion", "cifar10"], required=True)
    parser.add_argument("--data", help="as for train.py")
    parser.add_argument("--test", help="as for train.py")
    parser.add_argument("--work", default="build/train", type=Path)
    parser.add_argument("--epochs", default=2, type=int)
    parser.add_argument("--rate", default=0.01, type=float, help="peak learning rate")
    parser.add_argument("--seed", default=1, type=int)
    parser.add_argument("--threads", default=1, type=int)
    return parser.parse_args()


def show(text, net, dataset):
    part = dataset.calibration
    shares = trainer.accuracy(trainer.predict(net, dataset, part), part.labels)
    print(text, " ".join(f"{n} {a:.4f}" for n, a in zip(net.exit_names, shares)), flush=True)


def main():
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    dataset = data.load(arguments.set, arguments.data, arguments.test, arguments.work / "cache")
    net = OnnxNet(arguments.source)
    recipe = Recipe(epochs=arguments.epochs, learning_rate=arguments.rate, trunk_share=0.0,
                    smoothing=0.05, weight_decay=1e-4)
    run = FineTuner(net, dataset, recipe, arguments.work / f"finetune-{arguments.target.stem}",
                    arguments.seed)
    show("before:", net, dataset)
    run.run()
    show("after:", net, dataset)
    net.save(arguments.target)


if __name__ == "__main__":
    main()
