"""Knowledge distillation (Hinton, 2015) from a teacher's logits, computed once and cached."""
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import data
import trainer


def teacher_logits(net, dataset, folder):
    """Final-exit logits of the training part, float32 [count, classes]: the mean over each
    image and its mirror image. Cached in the teacher's run folder."""
    path = Path(folder) / f"teacher-{len(dataset.train.labels)}.npy"
    if not path.exists():
        net.load_state_dict(torch.load(Path(folder) / "checkpoint.pt")["net"])
        part = dataset.train
        mirrored = data.Part(part.images[:, :, ::-1], part.labels)
        logits = sum(trainer.predict(net, dataset, p)[-1] for p in (part, mirrored)) / 2
        np.save(path, logits.numpy())
    return torch.from_numpy(np.load(path))


def distillation_loss(logits, teacher, temperature):
    """T^2 KL(teacher || student), mean over the batch."""
    t = temperature
    return t * t * F.kl_div(F.log_softmax(logits / t, dim=1), F.log_softmax(teacher / t, dim=1),
                            reduction="batchmean", log_target=True)


def mixed_loss(hard, teacher, share, temperature):
    """Of one exit: (1 - share) from the labels, `share` from the teacher."""
    return lambda z: (1 - share) * hard(z) + share * distillation_loss(z, teacher, temperature)


class DistilTrainer(trainer.Trainer):
    """Every exit learns from the labels and from the teacher's final exit."""

    def __init__(self, *parts, teacher, share=0.6, temperature=3.0):
        super().__init__(*parts)
        self.teacher, self.share, self.temperature = teacher, share, temperature

    def loss(self, x, labels, index):
        logits, advice = self.forward(self.net, x), self.teacher[torch.from_numpy(index)]
        loss = mixed_loss(self.hard_loss(labels), advice, self.share, self.temperature)
        return self.joint(logits, [loss] * len(logits))
