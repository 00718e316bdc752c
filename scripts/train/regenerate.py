"""Channel regeneration (AAAI 2023, Algorithm 1): batch-norm gammas that faded are raised again."""
import torch
from torch import nn

import trainer

DEAD = 0.01                         # |gamma| below which a channel counts as dead


def gammas(net):
    return [m.weight for m in net.modules() if isinstance(m, nn.BatchNorm2d)]


def dead_channels(net):
    """(dead, all) channels of the batch norms of `net`."""
    values = torch.cat([g.detach().abs() for g in gammas(net)])
    return int((values < DEAD).sum()), len(values)


@torch.no_grad()
def regenerate(net):
    """Sets every gamma whose magnitude is under the median of all of them to that median."""
    median = torch.cat([g.abs() for g in gammas(net)]).median()
    for g in gammas(net):
        g[g.abs() < median] = median


class RegenerateTrainer(trainer.Trainer):
    """Regenerates after the epochs at these shares of the run."""

    def __init__(self, *parts, at=(0.4, 0.7)):
        super().__init__(*parts)
        self.epochs_at = {round(share * self.recipe.epochs) for share in at}

    def after_epoch(self):
        if self.epoch in self.epochs_at:
            print(f"regenerating; dead channels: {dead_channels(self.net)}", flush=True)
            regenerate(self.net)
