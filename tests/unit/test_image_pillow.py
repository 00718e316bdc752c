#!/usr/bin/env python3
"""Decoding, gray conversion, resizing and fitting must give Pillow's bytes.

Usage: test_image_pillow.py PICTURE_TOOL. Pictures are made here, from a fixed seed.
Exits 77 (skipped) without Pillow.
"""
import pathlib
import random
import subprocess
import sys
import tempfile

try:
    import numpy as np
    from PIL import Image, ImageOps
except ImportError:
    print("Pillow or NumPy is missing")
    sys.exit(77)

FILTERS = [Image.NEAREST, Image.BILINEAR, Image.BICUBIC, Image.LANCZOS]
SIZES = [(1, 1), (3, 2), (28, 28), (31, 17), (64, 48), (97, 203), (320, 240)]
TARGETS = [(1, 1), (7, 5), (28, 28), (32, 32), (64, 48), (100, 37), (224, 224)]


def picture(rng, width, height, channels):
    """Smooth colour, edges and noise: all that a filter or a codec can get wrong."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    planes = []
    for _ in range(channels):
        wave = 127 + 100 * np.sin(x * rng.uniform(.01, .5) + y * rng.uniform(.01, .5))
        wave[(x + y) % 23 < 2] = rng.choice([0, 255])
        planes.append(wave + np.random.default_rng(rng.randrange(1 << 30)).normal(0, 12, wave.shape))
    bytes_ = np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)
    return bytes_[..., 0] if channels == 1 else bytes_


def gray_or_rgb(image, channels):
    return image.convert("L" if channels == 1 else "RGB")


def crop(image, size, resample):
    """torchvision's Resize to cover, then CenterCrop."""
    (w, h), (tw, th) = image.size, size
    full = (w * th // h, th) if w * th > h * tw else (tw, h * tw // w)
    left, top = round((full[0] - tw) / 2), round((full[1] - th) / 2)
    return image.resize(full, resample).crop((left, top, left + tw, top + th))


def pad(image, size, resample):
    return ImageOps.pad(image, size, resample)


class Job:
    def __init__(self, path, channels, size=(0, 0), which=0, fit="none"):
        self.path, self.channels, self.size, self.which, self.fit = path, channels, size, which, fit

    def line(self):
        return f"{self.channels} {self.size[0]} {self.size[1]} {self.which} {self.fit} {self.path}\n"

    def expected(self):
        image = gray_or_rgb(Image.open(self.path), self.channels)
        if self.fit != "none":
            return {"crop": crop, "pad": pad}[self.fit](image, self.size, FILTERS[self.which])
        return image.resize(self.size, FILTERS[self.which]) if self.size[0] else image


def save_all(rng, folder):
    """One file per encoding that must decode to Pillow's pixels; yields paths."""
    def save(name, array, mode=None, **options):
        Image.fromarray(array, mode).save(folder / name, **options)
        return folder / name

    for n, (w, h) in enumerate([(1, 1), (17, 9), (64, 48), (33, 70)]):
        rgb, gray = picture(rng, w, h, 3), picture(rng, w, h, 1)
        for quality in (30, 95):
            for sub in (0, 1, 2):
                yield save(f"{n}-{quality}-{sub}.jpg", rgb, quality=quality, subsampling=sub)
        yield save(f"{n}-progressive.jpg", rgb, progressive=True)
        yield save(f"{n}-gray.jpg", gray)
        yield save(f"{n}-cmyk.jpg", picture(rng, w, h, 4), "CMYK")
        yield save(f"{n}.png", rgb)
        yield save(f"{n}-gray.png", gray)
        yield save(f"{n}-alpha.png", picture(rng, w, h, 4), "RGBA")
        yield save(f"{n}-gray-alpha.png", picture(rng, w, h, 2), "LA")
        for bits, colours in ((1, 2), (2, 4), (4, 16), (8, 200)):
            indexed = Image.fromarray(rgb).quantize(colours)
            indexed.save(folder / f"{n}-{bits}.png", bits=bits)
            yield folder / f"{n}-{bits}.png"
        Image.fromarray(gray).convert("1").save(folder / f"{n}-bit.png")
        yield folder / f"{n}-bit.png"
        yield save(f"{n}.webp", rgb, lossless=True)
        yield save(f"{n}-lossy.webp", rgb, quality=60)
        yield save(f"{n}.ppm", rgb)
        yield save(f"{n}.pgm", gray)
        Image.fromarray(gray).convert("1").save(folder / f"{n}.pbm")
        yield folder / f"{n}.pbm"


def save_pnm(rng, folder):
    """Samples of every maximum, as text and as bytes; Pillow clips gray ones over 255."""
    for maximum in (1, 2, 6, 15, 100, 254, 1000, 65535):
        for kind in (b"2", b"3", b"5", b"6"):
            if maximum > 255 and kind in (b"2", b"5"):
                continue
            n = 17 * 9 * (3 if kind in (b"3", b"6") else 1)
            samples = [rng.randint(0, maximum) for _ in range(n)]
            if kind in (b"2", b"3"):
                body = b" ".join(b"%d" % s for s in samples) + b"\n"
            else:
                body = b"".join(s.to_bytes(2 if maximum > 255 else 1, "big") for s in samples)
            path = folder / f"{kind.decode()}-{maximum}.pnm"
            path.write_bytes(b"P%s 17 9 %d\n" % (kind, maximum) + body)
            yield path


def decode_jobs(rng, folder):
    paths = [*save_all(rng, folder), *save_pnm(rng, folder)]
    return [Job(path, channels) for path in paths for channels in (1, 3)]


def resize_jobs(rng, folder):
    jobs = []
    for w, h in SIZES:
        for channels in (1, 3):
            path = folder / f"{w}x{h}x{channels}.png"
            Image.fromarray(picture(rng, w, h, channels)).save(path)
            for size in TARGETS:
                for which in range(len(FILTERS)):
                    jobs.append(Job(path, channels, size, which))
                    if channels == 3 and size != (1, 1):  # Pillow cannot pad to 1x1
                        jobs.append(Job(path, channels, size, which, "crop"))
                        jobs.append(Job(path, channels, size, which, "pad"))
    return jobs


def read_pnm(stream):
    """Width, height and bytes, or the error's text."""
    head = stream.readline().decode().split()
    if head[0] not in ("P5", "P6"):
        return " ".join(head)
    w, h = int(head[1]), int(head[2])
    return w, h, stream.read(w * h * (1 if head[0] == "P5" else 3))


def compare(job, answer):
    """Empty when equal, else what differs."""
    if isinstance(answer, str):
        return answer
    want = job.expected()
    if answer[:2] != want.size:
        return f"size {answer[:2]}, Pillow {want.size}"
    if answer[2] == want.tobytes():
        return ""
    a, b = (np.frombuffer(x, np.uint8).astype(int) for x in (answer[2], want.tobytes()))
    return f"{np.count_nonzero(a != b)} of {a.size} bytes differ, by {abs(a - b).max()} at most"


def main():
    rng = random.Random(7)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        jobs = decode_jobs(rng, folder) + resize_jobs(rng, folder)
        (folder / "jobs").write_text("".join(job.line() for job in jobs))
        with open(folder / "jobs", "rb") as lines, open(folder / "answers", "wb") as out:
            subprocess.run([sys.argv[1]], stdin=lines, stdout=out, check=True)
        with open(folder / "answers", "rb") as answers:
            results = [(job, compare(job, read_pnm(answers))) for job in jobs]
    bad = [f"{job.line().strip()}: {what}" for job, what in results if what]
    print("\n".join(bad[:40]))
    print(f"{len(jobs)} pictures, {len(bad)} differ from Pillow {Image.__version__}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
