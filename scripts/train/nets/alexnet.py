"""B-AlexNet for 32x32 colour images, with the branch positions of BranchyNet's code.

Differences from the source, both free at run time: batch norm (folded into the convolutions
at load) in place of local response normalisation, and ReLU and pooling that branch and trunk
both start with are computed once, in the trunk. Branch 1 follows conv2, branch 2 conv3.
"""
from torch import nn

from .base import EarlyExitNet, conv, pooled_head


def pool():
    return nn.MaxPool2d(3, 2, ceil_mode=True)


def trunk():
    return [nn.Sequential(conv(3, 32, 5), pool()),                              # 32 x 16 x 16
            nn.Sequential(conv(32, 64, 5), pool()),                             # 64 x 8 x 8
            conv(64, 96),                                                       # 96 x 8 x 8
            nn.Sequential(conv(96, 96), conv(96, 64), pool(), nn.Flatten())]    # 64 x 4 x 4


def classifier():
    return nn.Sequential(nn.Linear(1024, 256), nn.ReLU(inplace=True), nn.Dropout(0.5),
                         nn.Linear(256, 128), nn.ReLU(inplace=True), nn.Dropout(0.5),
                         nn.Linear(128, 10))


def balexnet():
    """Convolutional branches as published."""
    branch1 = nn.Sequential(conv(64, 32), conv(32, 32), pool(), nn.Flatten(), nn.Linear(512, 10))
    branch2 = nn.Sequential(pool(), conv(96, 32), pool(), nn.Flatten(), nn.Linear(128, 10))
    return EarlyExitNet(trunk(), [None, branch1, branch2, classifier()],
                        ["branch1", "branch2", "final"])


def balexnet_linear():
    """Pooled linear heads after each of the first three convolutions."""
    return EarlyExitNet(trunk(), [pooled_head(32), pooled_head(64), pooled_head(96), classifier()],
                        ["exit1", "exit2", "exit3", "final"])


def balexnet_early():
    """A convolutional branch after conv1, where the paper's text has it: conv1 is 9 % of the
    network and conv2 46 %, so that an exit behind conv2 saves less than half. Linear heads
    further on."""
    branch = nn.Sequential(conv(32, 64, 3, 2), conv(64, 64), pool(), nn.Flatten(),
                           nn.Linear(1024, 10))
    return EarlyExitNet(trunk(), [branch, pooled_head(64), pooled_head(96), classifier()],
                        ["branch1", "exit2", "exit3", "final"])
