"""Exits on a finished trunk: only the early heads learn (SDN's IC-only training)."""
import torch

import trainer


def trunk_of(state):
    """The entries of a network's state that are its segments' and its final head's, in order."""
    final = max(int(key.split(".")[1]) for key in state if key.startswith("heads."))
    return [key for key in state if key.startswith(("segments.", f"heads.{final}."))]


def trunk_state(run_folder, net):
    """A finished run's segments and final head by the names they have in `net`, which may cut
    the same trunk at other places."""
    saved, own = torch.load(run_folder / "checkpoint.pt")["net"], net.state_dict()
    pairs = list(zip(trunk_of(own), trunk_of(saved)))
    if len(trunk_of(own)) != len(trunk_of(saved)) or any(
            own[key].shape != saved[other].shape for key, other in pairs):
        raise SystemExit(f"{run_folder}: not the same trunk")
    return {key: saved[other] for key, other in pairs}


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
