"""A network with early exits, and the building blocks the networks share."""
import torch
from torch import nn


class EarlyExitNet(nn.Module):
    """A trunk of segments; after segment k, head k (if any) gives the logits of an exit.

    `heads[k]` may be None: no exit there. The last head is the final classifier.
    `forward` returns the logits of every exit, in order; `forward_detached` the same, but
    there the early heads learn from the trunk without changing it.
    """

    def __init__(self, segments, heads, names):
        super().__init__()
        assert len(segments) == len(heads) and heads[-1] is not None
        assert sum(h is not None for h in heads) == len(names)
        self.segments = nn.ModuleList(segments)
        self.heads = nn.ModuleDict({str(k): h for k, h in enumerate(heads) if h is not None})
        self.exit_names = list(names)

    def forward(self, x):
        logits = []
        for k, segment in enumerate(self.segments):
            x = segment(x)
            if str(k) in self.heads:
                logits.append(self.heads[str(k)](x))
        return logits

    def forward_detached(self, x):
        logits, last = [], len(self.segments) - 1
        for k, segment in enumerate(self.segments):
            x = segment(x)
            if str(k) in self.heads:
                logits.append(self.heads[str(k)](x if k == last else x.detach()))
        return logits

    def plain(self):
        """The same trunk and final classifier without its branches (parameters shared)."""
        last = len(self.segments) - 1
        heads = [None] * last + [self.heads[str(last)]]
        return EarlyExitNet(list(self.segments), heads, self.exit_names[-1:])


def conv(c_in, c_out, size=3, stride=1, pad=None, groups=1):
    """Convolution, batch norm, ReLU. Padding keeps the size unless given."""
    pad = size // 2 if pad is None else pad
    return nn.Sequential(nn.Conv2d(c_in, c_out, size, stride, pad, groups=groups, bias=False),
                         nn.BatchNorm2d(c_out), nn.ReLU(inplace=True))


class Standardise(nn.BatchNorm1d):
    """Batch norm of pooled features; starts small, as hundreds of correlated features at unit
    variance make the linear layer behind them unstable at the trunk's learning rate.
    Folded into that layer when exported."""

    def reset_parameters(self):
        super().reset_parameters()
        nn.init.constant_(self.weight, 0.25)


def pooled_head(channels, grid=4, classes=10):
    """Average-pool to grid x grid, then linear: the cheap exit of SDN (Kaya, ICML 2019)."""
    features = channels * grid * grid
    return nn.Sequential(nn.AdaptiveAvgPool2d(grid), nn.Flatten(),
                         Standardise(features), nn.Linear(features, classes))


@torch.no_grad()
def fold_standardisation(net):
    """Replaces each Standardise, in place, by changing the linear layer after it."""
    for module in net.modules():
        if not isinstance(module, nn.Sequential):
            continue
        for norm, linear in zip(list(module), list(module)[1:]):
            if isinstance(norm, Standardise):
                scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
                linear.bias += linear.weight @ (norm.bias - norm.running_mean * scale)
                linear.weight *= scale
                module[list(module).index(norm)] = nn.Identity()
    return net


def final_head(channels, classes=10):
    """Global average pool and linear."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def count_parameters(net):
    return sum(p.numel() for p in net.parameters())


def initialise(net, seed):
    """Every parameter from `seed`; convolutions after Kaiming (fan out, ReLU)."""
    torch.manual_seed(seed)
    for module in net.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
