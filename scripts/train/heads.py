"""Exits on a finished trunk: only the early heads learn (SDN's IC-only training)."""
import torch

import trainer


def trunk_state(run_folder, net):
    """Of a finished run's network, what `net` shares with it: segments and final head."""
    saved = torch.load(run_folder / "checkpoint.pt")["net"]
    final = f"heads.{len(net.segments) - 1}."
    return {key: value for key, value in saved.items() if key.startswith(("segments.", final))}


class HeadTrainer(trainer.Trainer):
    """Freezes trunk and final head, batch statistics included, at `trunk`'s values."""

    def __init__(self, *parts, trunk):
        super().__init__(*parts)
        self.start_from(trunk)
        for key, value in self.net.named_parameters():
            value.requires_grad = key not in trunk

    def train_mode(self):
        final = str(len(self.net.segments) - 1)
        self.net.train()
        self.net.segments.eval()
        self.net.heads[final].eval()
