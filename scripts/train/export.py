"""From a trained network to a model package, and reference outputs for the engine's tests."""
import copy
import json
from pathlib import Path

import numpy as np
import onnx
import torch

import trainer
from nets.base import fold_standardisation

OPSET = 17
INPUT = "image"


def sample_input(dataset, count):
    """`count` preprocessed test images, spread over the whole test part."""
    index = np.linspace(0, len(dataset.test.labels) - 1, count).astype(int)
    return dataset.normalise(dataset.test.images[index]).contiguous()


def write_onnx(net, x, path):
    """One graph, one output of logits per exit, batch dimension N."""
    net = fold_standardisation(copy.deepcopy(net)).eval()
    net.to(memory_format=torch.contiguous_format)
    axes = {name: {0: "N"} for name in [INPUT, *net.exit_names]}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(net, x, str(path), opset_version=OPSET, input_names=[INPUT],
                      output_names=net.exit_names, dynamic_axes=axes)
    onnx.checker.check_model(onnx.load(str(path)), full_check=True)


def model_json(net, dataset):
    """The package's description: how an image becomes the input tensor, which outputs are exits."""
    height, width, channels = dataset.test.images.shape[1:]
    return {"input": {"tensor": INPUT, "width": width, "height": height,
                      "colour": "gray" if channels == 1 else "rgb",
                      "fit": "stretch", "filter": "bilinear",
                      "scale": 1 / 255, "mean": dataset.mean, "std": dataset.std},
            "exits": [{"tensor": n, "name": n, "kind": "logits"} for n in net.exit_names],
            "max_batch": 32, "default_max_loss": 0.005}


def write_json(path, value):
    Path(path).write_text(json.dumps(value, indent=2) + "\n")


def write_package(net, dataset, folder):
    folder = Path(folder)
    write_onnx(net, sample_input(dataset, 2), folder / "1" / "model.onnx")
    write_json(folder / "model.json", model_json(net, dataset))
    (folder / "labels.txt").write_text("\n".join(dataset.labels) + "\n")


@torch.no_grad()
def write_reference(net, dataset, folder, count=16):
    """input.npy and one <exit>.npy each, as torch computes them in eval mode."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    x = sample_input(dataset, count)
    np.save(folder / "input.npy", x.numpy())
    for name, logits in zip(net.exit_names, net.eval()(x)):
        np.save(folder / f"{name}.npy", logits.numpy())


def test_accuracy(net, dataset):
    """Accuracy on the test part per exit: {name: share}."""
    shares = trainer.accuracy(trainer.predict(net, dataset, dataset.test), dataset.test.labels)
    return dict(zip(net.exit_names, shares))
