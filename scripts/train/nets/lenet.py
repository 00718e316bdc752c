"""B-LeNet, as in BranchyNet's code (Teerapittayanon, ICPR 2016), for 28x28 gray images.

ReLU and max-pooling that branch and trunk both start with are computed once, in the trunk;
the function is the same. Pooling rounds up, as Chainer's does.
"""
from torch import nn

from .base import EarlyExitNet


def pool():
    return nn.MaxPool2d(2, ceil_mode=True)


def trunk():
    stem = nn.Sequential(nn.Conv2d(1, 5, 5, padding=3), pool(), nn.ReLU())          # 5 x 15 x 15
    rest = nn.Sequential(nn.Conv2d(5, 10, 5, padding=3), pool(), nn.ReLU(),         # 10 x 9 x 9
                         nn.Conv2d(10, 20, 5, padding=3), pool(), nn.ReLU(),        # 20 x 6 x 6
                         nn.Flatten(), nn.Linear(720, 84))
    return [stem, rest]


def blenet():
    """The published network: a convolutional branch after the first pooling."""
    branch = nn.Sequential(nn.Conv2d(5, 10, 3, padding=1), pool(), nn.ReLU(),       # 10 x 8 x 8
                           nn.Flatten(), nn.Linear(640, 10))
    return EarlyExitNet(trunk(), [branch, nn.Linear(84, 10)], ["branch1", "final"])


def blenet_slim():
    """The same trunk with a linear head on the first pooled map: 11 k instead of 108 k MACs."""
    branch = nn.Sequential(nn.Flatten(), nn.Linear(5 * 15 * 15, 10))
    return EarlyExitNet(trunk(), [branch, nn.Linear(84, 10)], ["branch1", "final"])
