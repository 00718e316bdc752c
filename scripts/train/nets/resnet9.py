"""ResNet-9 in the style of the fast CIFAR-10 trainers (Page's DAWNBench net, airbench)."""
from torch import nn

from .base import EarlyExitNet, conv, final_head, pooled_head


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(conv(channels, channels), conv(channels, channels))

    def prunable(self):
        """(convolution, its batch norm, convolutions that read it): see pruning.py."""
        return [(self.body[0][0], self.body[0][1], [self.body[1][0]])]

    def forward(self, x):
        return x + self.body(x)


def resnet9(width=32):
    """Widths w, 2w, 4w, 8w; pooled linear exits after each of the first four groups."""
    w = width
    segments = [nn.Sequential(conv(3, w), conv(w, 2 * w), nn.MaxPool2d(2)),         # 2w x 16 x 16
                Residual(2 * w),
                nn.Sequential(conv(2 * w, 4 * w), nn.MaxPool2d(2)),                 # 4w x 8 x 8
                nn.Sequential(conv(4 * w, 8 * w), nn.MaxPool2d(2)),                 # 8w x 4 x 4
                Residual(8 * w)]
    heads = [pooled_head(2 * w), pooled_head(2 * w), pooled_head(4 * w), pooled_head(8 * w),
             final_head(8 * w)]
    return EarlyExitNet(segments, heads, ["exit1", "exit2", "exit3", "exit4", "final"])
