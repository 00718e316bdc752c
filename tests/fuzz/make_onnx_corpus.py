#!/usr/bin/env python3
"""Write the seeds of the ONNX fuzz target: small sound models, and broken ones.

Usage: make_onnx_corpus.py FOLDER      (needs python3-onnx; the output is deterministic)
"""
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def constant(name, values, dtype=np.float32):
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def model(nodes, constants=(), shape=("N", 3, 8, 8), opset=13, outputs=("y",)):
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", FLOAT, shape)],
        [helper.make_tensor_value_info(o, FLOAT, None) for o in outputs], list(constants))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def node(op, inputs, outputs="y", **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def weights(*shape):
    count = int(np.prod(shape))
    return (np.arange(count, dtype=np.float32).reshape(shape) - count / 2) / count


def sound():
    bn = [constant(n, np.ones(4)) for n in ("s", "b", "m", "v")]
    yield "conv_bn_relu", model(
        [node("Conv", "x w", "c", pads=[1, 1, 1, 1]),
         node("BatchNormalization", "c s b m v", "n"), node("Relu", "n")],
        [constant("w", weights(4, 3, 3, 3))] + bn)
    yield "residual", model(
        [node("Conv", "x w", "c", pads=[1, 1, 1, 1]), node("Add", "c x", "a"), node("Relu", "a")],
        [constant("w", weights(3, 3, 3, 3))])
    yield "flatten_gemm", model(
        [node("MaxPool", "x", "p", kernel_shape=[2, 2], strides=[2, 2]), node("Flatten", "p", "f"),
         node("Gemm", "f w b", "g", transB=1), node("Softmax", "g")],
        [constant("w", weights(5, 48)), constant("b", weights(5))])
    yield "shape_computation", model(
        [node("Shape", "x", "s"), node("Gather", "s i", "n"), node("Unsqueeze", "n a", "u"),
         node("Concat", "u m", "t", axis=0), node("Reshape", "x t")],
        [constant("i", 0, np.int64), constant("a", [0], np.int64), constant("m", [-1], np.int64)])
    yield "slices", model(
        [node("Slice", "x s e a t", "c"), node("Pad", "c p", "d", mode="reflect"),
         node("Transpose", "d", "f", perm=[0, 2, 3, 1]), node("ReduceMean", "f", "y", axes=[1, 2])],
        [constant("s", [7, 0], np.int64), constant("e", [-99, 6], np.int64),
         constant("a", [2, 3], np.int64), constant("t", [-1, 2], np.int64),
         constant("p", [0, 0, 1, 1, 0, 0, 1, 1], np.int64)])
    yield "pooling_and_resizing", model(
        [node("AveragePool", "x", "p", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1,
              count_include_pad=1, pads=[1, 1, 1, 1]), node("Resize", "p  s", "r", mode="linear"),
         node("LRN", "r", "l", size=3), node("GlobalAveragePool", "l")],
        [constant("s", [1, 1, 2, 1.5])])
    yield "folding", model(
        [node("Constant", "", "k", value=constant("t", weights(3, 1, 1))),
         node("Mul", "k k", "kk"), node("Softmax", "kk", "so", axis=0), node("TopK", "so n", "v i", axis=0),
         node("Cast", "i", "f", to=FLOAT), node("Expand", "v sh", "ex"), node("Tile", "ex rep", "ti"),
         node("Where", "c ti f", "w"), node("Range", "r0 r1 r2", "ra"), node("Cast", "ra", "rf", to=FLOAT),
         node("Add", "x w", "a"), node("Add", "a rf")],
        [constant("n", [3], np.int64), constant("sh", [3, 1, 2], np.int64), constant("c", True, bool),
         constant("rep", [1, 1, 4], np.int64), constant("r0", 0, np.int64),
         constant("r1", 8, np.int64), constant("r2", 1, np.int64)])
    yield "constant_convolution", model(
        [node("Conv", "k w", "c", auto_pad="SAME_UPPER"), node("MatMul", "c c", "m"),
         node("DepthToSpace", "m", "d", blocksize=1), node("ArgMax", "d", "am", axis=3),
         node("Cast", "am", "f", to=FLOAT), node("Add", "x f")],
        [constant("k", weights(1, 3, 8, 8)), constant("w", weights(3, 1, 3, 3))])
    yield "old_forms", model(
        [node("Clip", "x", "c", min=-1.0, max=1.0), node("Split", "c", "a b d", axis=1),
         node("Sum", "a b d", "s"), node("Squeeze", "s", "q", axes=[1]), node("Unsqueeze", "q", "u", axes=[0]),
         node("Dropout", "u", "dr"), node("LogSoftmax", "dr", "y", axis=2)], opset=9)
    yield "attention", model(
        [node("MatMul", "x w", "qkv"), node("Reshape", "qkv heads", "h"),
         node("Transpose", "h", "t", perm=[2, 0, 3, 1, 4]), node("Split", "t", "q5 k5 v5", axis=0),
         node("Squeeze", "q5 first", "q"), node("Gather", "t one", "k", axis=0), node("Squeeze", "v5 first", "v"),
         node("Transpose", "k", "kt", perm=[0, 1, 3, 2]), node("MatMul", "q kt", "s"), node("Mul", "s scale", "f"),
         node("Softmax", "f", "p", axis=-1), node("MatMul", "p v", "o"), node("Transpose", "o", "turned", perm=[0, 2, 1, 3]),
         node("Reshape", "turned tokens", "j"), node("Slice", "j from to axis step", "c"), node("Add", "c x")],
        [constant("w", weights(4, 12)), constant("heads", [1, 5, 3, 2, 2], np.int64), constant("first", [0], np.int64),
         constant("one", 1, np.int64), constant("scale", 0.5), constant("tokens", [0, -1, 4], np.int64),
         constant("from", [0], np.int64), constant("to", [9], np.int64), constant("axis", [1], np.int64),
         constant("step", [1], np.int64)], (1, 5, 4))
    yield "attention_of_moved", model(
        [node("Transpose", "x", "t", perm=[0, 1, 3, 2]), node("Attention", "x t t", "a", scale=0.5),
         node("Attention", "t x a", "b"), node("Reshape", "b s", "r"), node("Transpose", "r", "u"),
         node("Slice", "u from to axis step")],
        [constant("s", [8, 2, 3, 2, 2], np.int64), constant("from", [1], np.int64), constant("to", [9], np.int64),
         constant("axis", [2], np.int64), constant("step", [2], np.int64)])
    yield "instance_and_layer_norm", model(
        [node("InstanceNormalization", "x s b", "i"), node("LayerNormalization", "i g", "l", axis=-1),
         node("PRelu", "l p", "r"), node("SpaceToDepth", "r", "y", blocksize=2)],
        [constant("s", np.ones(3)), constant("b", np.zeros(3)), constant("g", np.ones(8)),
         constant("p", np.full((3, 1, 1), 0.1))], opset=17)


def claims(dims, raw=b"", dtype=FLOAT):
    """A tensor whose shape promises what its bytes do not hold."""
    return TensorProto(name="w", data_type=dtype, dims=dims, raw_data=raw)


def nested(depth):
    """Subgraphs inside subgraphs, to overrun a recursive parser."""
    graph = helper.make_graph([], "g", [], [])
    for _ in range(depth):
        inner = onnx.GraphProto()
        inner.node.add().attribute.add().g.CopyFrom(graph)
        graph = inner
    m = onnx.ModelProto(ir_version=8, graph=graph)
    m.opset_import.add(version=13)
    return m.SerializeToString()


def broken():
    good = dict(sound())["conv_bn_relu"].SerializeToString()
    for cut in (1, 10, 60, len(good) // 2, len(good) - 1):
        yield f"cut_{cut}", good[:cut]
    yield "empty", b""
    yield "cycle", model([node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "a")])
    yield "self_loop", model([node("Add", "x y")])
    yield "produced_twice", model([node("Relu", "x"), node("Abs", "x")])
    yield "produced_input", model([node("Abs", "w", "x"), node("Relu", "x")], [constant("w", [1.0])])
    yield "unknown_attribute", model([node("Relu", "x", slope=0.1)])
    yield "attribute_type", model([node("Softmax", "x", axis=1.0)])
    twice = node("Softmax", "x", axis=1)
    twice.attribute.append(helper.make_attribute("axis", 2))
    yield "attribute_twice", model([twice])
    yield "missing_initialiser", model([node("Conv", "x w")])
    yield "unknown_operator", model([node("Frobnicate", "x")])
    yield "too_few_inputs", model([node("Conv", "x")])
    yield "opset_99", model([node("Relu", "x")], opset=99)
    yield "huge_claim", model([node("Add", "x w")], [claims([1 << 29])])
    yield "overflowing_dims", model([node("Add", "x w")], [claims([1 << 31, 1 << 31, 1 << 31, 4])])
    yield "negative_dim", model([node("Add", "x w")], [claims([-1], b"\0\0\0\0")])
    yield "nine_dims", model([node("Add", "x w")], [claims([1] * 9, b"\0\0\0\0")])
    yield "strings", model([node("Add", "x w")], [claims([1], b"", TensorProto.STRING)])
    yield "input_dims", model([node("Relu", "x")], shape=(1 << 40, 1 << 40, 3))
    yield "expand_bomb", model(
        [node("Expand", "w s", "e"), node("Add", "x e")],
        [constant("w", [1.0]), constant("s", [60000, 60000], np.int64)])
    yield "work_bomb", model(
        [node("ConstantOfShape", "s", "k"), node("MatMul", "k k", "m"), node("Add", "x m")],
        [constant("s", [2000, 2000], np.int64)])
    yield "empty_axes", model(
        [node("ConstantOfShape", "s", "k"), node("Concat", "k k", "c", axis=2), node("Softmax", "c", "so"),
         node("ReduceMax", "so", "r"), node("Add", "x r")],
        [constant("s", [1 << 30, 1 << 30, 0], np.int64)])
    yield "kernel_0", model([node("MaxPool", "x", kernel_shape=[0, 3])])
    yield "pads_huge", model([node("MaxPool", "x", kernel_shape=[3, 3], pads=[1 << 60] * 4)])
    yield "group_3_of_4", model([node("Conv", "x w", group=3)], [constant("w", weights(4, 1, 3, 3))])
    yield "reshape_huge", model([node("Reshape", "x s")], [constant("s", [1 << 62, 1 << 62], np.int64)])
    yield "slice_extremes", model(
        [node("Slice", "x s e a t")],
        [constant("s", [-2 ** 63], np.int64), constant("e", [2 ** 63 - 1], np.int64),
         constant("a", [3], np.int64), constant("t", [-2 ** 63], np.int64)])
    yield "pad_extremes", model(
        [node("Pad", "x p")], [constant("p", [2 ** 63 - 1] * 4 + [-2 ** 63] * 4, np.int64)])
    yield "gather_outside", model(
        [node("Gather", "w i", "g"), node("Add", "x g")],
        [constant("w", weights(8)), constant("i", [2 ** 40, -2 ** 40], np.int64)])
    yield "subgraph", model([helper.make_node("If", ["x"], ["y"], then_branch=helper.make_graph([], "t", [], []))])
    yield "nested_subgraphs", nested(60)
    external = claims([1])
    external.external_data.add(key="location", value="weights.bin")
    external.data_location = TensorProto.EXTERNAL
    yield "external_data", model([node("Add", "x w")], [external])


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in [*sound(), *broken()]:
        bytes_of = data if isinstance(data, bytes) else data.SerializeToString()
        (folder / f"{name}.onnx").write_bytes(bytes_of)


if __name__ == "__main__":
    main()
