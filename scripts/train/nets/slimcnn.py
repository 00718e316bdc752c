"""Slim-CNN (Sharma and Foroosh, 2019) cut down for 32x32 images, with early exits."""
import torch
from torch import nn

from .base import EarlyExitNet, conv, final_head, pooled_head


def depthwise(channels):
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)


def pointwise(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 1, bias=False), nn.BatchNorm2d(c_out),
                         nn.ReLU(inplace=True))


class Sse(nn.Module):
    """Separable squeeze-expand: 1x1 to f, then a 1x1 and a separable 3x3 to 4f each: 8f out."""

    def __init__(self, c_in, f):
        super().__init__()
        self.squeeze, self.one = conv(c_in, f, 1), pointwise(f, 4 * f)
        self.three = nn.Sequential(depthwise(f), pointwise(f, 4 * f))

    def forward(self, x):
        x = self.squeeze(x)
        return torch.cat([self.one(x), self.three(x)], dim=1)


class Slim(nn.Module):
    """Two SSE blocks, the first with a 1x1 skip, then a separable 3x3 down to 3f channels."""

    def __init__(self, c_in, f):
        super().__init__()
        self.first, self.skip, self.second = Sse(c_in, f), pointwise(c_in, 8 * f), Sse(8 * f, f)
        self.out = nn.Sequential(depthwise(8 * f), pointwise(8 * f, 3 * f))

    def forward(self, x):
        return self.out(self.second(self.first(x) + self.skip(x)))


def bslimcnn(widths=(12, 20, 28), stem=32):
    """Stem and pool to 16x16, then slim modules; a pooled linear exit after each but the last."""
    c0, c1, c2 = (3 * f for f in widths)
    segments = [nn.Sequential(conv(3, stem), nn.MaxPool2d(2), Slim(stem, widths[0])),
                nn.Sequential(nn.MaxPool2d(2), Slim(c0, widths[1])),
                nn.Sequential(Slim(c1, widths[2]))]
    heads = [pooled_head(c0), pooled_head(c1), final_head(c2)]
    return EarlyExitNet(segments, heads, ["exit1", "exit2", "final"])
