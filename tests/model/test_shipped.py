#!/usr/bin/env python3
"""Every shipped package whose operators torch can be handed: the engine against torch.

test_shipped.py ENGINE_CHECK SOURCE_ROOT. Exit status 77 (skipped) without torch.
"""
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy
    import torch
except ImportError:
    sys.exit(77)

ROOT = pathlib.Path(sys.argv[2])
sys.path.append(str(ROOT / "scripts/train"))

from onnx_net import OnnxNet                                    # noqa: E402

ROWS = 5
TOLERANCE = "2e-5"
STORED = {path.name for path in (ROOT / "tests/model/data").iterdir()}     # checked against those


def check(package, tool, folder):
    """Whether the engine answers a package as torch does, on noise."""
    path = package / "1/model.onnx"
    net = OnnxNet(path)
    dims = net.model.graph.input[0].type.tensor_type.shape.dim[1:]
    x = torch.randn(ROWS, *(d.dim_value for d in dims), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        answers = net(x)
    folder = folder / package.name
    folder.mkdir()
    numpy.save(folder / "input.npy", x.numpy())
    for name, answer in zip(net.exit_names, answers):
        numpy.save(folder / f"{name}.npy", answer.numpy())
    command = [tool, path, folder, TOLERANCE, *net.exit_names]
    return subprocess.run(command, check=False).returncode == 0


def main():
    torch.set_num_threads(1)
    packages = [p.parent.parent for p in sorted(ROOT.glob("models/*/1/model.onnx"))]
    packages = [p for p in packages if p.name not in STORED]
    with tempfile.TemporaryDirectory() as folder:
        bad = [p.name for p in packages if not check(p, sys.argv[1], pathlib.Path(folder))]
    print("failed: " + ", ".join(bad) if bad else f"{len(packages)} packages agree with torch")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
