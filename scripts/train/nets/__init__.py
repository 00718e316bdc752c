"""The table of networks: name -> constructor, data set and recipe.

Names are those of the packages. A recipe's numbers are for one run of `train.py NAME`.
"""
import dataclasses
from typing import Callable

from . import alexnet, densenet, lenet, resnet, resnet9, resnext, slimcnn, squeezenet, vit


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a network is trained. Learning rates are peaks of a one-cycle schedule."""
    epochs: int
    batch: int = 128
    learning_rate: float = 0.1
    optimiser: str = "sgd"          # sgd (Nesterov, momentum 0.9) or adamw
    weight_decay: float = 5e-4
    norm_decay: float = 0.0         # weight decay of batch norm and biases
    smoothing: float = 0.1          # label smoothing
    shift: int = 4                  # random shift, pixels each way
    pad_mode: str = "reflect"       # what a shift brings in
    trunk_share: float = 0.5        # of the epochs: heads learn, but leave the trunk alone
    exit_weights: tuple = ()        # joint loss, in order of exit; empty: all 1
    low_res: int = 0                # image side during the first `low_res_share` of epochs
    low_res_share: float = 0.0
    bf16: bool = True               # forward and backward in bfloat16 (weights stay float32)


@dataclasses.dataclass(frozen=True)
class Entry:
    build: Callable
    data: str                       # fashion or cifar10
    recipe: Recipe


LENET = Recipe(epochs=40, learning_rate=0.004, optimiser="adamw", weight_decay=0.01,
               smoothing=0.02, shift=2, pad_mode="constant", trunk_share=0.4,
               exit_weights=(1.0, 1.0), bf16=False)
RESNET = Recipe(epochs=24, trunk_share=0.5, low_res=24, low_res_share=0.5)
BRANCHY = Recipe(epochs=18, learning_rate=0.05, smoothing=0.05, exit_weights=(0.5, 0.5, 1.0))


def cifar10(build, recipe, **changes):
    return Entry(build, "cifar10", dataclasses.replace(recipe, **changes))


NETWORKS = {
    "fashion-blenet": Entry(lenet.blenet, "fashion", LENET),
    "fashion-blenet-slim": Entry(lenet.blenet_slim, "fashion",
                                 dataclasses.replace(LENET, exit_weights=(1.0, 1.0, 1.0))),
    "fashion-bresnet8": Entry(resnet.bresnet8, "fashion", Recipe(
        epochs=12, shift=2, pad_mode="constant", trunk_share=0.4, exit_weights=(0.3, 0.5, 1.0))),
    "cifar10-balexnet": cifar10(alexnet.balexnet, BRANCHY),
    "cifar10-balexnet-linear": cifar10(alexnet.balexnet_linear, BRANCHY,
                                       exit_weights=(0.5, 0.5, 0.5, 1.0)),
    "cifar10-balexnet-early": cifar10(alexnet.balexnet_early, BRANCHY,
                                      exit_weights=(1.0, 0.5, 0.5, 1.0)),
    "cifar10-resnet9": cifar10(resnet9.resnet9, RESNET, epochs=20,
                               exit_weights=(0.2, 0.2, 0.4, 0.6, 1.0)),
    "cifar10-bresnet20": cifar10(resnet.bresnet20, RESNET,
                                 exit_weights=(0.3, 0.3, 0.5, 0.7, 1.0)),
    "cifar10-bresnet20-conv": cifar10(resnet.bresnet20_conv, RESNET, low_res_share=0.0,
                                      exit_weights=(0.3, 0.5, 1.0)),
    "cifar10-bsqueezenet": cifar10(squeezenet.bsqueezenet, RESNET,
                                   exit_weights=(0.3, 0.5, 0.7, 1.0)),
    "cifar10-bslimcnn": cifar10(slimcnn.bslimcnn, RESNET,
                                exit_weights=(0.3, 0.5, 1.0)),
    "cifar10-bresnext20": cifar10(resnext.bresnext20, RESNET, epochs=20,
                                  exit_weights=(0.3, 0.3, 0.6, 1.0)),
    "cifar10-bdensenet": cifar10(densenet.bdensenet, RESNET,
                                 exit_weights=(0.3, 0.6, 1.0)),
    "cifar10-bvit": cifar10(vit.bvit, Recipe(
        epochs=20, learning_rate=1e-3, optimiser="adamw", weight_decay=0.05, trunk_share=0.6,
        exit_weights=(0.3, 0.6, 1.0))),
}
