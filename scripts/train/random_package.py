#!/usr/bin/python3
"""Writes B-ResNet-110 as a package with random weights, to be timed only.

    scripts/train/random_package.py OUT_DIR
"""
import argparse
import os
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch

import data
import export
from nets import resnet
from nets.base import initialise

LABELS = [f"class {i}" for i in range(10)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    net = resnet.bresnet110_conv()
    initialise(net, seed=1)
    part = data.Part(np.zeros((10, 32, 32, 3), np.uint8), np.arange(10))
    dataset = data.Dataset(part, part, part, LABELS, mean=[0.5] * 3, std=[0.25] * 3)
    export.write_package(net, dataset, arguments.out)


if __name__ == "__main__":
    main()
