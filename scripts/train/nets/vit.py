"""A tiny vision transformer for 32x32 images with a convolutional stem and early exits, and
objectness-based window selection: an in-graph stage that drops the emptiest windows' tokens
before the encoder (after Sharma and Foroosh, "Object-Aware ViT"; the scoring is ours, in the
manner of BING's normed gradients).

Tokens are 8x8 patches of 4x4 pixels, ordered window by window: 16 windows of 2x2 patches.
"""
import torch
import torch.nn.functional as F
from torch import nn

from .base import EarlyExitNet, conv

WINDOWS = 16                        # 4 x 4 of them
PATCHES = 4                         # in a window


class Norm(nn.LayerNorm):
    """Layer norm in float32, whatever the rest is computed in."""

    def forward(self, x):
        return super().forward(x.float())


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.dim, self.heads, self.size = dim, heads, dim // heads
        self.tokens = WINDOWS * PATCHES                     # fixed, so that exported shapes are
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def split(self, x):
        return x.reshape(-1, self.tokens, self.heads, self.size).transpose(1, 2)

    def forward(self, x):
        q, k, v = (self.split(part) for part in self.qkv(x).split(self.dim, dim=-1))
        weights = torch.softmax((q @ k.transpose(-2, -1)) * self.size ** -0.5, dim=-1)
        mixed = (weights @ v).transpose(1, 2)
        return self.out(mixed.reshape(-1, self.tokens, self.dim))


class Block(nn.Module):
    """Pre-norm attention and a two-layer ReLU perceptron, each with a skip."""

    def __init__(self, dim, heads, hidden):
        super().__init__()
        self.norm1, self.attention = Norm(dim), Attention(dim, heads)
        self.norm2 = Norm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, dim))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Objectness(nn.Module):
    """Scores every window of an image: mean gradient magnitude, plus how much its mean colour
    differs from the whole image's. Nothing is learned and no class is known."""

    def __init__(self):
        super().__init__()
        sobel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
        self.register_buffer("filters", torch.stack([sobel, sobel.t()])[:, None].repeat(1, 3, 1, 1) / 3)

    def forward(self, image):
        """[N, 3, 32, 32] -> [N, 16], higher is likelier an object."""
        gradient = F.conv2d(image, self.filters, padding=1).abs().mean(1, keepdim=True)
        colour = F.avg_pool2d(image, 8, count_include_pad=False)
        contrast = (colour - F.adaptive_avg_pool2d(image, 1)).abs().mean(1, keepdim=True)
        gradient = F.avg_pool2d(gradient, 8, count_include_pad=False)
        return (gradient + contrast).flatten(1)


class Stem(nn.Module):
    """Image to tokens [N, 64, dim]; with `keep`, only the tokens of that many windows.

    The rows of the best windows are picked by a product with a 0/1 matrix, which every
    runtime has and costs next to nothing at this size.
    """

    def __init__(self, dim):
        super().__init__()
        self.dim, self.keep, self.random = dim, None, False
        self.body = nn.Sequential(conv(3, dim // 2, 3, 2), conv(dim // 2, dim, 3, 2))
        self.position = nn.Parameter(0.02 * torch.randn(1, WINDOWS, PATCHES * dim))
        self.objectness = Objectness()
        self.register_buffer("window", torch.arange(WINDOWS).view(1, 1, WINDOWS))

    def reset_parameters(self):
        nn.init.normal_(self.position, std=0.02)

    def select(self, image, windows):
        score = self.objectness(image)
        if self.random:                                     # the control: any windows will do
            score = torch.rand_like(score)
        best = score.topk(self.keep, dim=1).indices.unsqueeze(-1)
        return (best == self.window).to(windows.dtype) @ windows

    def forward(self, image):
        x = self.body(image).reshape(-1, self.dim, 4, 2, 4, 2).permute(0, 2, 4, 3, 5, 1)
        x = x.reshape(-1, WINDOWS, PATCHES * self.dim) + self.position
        if self.keep is not None:
            x = self.select(image, x)
        return x.reshape(-1, (self.keep or WINDOWS) * PATCHES, self.dim)


class TokenHead(nn.Module):
    """Mean over the tokens, layer norm, linear."""

    def __init__(self, dim, classes=10):
        super().__init__()
        self.norm, self.linear = Norm(dim), nn.Linear(dim, classes)

    def forward(self, x):
        return self.linear(self.norm(x.mean(1)))


def bvit(dim=128, heads=4, hidden=256):
    """Four blocks; exits after two and three of them."""
    blocks = [Block(dim, heads, hidden) for _ in range(4)]
    segments = [nn.Sequential(Stem(dim), *blocks[:2]), blocks[2], blocks[3]]
    return EarlyExitNet(segments, [TokenHead(dim) for _ in range(3)], ["exit1", "exit2", "final"])


def set_windows(net, keep, random=False):
    """Lets `net` keep only `keep` of its 16 windows, by objectness or at random."""
    stem = net.segments[0][0]
    stem.keep, stem.random = keep, random
    for module in net.modules():
        if isinstance(module, Attention):
            module.tokens = (keep or WINDOWS) * PATCHES
    return net
