"""Training a ViT that does without some of its windows: every step keeps another number."""
import numpy as np

import trainer
from nets import vit

FEWEST = 6


class WindowTrainer(trainer.Trainer):
    """Each step keeps 6 to 16 of the windows, the likeliest objects or any (`random`)."""

    def __init__(self, *parts, random):
        super().__init__(*parts)
        self.random = random

    def step(self, number, batch):
        keep = int(np.random.default_rng([self.seed, number]).integers(FEWEST, vit.WINDOWS + 1))
        vit.set_windows(self.net, keep, self.random)
        return super().step(number, batch)

    def after_epoch(self):
        vit.set_windows(self.net, None)
