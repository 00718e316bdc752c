"""Channel pruning while training: masks by |BN gamma|, RAPID's online teacher, removal at the end.

RAPID prunes an untrained network in one stage: a dense teacher and a masked student start
from the same weights, see the same batches, and the student also learns from the teacher as
it is at that moment. The source gives no detail; the schedule (cubic, over the first 60 % of
the steps) and the ranking (global, by |gamma|, re-estimated so that channels can return) are
our reconstruction. The control is the usual train, prune at once, fine-tune.
"""
import copy

import torch

import distill
import trainer

RAMP = 0.6                          # share of the run over which channels are taken
ESTIMATES = 200                     # of the masks, evenly over the run
KEEP_AT_LEAST = 0.125               # of each layer's channels


class Place:
    """One prunable layer: a convolution, its batch norm, and the convolutions that read it."""

    def __init__(self, conv, norm, consumers):
        self.conv, self.norm, self.consumers = conv, norm, consumers
        self.mask = torch.ones(conv.out_channels)
        self.hook = norm.register_forward_hook(self.apply)

    def apply(self, norm, inputs, output):
        return output * self.mask.to(output.dtype).view(1, -1, 1, 1)

    def shrink(self):
        """Removes the masked channels for good. Before a ReLU, a masked channel is zero."""
        keep = self.mask.nonzero()[:, 0]
        self.hook.remove()
        self.conv.weight.data = self.conv.weight.data[keep].contiguous()
        self.conv.out_channels = self.norm.num_features = len(keep)
        for name in ("weight", "bias", "running_mean", "running_var"):
            getattr(self.norm, name).data = getattr(self.norm, name).data[keep]
        for consumer in self.consumers:
            consumer.weight.data = consumer.weight.data[:, keep].contiguous()
            consumer.in_channels = len(keep)


class Pruner:
    """The prunable layers of a network: those its modules name in `prunable()`."""

    def __init__(self, net):
        self.places = [Place(*place) for module in net.modules() if hasattr(module, "prunable")
                       for place in module.prunable()]
        if not self.places:
            raise SystemExit("this network names no prunable layers")

    def update(self, share):
        """Masks the `share` of channels with the smallest |gamma| over all layers together."""
        gammas = [place.norm.weight.detach().abs() for place in self.places]
        every = torch.cat(gammas).sort().values
        threshold = every[min(int(share * len(every)), len(every) - 1)]
        for place, gamma in zip(self.places, gammas):
            least = gamma.sort(descending=True).values[max(1, int(KEEP_AT_LEAST * len(gamma))) - 1]
            place.mask = (gamma >= torch.minimum(threshold, least)).float()

    def shrink(self):
        for place in self.places:
            place.shrink()

    def masks(self):
        return [place.mask for place in self.places]

    def restore(self, masks):
        for place, mask in zip(self.places, masks):
            place.mask = mask


def cubic(progress, target):
    """Share of channels to take at `progress` (0..1 of the run): fast first, then slower."""
    return target * (1 - max(0.0, 1 - progress / RAMP) ** 3)


def at_once(progress, target):
    return target if progress >= RAMP else 0.0


class PruneTrainer(trainer.Trainer):
    """Takes `target` of the prunable channels: RAPID, or train, prune and fine-tune."""

    def __init__(self, *parts, target, rapid, share=0.5, temperature=3.0):
        super().__init__(*parts)
        self.target, self.share, self.temperature = target, share, temperature
        self.schedule, self.taken = (cubic if rapid else at_once), 0.0
        self.teacher = copy.deepcopy(self.net) if rapid else None
        if rapid:
            self.teacher_optimiser = trainer.make_optimiser(self.teacher, self.recipe)
        self.pruner = Pruner(self.net)

    def optimisers(self):
        return [self.optimiser] + ([self.teacher_optimiser] if self.teacher else [])

    def step(self, number, batch):
        share = self.schedule(number / self.n_steps, self.target)
        interval = max(1, self.n_steps // ESTIMATES)
        if number % interval == 0 and (self.teacher or share > self.taken):
            self.pruner.update(share)
            self.taken = share
        return super().step(number, batch)

    def loss(self, x, labels, index):
        """With a teacher: trains it on the batch, then mixes its logits, exit by exit, in."""
        if not self.teacher:
            return super().loss(x, labels, index)
        hard = self.hard_loss(labels)
        advice = self.forward(self.teacher, x)
        trainer.descend(self.teacher_optimiser, self.joint(advice, [hard] * len(advice)))
        logits = self.forward(self.net, x)
        return self.joint(logits, [distill.mixed_loss(hard, a.detach(), self.share, self.temperature)
                                   for a in advice])

    def finish(self):
        self.pruner.shrink()

    def state(self):
        extra = {"masks": self.pruner.masks(), "taken": self.taken}
        if self.teacher:
            extra.update(teacher=self.teacher.state_dict(),
                         teacher_optimiser=self.teacher_optimiser.state_dict())
        return {**super().state(), **extra}

    def restore(self, saved):
        super().restore(saved)
        self.pruner.restore(saved["masks"])
        self.taken = saved["taken"]
        if self.teacher:
            self.teacher.load_state_dict(saved["teacher"])
            self.teacher_optimiser.load_state_dict(saved["teacher_optimiser"])
