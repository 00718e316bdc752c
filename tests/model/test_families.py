#!/usr/bin/env python3
"""Small networks of every family CNNs come from, with random weights and two exits each,
and the small ones of scripts/bench/networks whole: exported by torch, evaluated by torch,
then checked by engine_check. Every kind of step a plan is made of must be among theirs, so
that none runs unchecked.

test_families.py ENGINE_CHECK [NAME...]. Exit status 77 (skipped) without torch.
"""
import importlib.machinery
import importlib.util
import pathlib
import re
import subprocess
import sys
import tempfile

try:
    import numpy
    import torch
    from torch import nn
    import torch.nn.functional as F
except ImportError:
    sys.exit(77)

BENCH = pathlib.Path(__file__).resolve().parents[2] / "scripts/bench"
WHOLE = ["lenet", "resnet20"]
ROWS = 5
TOLERANCE = "1e-5"


def seq(*layers):
    return nn.Sequential(*layers)


def conv(i, o, k=3, s=1, p=None, **kw):
    return nn.Conv2d(i, o, k, s, k // 2 if p is None else p, **kw)


def conv_bn(i, o, k=3, s=1, act=nn.ReLU, **kw):
    return seq(conv(i, o, k, s, bias=False, **kw), nn.BatchNorm2d(o), *([act()] if act else []))


def head(channels, classes=10):
    return seq(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


class Exits(nn.Module):
    """Trunk segments with a head after each; returns every head's logits."""

    def __init__(self, *pairs):
        super().__init__()
        self.trunk = nn.ModuleList(p[0] for p in pairs)
        self.heads = nn.ModuleList(p[1] for p in pairs)

    def forward(self, x):
        answers = []
        for trunk, branch in zip(self.trunk, self.heads):
            x = trunk(x)
            answers.append(branch(x))
        return tuple(answers)


class Residual(nn.Module):
    def __init__(self, i, o, stride=1, groups=1):
        super().__init__()
        self.body = seq(conv_bn(i, o, 3, stride), conv_bn(o, o, 3, act=None, groups=groups))
        self.skip = conv_bn(i, o, 1, stride, act=None) if stride > 1 or i != o else nn.Identity()

    def forward(self, x):
        return F.relu(self.body(x) + self.skip(x))


class PreActivation(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.body = seq(nn.BatchNorm2d(c), nn.ReLU(), conv(c, c, bias=False),
                        nn.BatchNorm2d(c), nn.ReLU(), conv(c, c))

    def forward(self, x):
        return x + self.body(x)


class Fire(nn.Module):
    def __init__(self, i, squeeze, expand):
        super().__init__()
        self.squeeze = conv(i, squeeze, 1)
        self.one, self.three = conv(squeeze, expand, 1), conv(squeeze, expand, 3)

    def forward(self, x):
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.one(x)), F.relu(self.three(x))], 1)


class Dense(nn.Module):
    """DenseNet's block: every layer reads all features before it."""

    def __init__(self, c, growth, n):
        super().__init__()
        self.layers = nn.ModuleList(
            seq(nn.BatchNorm2d(c + i * growth), nn.ReLU(), conv(c + i * growth, 4 * growth, 1, bias=False),
                nn.BatchNorm2d(4 * growth), nn.ReLU(), conv(4 * growth, growth, bias=False))
            for i in range(n))

    def forward(self, x):
        features = [x]
        for layer in self.layers:
            features.append(layer(torch.cat(features, 1)))
        return torch.cat(features, 1)


class Inception(nn.Module):
    """Four ways, with channel counts that are no multiple of any block."""

    def __init__(self, i):
        super().__init__()
        self.ways = nn.ModuleList([conv_bn(i, 5, 1), seq(conv_bn(i, 7, 1), conv_bn(7, 11, 3)),
                                   seq(conv_bn(i, 3, 1), conv_bn(3, 6, 5)),
                                   seq(nn.MaxPool2d(3, 1, 1), conv_bn(i, 2, 1))])

    def forward(self, x):
        return torch.cat([way(x) for way in self.ways], 1)


class Reduction(nn.Module):
    """BN-Inception's module of stride 2: two ways and pooling."""

    def __init__(self, i):
        super().__init__()
        self.ways = nn.ModuleList([seq(conv_bn(i, 6, 1), conv_bn(6, 10, 3, 2)),
                                   seq(conv_bn(i, 4, 1), conv_bn(4, 7, 3), conv_bn(7, 7, 3, 2)),
                                   nn.MaxPool2d(3, 2, 1)])

    def forward(self, x):
        return torch.cat([way(x) for way in self.ways], 1)


