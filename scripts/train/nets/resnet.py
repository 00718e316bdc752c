"""ResNets for CIFAR (He, CVPR 2016: depth 6n+2, widths 16, 32, 64) with early exits."""
from torch import nn

from .base import EarlyExitNet, conv, final_head, pooled_head


class Block(nn.Module):
    """Basic residual block; a strided 1x1 projection where the shape changes."""

    def __init__(self, c_in, c_out, stride=1):
        super().__init__()
        self.body = nn.Sequential(conv(c_in, c_out, 3, stride),
                                  nn.Conv2d(c_out, c_out, 3, padding=1, bias=False),
                                  nn.BatchNorm2d(c_out))
        self.skip = nn.Identity()
        if stride != 1 or c_in != c_out:
            self.skip = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False),
                                      nn.BatchNorm2d(c_out))
        self.relu = nn.ReLU(inplace=True)

    def prunable(self):
        """(convolution, its batch norm, convolutions that read it): see pruning.py."""
        return [(self.body[0][0], self.body[0][1], [self.body[1]])]

    def forward(self, x):
        return self.relu(self.body(x) + self.skip(x))


def stage(c_in, c_out, n, stride):
    return [Block(c_in, c_out, stride)] + [Block(c_out, c_out) for _ in range(n - 1)]


def blocks(n, c_in=3):
    """The stem and the 3n residual blocks of ResNet-(6n+2), in order."""
    return [conv(c_in, 16)] + stage(16, 16, n, 1) + stage(16, 32, n, 2) + stage(32, 64, n, 2)


def bresnet20():
    """ResNet-20 with pooled linear exits after blocks 2, 4, 6 and 7 of 9."""
    parts = blocks(3)
    segments = [parts[0:3], parts[3:5], parts[5:7], parts[7:8], parts[8:]]
    heads = [pooled_head(16), pooled_head(32), pooled_head(32), pooled_head(64), final_head(64)]
    return EarlyExitNet([nn.Sequential(*s) for s in segments], heads,
                        ["exit1", "exit2", "exit3", "exit4", "final"])


def conv_branch(c_in, c_mid, size):
    """BranchyNet's kind of branch: convolutions at pooled resolution, then linear."""
    return nn.Sequential(nn.MaxPool2d(2), conv(c_in, c_mid), conv(c_mid, c_mid),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(c_mid * size * size, 10))


def bresnet_conv(n):
    """ResNet-(6n+2) with convolutional branches after the stem and after the first stage,
    where BranchyNet's B-ResNet-110 has them (pooled first: its own cost a fifth of the net)."""
    parts = blocks(n)
    segments = [parts[:1], parts[1:n + 1], parts[n + 1:]]
    heads = [conv_branch(16, 32, 8), conv_branch(16, 32, 8), final_head(64)]
    return EarlyExitNet([nn.Sequential(*s) for s in segments], heads,
                        ["branch1", "branch2", "final"])


def bresnet20_conv():
    return bresnet_conv(3)


def bresnet110_conv():
    """BranchyNet's depth: some 25 times the work of a training run of the others, so timed only."""
    return bresnet_conv(18)


def bresnet8(c_in=1):
    """ResNet-8 with a pooled linear exit after each of the first two blocks: small, for trials."""
    parts = blocks(1, c_in)
    segments = [parts[0:2], parts[2:3], parts[3:]]
    return EarlyExitNet([nn.Sequential(*s) for s in segments],
                        [pooled_head(16, 7), pooled_head(32, 7), final_head(64)],
                        ["exit1", "exit2", "final"])
