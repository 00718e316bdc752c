#!/usr/bin/env python3
"""Makes the small pictures beside this file: python3 make.py.

Each picture has a twin .ppm or .pgm with the pixels Pillow decodes it to, and the damaged
ones are what a hostile client would send. Committed, so that tests need no Pillow.
"""
import io
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image

HERE = pathlib.Path(__file__).parent
WIDTH, HEIGHT = 13, 9


def colours():
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    planes = [127 + 120 * np.sin(x * a + y * b) for a, b in ((.4, .1), (.1, .5), (.7, -.3), (.2, .2))]
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def twin(path, mode):
    suffix = ".pgm" if mode == "L" else ".ppm"
    Image.open(path).convert(mode).save(path.with_suffix(path.suffix + suffix))


def save(name, image, mode="RGB", **options):
    image.save(HERE / name, **options)
    twin(HERE / name, mode)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, bits, colour, extra=b"", rows=b""):
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra
            + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def sound():
    rgb = Image.fromarray(colours()[..., :3])
    gray = rgb.convert("L")
    save("rgb.jpg", rgb, quality=80)
    save("gray.jpg", gray, "L", quality=80)
    save("progressive.jpg", rgb, quality=80, progressive=True)
    save("cmyk.jpg", Image.fromarray(colours(), "CMYK"), quality=80)
    save("rgb.png", rgb)
    save("gray.png", gray, "L")
    save("bits.png", gray.convert("1"), "L")
    save("palette.png", rgb.quantize(7))
    save("alpha.png", Image.fromarray(colours(), "RGBA"))
    save("lossy.webp", rgb, quality=70)
    save("lossless.webp", rgb, lossless=True)


def hostile():
    (HERE / "claim-20000.png").write_bytes(png(20000, 20000, 1, 0, rows=bytes(2501 * 16)))
    inflating = b"key\0\0" + zlib.compress(bytes(3_000_000), 9)
    row = bytes(9)
    (HERE / "ztxt-bomb.png").write_bytes(png(8, 8, 8, 0, chunk(b"zTXt", inflating), row * 8))
    (HERE / "iccp-bomb.png").write_bytes(png(8, 8, 8, 0, chunk(b"iCCP", inflating), row * 8))
    (HERE / "deep.png").write_bytes(png(2, 1, 16, 0, rows=b"\0\x80\xff\x01\xfe"))
    whole = (HERE / "progressive.jpg").read_bytes()
    last_scan = whole[whole.rfind(b"\xff\xda"):-2]
    (HERE / "scans.jpg").write_bytes(whole[:-2] + last_scan * 120 + b"\xff\xd9")
    frames = [Image.new("RGB", (4, 4), c) for c in ("red", "blue")]
    out = io.BytesIO()
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    (HERE / "animated.webp").write_bytes(out.getvalue())


if __name__ == "__main__":
    sound()
    hostile()