class Inverted(nn.Module):
    """MobileNetV2's block, with squeeze-and-excitation when asked."""

    def __init__(self, i, o, stride, expand, act, excite=False):
        super().__init__()
        c = i * expand
        self.same = stride == 1 and i == o
        self.up = seq(conv_bn(i, c, 1, act=act), conv_bn(c, c, 3, stride, act=act, groups=c))
        self.excite = seq(nn.AdaptiveAvgPool2d(1), conv(c, 8, 1), nn.ReLU(), conv(8, c, 1),
                          nn.Hardsigmoid()) if excite else None
        self.down = conv_bn(c, o, 1, act=None)

    def forward(self, x):
        y = self.up(x)
        if self.excite is not None:
            y = y * self.excite(y)
        y = self.down(y)
        return x + y if self.same else y


class Shuffle(nn.Module):
    """ShuffleNetV2's unit: split, transform half, concatenate, shuffle."""

    def __init__(self, c):
        super().__init__()
        half = c // 2
        self.way = seq(conv_bn(half, half, 1), conv_bn(half, half, 3, act=None, groups=half),
                       conv_bn(half, half, 1))

    def forward(self, x):
        a, b = x.chunk(2, 1)
        y = torch.cat([a, self.way(b)], 1)
        n, c, h, w = y.shape
        return y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class Rearranged(nn.Module):
    """Channels split anywhere, turned round, shuffled in groups and joined: some are used by a
    convolution, some by nothing but the next join, the answer is read in another layout."""

    def __init__(self, c, groups):
        super().__init__()
        self.groups, self.first = groups, c // 3
        self.way = conv_bn(c - c // 3, c - c // 3)

    def forward(self, x):
        a, b = x.split([self.first, x.shape[1] - self.first], 1)
        y = torch.cat([self.way(b), a.flip(1)], 1)
        n, c, h, w = y.shape
        y = y.view(n, self.groups, c // self.groups, h, w).transpose(1, 2).reshape(n, c, h, w)
        return F.relu(torch.cat([y[:, ::2], y[:, 1::2]], 1)) + x


class Attention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads, self.norm1, self.norm2 = heads, nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.mlp = seq(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(n, t, 3, self.heads, d // self.heads) \
            .permute(2, 0, 3, 1, 4).unbind(0)
        a = torch.softmax(q @ k.transpose(-2, -1) * (d // self.heads) ** -0.5, -1)
        x = x + self.out((a @ v).transpose(1, 2).reshape(n, t, d))
        return x + self.mlp(self.norm2(x))


class Mixing(nn.Module):
    """Products of computed matrices without a softmax, of which one's right operand is turned round,
    and parts taken in any order of what was turned."""

    def __init__(self, d, heads):
        super().__init__()
        self.heads, self.norm, self.qkv = heads, nn.LayerNorm(d), nn.Linear(d, 3 * d)

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(n, t, self.heads, 3, d // self.heads).permute(3, 0, 2, 1, 4).unbind(0)
        y = (q @ k.transpose(-2, -1) / t) @ v
        y = torch.cat([y[:, :, 1::2], y[:, :, ::2]], 2)
        return x + y.permute(0, 2, 3, 1).reshape(n, t, d)


class Patches(nn.Module):
    def __init__(self, d, size):
        super().__init__()
        self.cut = nn.Conv2d(3, d, 4, 4)
        self.position = nn.Parameter(torch.randn(1, (size // 4) ** 2, d))

    def forward(self, x):
        return self.cut(x).flatten(2).transpose(1, 2) + self.position


class TokenHead(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.norm, self.fc = nn.LayerNorm(d), nn.Linear(d, 10)

    def forward(self, x):
        return self.fc(self.norm(x).mean(1))


class ReadOn(nn.Module):
    """The first answer, whose numbers lie apart among others, is read by the second stage, too."""

    def __init__(self, d, size):
        super().__init__()
        self.patches, self.mix, self.more = Patches(d, size), Attention(d, 2), nn.Linear(d, d)
        self.heads = nn.ModuleList([nn.Identity(), TokenHead(d)])

    def forward(self, x):
        x = self.patches(x)
        answer = x[:, :, -1]
        return answer, self.heads[1](self.mix(x + self.more(answer).unsqueeze(1)))


class Normalise(torch.autograd.Function):
    """Local response norm, which this exporter would otherwise spell out."""

    @staticmethod
    def forward(ctx, x, size, alpha, beta, bias):
        return F.local_response_norm(x, size, alpha, beta, bias)

    @staticmethod
    def symbolic(g, x, size, alpha, beta, bias):
        return g.op("LRN", x, size_i=size, alpha_f=alpha, beta_f=beta, bias_f=bias)


class LRN(nn.Module):
    def __init__(self, size, alpha=1e-4, beta=0.75, bias=1.0):
        super().__init__()
        self.numbers = size, alpha, beta, bias

    def forward(self, x):
        return Normalise.apply(x, *self.numbers)


def lenet():
    return Exits((seq(conv(1, 5, 5, p=3), nn.MaxPool2d(2), nn.ReLU()),
                  seq(conv(5, 10), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(490, 10))),
                 (seq(conv(5, 10, 5, p=3), nn.MaxPool2d(2, ceil_mode=True), nn.ReLU(), nn.Flatten()),
                  seq(nn.Linear(810, 84), nn.Tanh(), nn.Linear(84, 10)))), (1, 28, 28)


def alexnet():
    return Exits((seq(conv(3, 24, 11, 4, 2), nn.ReLU(), LRN(5, 1e-2, 0.75, 2.0),
                      nn.MaxPool2d(3, 2)), head(24)),
                 (seq(conv(24, 64, 5, groups=2), nn.ReLU(), LRN(5),
                      nn.MaxPool2d(3, 2), conv(64, 96), nn.ReLU(), nn.Flatten()),
                  seq(nn.Dropout(), nn.Linear(864, 128), nn.ReLU(), nn.Linear(128, 10)))), (3, 67, 67)


def vgg():
    return Exits((seq(conv(3, 16), nn.ReLU(), conv(16, 16), nn.ReLU(), nn.MaxPool2d(2)), head(16)),
                 (seq(conv(16, 40), nn.ReLU(), nn.MaxPool2d(2)), head(40))), (3, 20, 24)


def resnet():
    return Exits((seq(conv_bn(3, 16), Residual(16, 16), Residual(16, 32, 2)), head(32)),
                 (seq(Residual(32, 32), Residual(32, 64, 2)), head(64))), (3, 32, 32)


def resnext():
    return Exits((seq(conv_bn(3, 32), Residual(32, 32, groups=8)), head(32)),
                 (seq(Residual(32, 64, 2, groups=4)), head(64))), (3, 16, 16)


def preactivation():
    return Exits((seq(conv(3, 16), PreActivation(16), PreActivation(16)), head(16)),
                 (seq(nn.BatchNorm2d(16), nn.ReLU(), conv(16, 24, 3, 2), nn.BatchNorm2d(24),
                      nn.LeakyReLU(0.1)), head(24))), (3, 16, 16)


def squeezenet():
    return Exits((seq(conv(3, 16, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True),
                      Fire(16, 8, 16)), head(32)),
                 (seq(Fire(32, 12, 24), nn.MaxPool2d(3, 2, ceil_mode=True), conv(48, 10, 1), nn.ReLU()),
                  seq(nn.AdaptiveAvgPool2d(1), nn.Flatten()))), (3, 33, 33)


def densenet():
    return Exits((seq(conv_bn(3, 16), Dense(16, 8, 3)), head(40)),
                 (seq(conv_bn(40, 32, 1), nn.AvgPool2d(2), Dense(32, 16, 3), nn.BatchNorm2d(80),
                      nn.ReLU()), head(80))), (3, 16, 16)


def inception():
    return Exits((seq(conv_bn(3, 12), Inception(12)), head(24)),
                 (seq(nn.AvgPool2d(3, 2, 1, count_include_pad=False), Inception(24), Inception(24)),
                  head(24))), (3, 17, 17)


def inception2():
    return Exits((seq(conv_bn(3, 12), Inception(12), Reduction(24)), head(41)),
                 (seq(Inception(41), nn.AvgPool2d(3, 1, 1), Reduction(24)), head(41))), (3, 21, 21)


def mobilenet2():
    return Exits((seq(conv_bn(3, 16, 3, 2, act=nn.ReLU6), Inverted(16, 16, 1, 2, nn.ReLU6)), head(16)),
                 (seq(Inverted(16, 24, 2, 3, nn.ReLU6), Inverted(24, 24, 1, 3, nn.ReLU6)), head(24))), (3, 32, 32)


def mobilenet3():
    return Exits((seq(conv_bn(3, 16, 3, 2, act=nn.Hardswish),
                      Inverted(16, 16, 1, 2, nn.Hardswish, excite=True)), head(16)),
                 (seq(Inverted(16, 20, 2, 3, nn.ReLU, excite=True)), head(20))), (3, 32, 32)


def shufflenet():
    return Exits((seq(conv_bn(3, 20, 3, 2), Shuffle(20)), head(20)),
                 (seq(Shuffle(20), conv_bn(20, 32, 1), Shuffle(32), conv_bn(32, 33, 1)), head(33))), (3, 24, 24)


def rearranged():
    return Exits((seq(conv_bn(3, 24), Rearranged(24, 4), Rearranged(24, 3)),
                  seq(nn.Flatten(2), nn.Flatten(), nn.Linear(24 * 80, 10))),
                 (seq(Rearranged(24, 2), conv_bn(24, 48), Rearranged(48, 3)), head(48))), (3, 8, 10)


def dilated():
    return Exits((seq(conv(2, 9, 3, p=2, dilation=2), nn.Sigmoid(), nn.Conv2d(9, 13, (1, 7), padding=(0, 3)),
                      nn.Conv2d(13, 13, (5, 1), stride=(2, 1)), nn.ELU()), head(13)),
                 (seq(nn.ZeroPad2d((1, 0, 2, 1)), conv(13, 6, 2, p=0), nn.Softplus()), head(6))), (2, 19, 23)


def vit():
    return Exits((seq(Patches(32, 16), Attention(32, 4)), TokenHead(32)),
                 (seq(Attention(32, 4)), TokenHead(32))), (3, 16, 16)


def mixer():
    return Exits((seq(Patches(24, 16), Mixing(24, 3)), TokenHead(24)),
                 (seq(Attention(24, 2), Mixing(24, 4)), TokenHead(24))), (3, 16, 16)


def read_on():
    return ReadOn(16, 16), (3, 16, 16)


FAMILIES = [lenet, alexnet, vgg, resnet, resnext, preactivation, squeezenet, densenet, inception,
            inception2, mobilenet2, mobilenet3, shufflenet, rearranged,
            dilated, vit, mixer, read_on]


def sensible(net):
    """Statistics as after training: BN neither trivial nor degenerate."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.7, 1.3)
            nn.init.normal_(module.bias, 0, 0.2)
    return net.eval()


def two_exits(make):
    """The network of a family, pictures for it and the names of its answers."""
    torch.manual_seed(1)
    net, shape = make()
    return sensible(net), torch.randn(ROWS, *shape), [f"exit{k}" for k in range(len(net.heads))]


def whole(name):
    """The same of a network of scripts/bench/networks."""
    sys.path.insert(0, str(BENCH))
    loader = importlib.machinery.SourceFileLoader("networks", str(BENCH / "networks"))
    networks = importlib.util.module_from_spec(importlib.util.spec_from_loader("networks", loader))
    loader.exec_module(networks)
    net, pictures = networks.made(name)
    return net, pictures[:ROWS], ["logits"]


def check(name, case, tool, folder, kinds):
    net, x, names = case
    path, data = folder / f"{name}.onnx", folder / name
    torch.onnx.export(net, x[:1], str(path), opset_version=13, input_names=["input"], output_names=names)
    with torch.no_grad():
        answers = net(x)
    data.mkdir()
    numpy.save(data / "input.npy", x.numpy())
    for output, answer in zip(names, answers if isinstance(answers, tuple) else [answers]):
        numpy.save(data / f"{output}.npy", answer.numpy())
    done = subprocess.run([tool, path, data, TOLERANCE, *names], check=False, text=True, stdout=subprocess.PIPE)
    print(re.sub("(?m)^steps:.*\n", "", done.stdout), end="", flush=True)
    for line in re.findall("(?m)^steps:(.*)", done.stdout):
        kinds.update(line.split())
    return done.returncode == 0


def unchecked(kinds):
    """Kinds of step that no network had. Views, channel lists and transposed operands make no steps."""
    text = (BENCH.parents[1] / "engine/exec/family.h").read_text()
    families = set(re.findall(r"^ +X\((\w+)\)", text, re.M))
    return (families | {"reorder", "gather"}) - {"view", "channels", "transposed"} - kinds


def main():
    tool, wanted = sys.argv[1], sys.argv[2:]
    torch.set_num_threads(1)
    cases = {make.__name__: lambda make=make: two_exits(make) for make in FAMILIES}
    cases.update({f"whole_{name}": lambda name=name: whole(name) for name in WHOLE})
    kinds = set()
    with tempfile.TemporaryDirectory() as folder:
        bad = [name for name, case in cases.items() if (not wanted or name in wanted)
               and not check(name, case(), tool, pathlib.Path(folder), kinds)]
    if not wanted and unchecked(kinds):
        bad.append("no network has steps of kind " + ", ".join(sorted(unchecked(kinds))))
    print("failed: " + ", ".join(bad) if bad else "all networks agree with torch")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
