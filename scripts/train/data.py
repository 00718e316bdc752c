"""Data sets as uint8 arrays, their calibration split, and augmentation.

Images are kept as uint8 [count, height, width, channels]. Decoded folders and tars are
cached in the work folder as .npy so that a JPEG is decoded once. Normalisation is that of
the model package: (pixel / 255 - mean) / std.
"""
import dataclasses
import gzip
import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

SPLIT_SEED = 20170314
CALIBRATION_PER_CLASS = 500
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".pgm", ".ppm"}

FASHION_LABELS = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                  "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
FASHION_DIR = "/usr/share/datasets/fashion-mnist"


@dataclasses.dataclass
class Part:
    """One part of a data set. `names` are member names of the source, where it has any."""
    images: np.ndarray              # uint8 [count, height, width, channels]
    labels: np.ndarray              # int64 [count]
    names: "list[str] | None" = None

    def take(self, index):
        names = [self.names[i] for i in index] if self.names else None
        return Part(self.images[index], self.labels[index], names)


@dataclasses.dataclass
class Dataset:
    """Training, calibration (held out of training) and test parts, and how to normalise."""
    train: Part
    calibration: Part
    test: Part
    labels: list                    # class names
    mean: list                      # per channel, on pixels scaled to 0..1
    std: list

    def normalise(self, images):
        """uint8 [n, h, w, c] -> float32 tensor [n, c, h, w] in channels-last memory."""
        x = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float()
        mean = torch.tensor(self.mean).view(1, -1, 1, 1)
        std = torch.tensor(self.std).view(1, -1, 1, 1)
        return x.mul_(1 / 255).sub_(mean).div_(std)


def calibration_indices(labels, per_class=CALIBRATION_PER_CLASS):
    """The fixed, class-balanced indices that are never trained on. A function of labels only."""
    rng = np.random.RandomState(SPLIT_SEED)
    chosen = [rng.permutation(np.flatnonzero(labels == c))[:per_class]
              for c in np.unique(labels)]
    return np.sort(np.concatenate(chosen))


def split(part):
    held = calibration_indices(part.labels)
    rest = np.setdiff1d(np.arange(len(part.labels)), held)
    return part.take(rest), part.take(held)


def subset(part, count):
    """`count` images of `part`, the same ones every time."""
    return part.take(np.random.RandomState(SPLIT_SEED).permutation(len(part.labels))[:count])


# --- IDX (Fashion-MNIST) -------------------------------------------------------------

def read_idx(path):
    """An IDX file of unsigned bytes, gzipped or not."""
    raw = Path(path).read_bytes()
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    zero, kind, n_dims = struct.unpack(">HBB", raw[:4])
    if zero != 0 or kind != 8:
        raise ValueError(f"{path}: not an IDX file of unsigned bytes")
    dims = struct.unpack(f">{n_dims}I", raw[4:4 + 4 * n_dims])
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * n_dims).reshape(dims)


def write_idx(path, array):
    """Writes uint8 `array` as gzipped IDX, reproducibly (no time stamp)."""
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    with open(path, "wb") as out, gzip.GzipFile("", "wb", 9, out, mtime=0) as packed:
        packed.write(header + array.astype(np.uint8).tobytes())


def read_idx_part(folder, stem):
    images = read_idx(Path(folder) / f"{stem}-images-idx3-ubyte.gz")
    labels = read_idx(Path(folder) / f"{stem}-labels-idx1-ubyte.gz")
    return Part(images[..., None].copy(), labels.astype(np.int64))


def fashion(folder=None):
    """Fashion-MNIST: 55,000 training, 5,000 calibration, 10,000 test images of 28x28."""
    folder = folder or FASHION_DIR
    train, calibration = split(read_idx_part(folder, "train"))
    return Dataset(train, calibration, read_idx_part(folder, "t10k"),
                   FASHION_LABELS, mean=[0.286], std=[0.353])


