#!/usr/bin/env python3
"""Corners of operators that the ONNX project's own tests leave out, through `alight run`.

test_operators.py ALIGHT. Exit status 77 (skipped) without python3-onnx.
"""
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError:
    sys.exit(77)


def ramp(*shape):
    return np.arange(1, 1 + np.prod(shape), dtype=np.float32).reshape(shape)


def mean_with_padding(x, size, stride, pad):
    """Average pooling in ceil_mode that counts padding, but not what lies behind it."""
    h, w = x.shape[2:]
    padded = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    starts = [[i for i in range(0, n + 2 * pad, stride) if i < n + pad and i - stride + size < n + 2 * pad]
              for n in (h, w)]
    return np.stack([np.stack([padded[:, :, i:i + size, j:j + size].mean((2, 3)) for j in starts[1]], -1)
                     for i in starts[0]], -2)


# name: operator set, node or nodes, input, constants, expected output
CASES = {
    "what ceil_mode adds does not count as padding":
        (13, helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4,
                              ceil_mode=1, count_include_pad=1),
         ramp(1, 9, 6, 8), {}, mean_with_padding(ramp(1, 9, 6, 8), 3, 2, 1)),
    "ten elements scaled by 0.7 are seven":
        (13, helper.make_node("Resize", ["x", "", "s"], ["y"], coordinate_transformation_mode="asymmetric",
                              nearest_mode="floor"),
         ramp(1, 1, 1, 10), {"s": np.float32([1, 1, 1, 0.7])}, np.float32([[[[1, 2, 3, 5, 6, 8, 9]]]])),
    "a place halfway between two by its size is a tie":
        (13, helper.make_node("Resize", ["x", "", "", "s"], ["y"], nearest_mode="round_prefer_floor"),
         ramp(1, 1, 1, 6), {"s": np.int64([1, 1, 1, 5])}, np.float32([[[[1, 2, 3, 5, 6]]]])),
    "corners of a size meet the input's":
        (13, helper.make_node("Resize", ["x", "", "", "s"], ["y"], nearest_mode="floor",
                              coordinate_transformation_mode="align_corners"),
         ramp(1, 1, 1, 6), {"s": np.int64([1, 1, 1, 2])}, np.float32([[[[1, 6]]]])),
    "operator set 10 takes the next element when it shrinks":
        (10, helper.make_node("Resize", ["x", "s"], ["y"]),
         ramp(1, 1, 2, 4), {"s": np.float32([1, 1, 0.6, 0.6])}, np.float32([[[[1, 3]]]])),
    "a product of two computed matrices keeps what is added to it":
        (13, [helper.make_node("Reshape", ["x", "s"], ["w"]),
              helper.make_node("Slice", ["x", "zero", "four", "one"], ["v"]),
              helper.make_node("MatMul", ["v", "w"], ["p"]), helper.make_node("Add", ["p", "b"], ["y"])],
         ramp(1, 20), {"s": np.int64([4, 5]), "zero": np.int64([0]), "four": np.int64([4]), "one": np.int64([1]),
                       "b": np.float32([1e3, 2e3, 3e3, 4e3, 5e3])},
         ramp(1, 4) @ ramp(4, 5) + 1e3 * ramp(1, 5)),
    "attention takes the mean when its scale is less than a float can say":
        (13, [helper.make_node("Transpose", ["x"], ["t"], perm=[0, 1, 3, 2]), helper.make_node("MatMul", ["x", "t"], ["p"]),
              helper.make_node("Mul", ["p", "tiny"], ["q"]), helper.make_node("Mul", ["q", "tiny"], ["r"]),
              helper.make_node("Softmax", ["r"], ["s"]), helper.make_node("MatMul", ["s", "x"], ["y"])],
         ramp(1, 2, 5, 3), {"tiny": np.float32(1e-30)}, np.repeat(ramp(1, 2, 5, 3).mean(2, keepdims=True), 5, 2)),
    "a number that is nearly a half makes no Gelu":
        (13, [helper.make_node("Div", ["x", "root"], ["d"]), helper.make_node("Erf", ["d"], ["e"]),
              helper.make_node("Add", ["e", "one"], ["a"]), helper.make_node("Mul", ["x", "a"], ["m"]),
              helper.make_node("Mul", ["m", "half"], ["y"])],
         ramp(1, 4) + 9, {"root": np.float32(2 ** .5), "one": np.float32(1), "half": np.float32(0.50003)},
         (ramp(1, 4) + 9) * 2 * np.float32(0.50003)),
    "a number of more dimensions adds them to the result":
        (13, [helper.make_node("MatMul", ["x", "unit"], ["w"]), helper.make_node("Add", ["w", "three"], ["a"]),
              helper.make_node("Clip", ["a", "zero", "six"], ["c"]), helper.make_node("Mul", ["w", "c"], ["m"]),
              helper.make_node("Div", ["m", "six4"], ["s"]), helper.make_node("Transpose", ["s"], ["y"], perm=[0, 3, 2, 1])],
         ramp(1, 3, 5) + 9, {"unit": np.eye(5, dtype=np.float32), "three": np.float32(3), "zero": np.float32(0),
                             "six": np.float32(6), "six4": np.full((1, 1, 1, 1), 6, np.float32)},
         (ramp(1, 1, 3, 5) + 9).transpose(0, 3, 2, 1)),
}


def run(alight, folder, opset, nodes, x, constants):
    graph = helper.make_graph(
        nodes if isinstance(nodes, list) else [nodes], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(a, name) for name, a in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    np.save(folder / "x.npy", x)
    subprocess.run([alight, "run", folder / "m.onnx", "--input", f"x={folder}/x.npy",
                    "--output-dir", folder], check=True, stdout=subprocess.DEVNULL)
    return np.load(folder / "y.npy")


def main():
    wrong = 0
    for name, (opset, node, x, constants, want) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            got = run(sys.argv[1], pathlib.Path(folder), opset, node, x, constants)
        good = got.shape == want.shape and np.allclose(got, want, 1e-5, 1e-6)
        wrong += not good
        print(f"{'ok    ' if good else 'WRONG '} {name}" + ("" if good else f"\n{got}\nnot\n{want}"))
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
