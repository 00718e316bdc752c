"""B-SqueezeNet for 32x32 images: fire modules (Iandola, 2016) with batch norm, three exits."""
import torch
from torch import nn

from .base import EarlyExitNet, conv, pooled_head


class Fire(nn.Module):
    """1x1 squeeze to s channels, then 1x1 and 3x3 expansions to e each, side by side."""

    def __init__(self, c_in, s, e):
        super().__init__()
        self.squeeze, self.one, self.three = conv(c_in, s, 1), conv(s, e, 1), conv(s, e, 3)

    def forward(self, x):
        x = self.squeeze(x)
        return torch.cat([self.one(x), self.three(x)], dim=1)


def bsqueezenet():
    segments = [nn.Sequential(conv(3, 64), nn.MaxPool2d(2), Fire(64, 16, 64),
                              Fire(128, 16, 64)),                               # 128 x 16 x 16
                nn.Sequential(Fire(128, 32, 128), nn.MaxPool2d(2),
                              Fire(256, 32, 128)),                              # 256 x 8 x 8
                nn.Sequential(Fire(256, 48, 192), Fire(384, 48, 192),
                              nn.MaxPool2d(2)),                                 # 384 x 4 x 4
                nn.Sequential(Fire(384, 64, 256), Fire(512, 64, 256))]          # 512 x 4 x 4
    final = nn.Sequential(nn.Dropout(0.2), nn.Conv2d(512, 10, 1),
                          nn.AdaptiveAvgPool2d(1), nn.Flatten())
    heads = [pooled_head(128), pooled_head(256), pooled_head(384), final]
    return EarlyExitNet(segments, heads, ["exit1", "exit2", "exit3", "final"])
