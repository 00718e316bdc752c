"""B-LeNet, as in BranchyNet's code (Teerapittayanon, ICPR 2016), for 28x28 gray images.

ReLU and max-pooling that branch and trunk both start with are computed once, in the trunk;
the function is the same. Pooling rounds up, as Chainer's does.
"""
from torch import nn

from .base import EarlyExitNet


def pool():
    return nn.MaxPool2d(2, ceil_mode=True)


def layer(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 5, padding=3), pool(), nn.ReLU())


def tail():
    return nn.Sequential(layer(10, 20), nn.Flatten(), nn.Linear(720, 84))       # 20 x 6 x 6


def blenet():
    """The published network: a convolutional branch after the first pooling."""
    branch = nn.Sequential(nn.Conv2d(5, 10, 3, padding=1), pool(), nn.ReLU(),       # 10 x 8 x 8
                           nn.Flatten(), nn.Linear(640, 10))
    return EarlyExitNet([layer(1, 5), nn.Sequential(layer(5, 10), tail())],
                        [branch, nn.Linear(84, 10)], ["branch1", "final"])


def slim_head(features):
    """One small hidden layer on the flattened map."""
    return nn.Sequential(nn.Flatten(), nn.Linear(features, 32), nn.ReLU(), nn.Linear(32, 10))


def blenet_slim():
    """The same trunk with slim heads on the first two pooled maps (5 x 15 x 15, 10 x 9 x 9):
    36 k and 26 k MACs where the convolutional branch costs 108 k, so that two are affordable."""
    heads = [slim_head(5 * 15 * 15), slim_head(10 * 9 * 9), nn.Linear(84, 10)]
    return EarlyExitNet([layer(1, 5), layer(5, 10), tail()], heads, ["exit1", "exit2", "final"])
