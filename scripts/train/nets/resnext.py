"""B-ResNeXt-20 4x8d (Xie, CVPR 2017, bottlenecks with 4 groups) with early exits."""
from torch import nn

from .base import EarlyExitNet, conv, final_head, pooled_head


class Bottleneck(nn.Module):
    """1x1 to `width`, grouped 3x3, 1x1 to `c_out`; projected skip where the shape changes."""

    def __init__(self, c_in, c_out, width, groups, stride):
        super().__init__()
        self.body = nn.Sequential(conv(c_in, width, 1), conv(width, width, 3, stride, groups=groups),
                                  nn.Conv2d(width, c_out, 1, bias=False), nn.BatchNorm2d(c_out))
        self.skip = nn.Identity()
        if stride != 1 or c_in != c_out:
            self.skip = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False),
                                      nn.BatchNorm2d(c_out))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.body(x) + self.skip(x))


def bresnext20(groups=4, base=8):
    """Three stages of two bottlenecks, widths doubling; exits after blocks 1, 2 and 4 of 6."""
    width = groups * base
    blocks = [conv(3, 64)]
    for k in range(3):
        c_in, c_out, w = (64 if k == 0 else 32 << k), 64 << k, width << k
        blocks += [Bottleneck(c_in, c_out, w, groups, 1 if k == 0 else 2),
                   Bottleneck(c_out, c_out, w, groups, 1)]
    segments = [blocks[0:2], blocks[2:3], blocks[3:5], blocks[5:]]
    heads = [pooled_head(64), pooled_head(64), pooled_head(128), final_head(256)]
    return EarlyExitNet([nn.Sequential(*s) for s in segments], heads,
                        ["exit1", "exit2", "exit3", "final"])
