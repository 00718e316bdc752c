#!/usr/bin/python3
"""What an epoch of each network costs, before one is begun: processor seconds, one thread.

    scripts/train/cost.py [NAME...]
"""
import argparse
import dataclasses
import os
import tempfile
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch

import data
import trainer
from nets import NETWORKS

SHAPES = {"fashion": (28, 28, 1), "cifar10": (32, 32, 3)}
IMAGES = {"fashion": 55000, "cifar10": 45000}


def noise(kind, count):
    shape = SHAPES[kind]
    rng = np.random.default_rng(0)
    part = data.Part(rng.integers(0, 256, (count, *shape), np.uint8), np.arange(count) % 10)
    return data.Dataset(part, part, part, [str(c) for c in range(10)],
                        mean=[0.5] * shape[2], std=[0.25] * shape[2])


def seconds_per_step(entry, low_res, steps):
    """Of joint steps, after one to warm up."""
    recipe = dataclasses.replace(entry.recipe, trunk_share=0.0, low_res_share=float(low_res))
    dataset = noise(entry.data, recipe.batch * (steps + 1))
    with tempfile.TemporaryDirectory() as folder:
        run = trainer.Trainer(entry.build(), dataset, recipe, folder, 1)
        run.train_mode()
        for number, batch in enumerate(run.batches.epoch(0)):
            if number == 1:
                started = time.process_time()
            run.step(number, batch)
    return (time.process_time() - started) / steps


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *NETWORKS], help="networks (all)")
    parser.add_argument("--steps", default=5, type=int)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("network, seconds an epoch at full size, at low resolution, recipe's minutes")
    for name in arguments.names or NETWORKS:
        entry = NETWORKS[name]
        recipe, steps = entry.recipe, IMAGES[entry.data] // entry.recipe.batch
        full = steps * seconds_per_step(entry, False, arguments.steps)
        low = full
        if recipe.low_res_share:
            low = steps * seconds_per_step(entry, True, arguments.steps)
        share = recipe.low_res_share
        whole = recipe.epochs * (share * low + (1 - share) * full) / 60
        print(f"{name:26}{full:8.0f}{low:8.0f}{whole:8.0f}", flush=True)


if __name__ == "__main__":
    main()