# --- folders and tars of class folders (CIFAR-10 as JPEG) ----------------------------

def iterate_files(source):
    """Yields (member name, bytes) for every image file of a folder or tar."""
    source = Path(source)
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.suffix.lower() in IMAGE_SUFFIXES:
                yield str(path.relative_to(source)), path.read_bytes()
        return
    with tarfile.open(source) as tar:
        for member in tar:
            if member.isfile() and Path(member.name).suffix.lower() in IMAGE_SUFFIXES:
                yield member.name, tar.extractfile(member).read()


def decode_folder(source):
    """Decodes every image as RGB; the class is the name of the file's folder, in sorted order."""
    entries = sorted((name, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
                     for name, data in iterate_files(source))
    if not entries:
        raise SystemExit(f"{source}: no images in class folders")
    names = [name for name, _ in entries]
    folders = [Path(name).parent.name for name in names]
    labels = sorted(set(folders))
    index = np.array([labels.index(f) for f in folders], np.int64)
    return Part(np.stack([image for _, image in entries]), index, names), labels


def cached_folder(source, cache):
    """decode_folder(source), remembered in `cache` under the source's name, size and time."""
    source, cache = Path(source), Path(cache)
    stat = source.stat()
    path = cache / f"{source.stem}-{stat.st_size}-{int(stat.st_mtime)}.npz"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part, labels = decode_folder(source)
        partial = path.with_suffix(".tmp.npz")
        np.savez(partial, images=part.images, index=part.labels, names=part.names, labels=labels)
        partial.replace(path)
    with np.load(path) as saved:
        part = Part(saved["images"], saved["index"], saved["names"].tolist())
        return part, saved["labels"].tolist()


def cifar10(train_source, test_source, cache):
    """CIFAR-10 from two folders or tars of class folders; 500 images a class are held out."""
    if not train_source or not test_source:
        raise SystemExit("CIFAR-10 needs --data TRAIN and --test TEST (folder or tar of class folders)")
    whole, labels = cached_folder(train_source, cache)
    test, _ = cached_folder(test_source, cache)
    train, calibration = split(whole)
    return Dataset(train, calibration, test, labels,
                   mean=[0.4914, 0.4822, 0.4465], std=[0.2470, 0.2435, 0.2616])


def load(name, data, test, cache):
    return fashion(data) if name == "fashion" else cifar10(data, test, cache)


# --- augmentation --------------------------------------------------------------------

class Batches:
    """Shuffled, shifted and mirrored batches. Epoch e of seed s is the same on every run."""

    def __init__(self, part, batch, shift, mirror, pad_mode, seed):
        pad = ((0, 0), (shift, shift), (shift, shift), (0, 0))
        self.padded = np.pad(part.images, pad, mode=pad_mode)
        self.part, self.batch, self.shift, self.mirror, self.seed = part, batch, shift, mirror, seed

    def __len__(self):
        return len(self.part.labels) // self.batch

    def epoch(self, number):
        """Yields (uint8 images [batch, h, w, c], int64 labels, indices into the part)."""
        rng = np.random.default_rng([self.seed, number])
        order = rng.permutation(len(self.part.labels))
        for start in range(0, len(self) * self.batch, self.batch):
            index = order[start:start + self.batch]
            yield self.crop(index, rng), self.part.labels[index], index

    def crop(self, index, rng):
        height, width = self.part.images.shape[1:3]
        n = len(index)
        rows = rng.integers(0, 2 * self.shift + 1, (n, 1)) + np.arange(height)
        columns = np.broadcast_to(np.arange(width), (n, width))
        if self.mirror:
            flip = rng.integers(0, 2, (n, 1)).astype(bool)
            columns = np.where(flip, columns[:, ::-1], columns)
        columns = columns + rng.integers(0, 2 * self.shift + 1, (n, 1))
        return self.padded[index[:, None, None], rows[:, :, None], columns[:, None, :]]
