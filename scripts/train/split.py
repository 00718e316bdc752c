#!/usr/bin/python3
"""Writes the held-out calibration part as `alight calibrate --data` reads it.

    scripts/train/split.py fashion OUT_DIR                  (an IDX pair, gzipped)
    scripts/train/split.py cifar10 OUT.tar --data train.tar (the original files, in a tar)
"""
import argparse
import tarfile
from pathlib import Path

import data


def write_fashion(folder, source):
    folder.mkdir(parents=True, exist_ok=True)
    part = data.fashion(source).calibration
    data.write_idx(folder / "calibration-images-idx3-ubyte.gz", part.images[..., 0])
    data.write_idx(folder / "calibration-labels-idx1-ubyte.gz", part.labels)


def write_cifar10(path, source):
    """Copies the held-out members unchanged, so that calibration sees the stored JPEGs."""
    files = dict(data.iterate_files(source))
    names = sorted(files)
    folders = [Path(name).parent.name for name in names]
    classes = sorted(set(folders))
    labels = data.np.array([classes.index(f) for f in folders])
    with tarfile.open(path, "w") as tar:
        for i in data.calibration_indices(labels):
            member = tarfile.TarInfo(f"calibration/{folders[i]}/{Path(names[i]).name}")
            member.size = len(files[names[i]])
            tar.addfile(member, data.io.BytesIO(files[names[i]]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", choices=["fashion", "cifar10"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", help="the training images, as given to train.py")
    arguments = parser.parse_args()
    if arguments.set == "fashion":
        write_fashion(arguments.out, arguments.data)
    elif not arguments.data:
        raise SystemExit("cifar10 needs --data TRAIN (folder or tar of class folders)")
    else:
        write_cifar10(arguments.out, arguments.data)


if __name__ == "__main__":
    main()
