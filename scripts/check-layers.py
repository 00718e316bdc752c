#!/usr/bin/env python3
"""Fail when a source file includes a header that its layer may not use.

The table is the architecture: a layer may include itself and what stands in its list.
"""
import pathlib
import re
import sys

BASE = ["engine/base"]
DOOR = BASE + ["engine/engine.h"]
MAY_USE = {
    "engine/base": [],
    "engine/kern": BASE,
    "engine/exit": BASE,
    "engine/graph": BASE,
    "engine/onnx": BASE + ["engine/graph"],
    "engine/pass": BASE + ["engine/graph"],
    "engine/exec": BASE + ["engine/graph", "engine/kern"],
    "engine/engine.h": BASE + ["engine/exit"],
    "engine": BASE + ["engine/"],
    "package": DOOR,
    "server/core": DOOR + ["package"],
    "server/proto": DOOR + ["package", "server/core"],
    "server/net": DOOR + ["package", "server/core", "server/proto"],
    "server/app": DOOR + ["package", "server/"],
    "tools": DOOR + ["package"],
}
# System headers that belong to one room only: header prefix -> layers that may use it.
ONLY = {
    "uv.h": ["server/net", "server/app"],
    "microhttpd.h": ["server/net", "server/app"],
    "jansson.h": ["package", "server/proto", "server/net", "server/app", "tools"],
    "immintrin.h": ["engine/kern"],
    "cblas.h": ["engine/kern", "engine/exec", "engine/engine.c"],
    "pthread.h": ["server/app", "tools"],
    "time.h": ["server/net", "server/app", "tools", "package"],
}
INCLUDE = re.compile(r'\s*#\s*include\s+["<]([^">]+)[">]')


def layer_of(path):
    """The longest table key that `path` lies under, or None."""
    keys = [k for k in MAY_USE if path == k or path.startswith(k + "/")]
    return max(keys, key=len, default=None)


def allowed(layer, header):
    if header.startswith(layer + "/") or header == layer:
        return True
    return any(header == a or header.startswith(a.rstrip("/") + "/") for a in MAY_USE[layer])


def check(root, path):
    rel = path.relative_to(root).as_posix()
    layer = layer_of(rel)
    if layer is None:
        return []
    bad = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        header = match.group(1)
        ours = "<" not in line
        if ours and "/" in header and not allowed(layer, header):
            bad.append(f"{rel}:{number}: {layer} may not include {header}")
        if header in ONLY and not any(rel.startswith(k) for k in ONLY[header]):
            bad.append(f"{rel}:{number}: <{header}> belongs to {', '.join(ONLY[header])}")
    return bad


def main():
    root = pathlib.Path(sys.argv[1])
    bad = []
    for top in ("engine", "package", "server", "tools"):
        for path in sorted((root / top).rglob("*.[ch]")):
            bad += check(root, path)
    print("\n".join(bad) or "layers: all includes point the right way")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
