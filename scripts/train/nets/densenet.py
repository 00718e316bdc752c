"""B-DenseNet-BC (Huang, CVPR 2017), small: strided stem, three dense blocks, early exits."""
import torch
from torch import nn

from .base import EarlyExitNet, final_head, pooled_head


def norm_relu(channels):
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


class Layer(nn.Module):
    """BN-ReLU-1x1 to 4k, BN-ReLU-3x3 to k; the k new maps are appended to the input."""

    def __init__(self, c_in, growth):
        super().__init__()
        self.body = nn.Sequential(norm_relu(c_in), nn.Conv2d(c_in, 4 * growth, 1, bias=False),
                                  norm_relu(4 * growth),
                                  nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False))

    def forward(self, x):
        return torch.cat([x, self.body(x)], dim=1)


def dense_block(c_in, growth, n):
    return nn.Sequential(*[Layer(c_in + i * growth, growth) for i in range(n)])


def transition(c_in, c_out):
    return nn.Sequential(norm_relu(c_in), nn.Conv2d(c_in, c_out, 1, bias=False),
                         nn.AvgPool2d(2, count_include_pad=False))


def bdensenet(depth=28, growth=12):
    """(depth - 4) / 6 layers a block at 16x16, 8x8 and 4x4; an exit after each transition."""
    n, c0 = (depth - 4) // 6, 2 * growth
    end = [0, 0, 0]
    start = c0
    segments = [nn.Conv2d(3, c0, 3, 2, 1, bias=False)]
    for k in range(3):
        end[k] = start + n * growth
        block = dense_block(start, growth, n)
        start = end[k] // 2
        tail = norm_relu(end[k]) if k == 2 else transition(end[k], start)
        segments.append(nn.Sequential(block, tail))
    segments[:2] = [nn.Sequential(segments[0], segments[1])]
    heads = [pooled_head(end[0] // 2), pooled_head(end[1] // 2), final_head(end[2])]
    return EarlyExitNet(segments, heads, ["exit1", "exit2", "final"])
