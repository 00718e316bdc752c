"""An ONNX classifier as a torch module whose parameters are the file's weights.

For fine-tuning a graph that exists only as ONNX, such as one whose layers were decomposed:
the graph stays as it is, only the numbers in it change. Knows the operators of convolutional
classifiers; anything else is refused by name.
"""
import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import nn


def attributes(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def symmetric_pads(node, at):
    """[top, left, bottom, right] -> (vertical, horizontal); torch pads both sides alike."""
    top, left, bottom, right = at.get("pads", [0, 0, 0, 0])
    if top != bottom or left != right or at.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise ValueError(f"node '{node.name}': pads differ from side to side")
    return top, left


def run_conv(node, at, x, weight, bias=None):
    return F.conv2d(x, weight, bias, at.get("strides", [1, 1]), symmetric_pads(node, at),
                    at.get("dilations", [1, 1]), at.get("group", 1))


def run_gemm(node, at, a, b, c=None):
    a = a.t() if at.get("transA") else a
    b = b.t() if at.get("transB") else b
    y = at.get("alpha", 1.0) * (a @ b)
    return y if c is None else y + at.get("beta", 1.0) * c


def run_max_pool(node, at, x):
    return F.max_pool2d(x, at["kernel_shape"], at.get("strides"), symmetric_pads(node, at),
                        ceil_mode=bool(at.get("ceil_mode", 0)))


def run_average_pool(node, at, x):
    return F.avg_pool2d(x, at["kernel_shape"], at.get("strides"), symmetric_pads(node, at),
                        ceil_mode=bool(at.get("ceil_mode", 0)),
                        count_include_pad=bool(at.get("count_include_pad", 0)))


OPERATORS = {
    "Conv": run_conv, "Gemm": run_gemm, "MaxPool": run_max_pool, "AveragePool": run_average_pool,
    "MatMul": lambda node, at, a, b: a @ b,
    "Relu": lambda node, at, x: F.relu(x),
    "Add": lambda node, at, a, b: a + b,
    "Mul": lambda node, at, a, b: a * b,
    "Concat": lambda node, at, *xs: torch.cat(xs, dim=at["axis"]),
    "Flatten": lambda node, at, x: x.flatten(at.get("axis", 1)),
    "GlobalAveragePool": lambda node, at, x: x.mean((2, 3), keepdim=True),
    "Identity": lambda node, at, x: x,
    "Dropout": lambda node, at, x, *ignored: x,
}


class OnnxNet(nn.Module):
    """Returns the logits of every output, in order. Batch norms run on their stored statistics."""

    def __init__(self, path):
        super().__init__()
        self.model = onnx.load(str(path))
        self.exit_names = [output.name for output in self.model.graph.output]
        self.check()
        self.weights = nn.ParameterDict()
        self.order = []                                     # initialiser names; dots are no keys
        for tensor in self.model.graph.initializer:
            self.weights[str(len(self.order))] = nn.Parameter(torch.from_numpy(
                numpy_helper.to_array(tensor).copy()))
            self.order.append(tensor.name)

    def check(self):
        for node in self.model.graph.node:
            if node.op_type not in OPERATORS and node.op_type != "BatchNormalization":
                raise ValueError(f"node '{node.name}': operator {node.op_type} is not known here")

    def forward(self, image):
        values = {name: self.weights[str(i)] for i, name in enumerate(self.order)}
        values[self.model.graph.input[0].name] = image
        for node in self.model.graph.node:
            inputs = [values[name] for name in node.input if name]
            values[node.output[0]] = self.run(node, inputs)
        return [values[name] for name in self.exit_names]

    forward_detached = forward                              # a given graph is trained whole

    def run(self, node, inputs):
        at = attributes(node)
        if node.op_type == "BatchNormalization":
            x, scale, shift, mean, variance = inputs
            return F.batch_norm(x, mean.detach(), variance.detach(), scale, shift,
                                eps=at.get("epsilon", 1e-5))
        return OPERATORS[node.op_type](node, at, *inputs)

    def save(self, path):
        """Writes the same graph with the weights as they are now."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        for i, tensor in enumerate(model.graph.initializer):
            value = self.weights[str(i)].detach().numpy()
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(value), tensor.name))
        onnx.checker.check_model(model)
        onnx.save(model, str(path))
