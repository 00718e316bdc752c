"""The training loop: one-cycle schedule, trunk then joint, a checkpoint after every epoch."""
import csv
import dataclasses
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import data
from nets.base import count_parameters, initialise

WARM_UP = 0.2                       # share of the steps in which the learning rate rises
REPORT_EVERY_S = 15


@torch.no_grad()
def predict(net, dataset, part, batch=250):
    """Logits of every exit, float32 [exits, count, classes], in eval mode."""
    net.eval()
    chunks = []
    for start in range(0, len(part.labels), batch):
        x = dataset.normalise(part.images[start:start + batch])
        chunks.append(torch.stack(net(x)))
    return torch.cat(chunks, dim=1)


def accuracy(logits, labels):
    """Share of right answers per exit."""
    right = logits.argmax(-1).numpy() == labels[None]
    return right.mean(axis=1).tolist()


def one_cycle(step, n_steps):
    """Rises linearly to 1 over WARM_UP of the run, then falls along a half cosine to 0."""
    peak = WARM_UP * n_steps
    if step < peak:
        return (step + 1) / peak
    return 0.5 * (1 + math.cos(math.pi * (step - peak) / (n_steps - peak)))


def make_optimiser(net, recipe):
    """Weight decay on matrices and filters; `norm_decay` on vectors (batch norm, biases)."""
    decayed = [p for p in net.parameters() if p.ndim > 1]
    free = [p for p in net.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay},
              {"params": free, "weight_decay": recipe.norm_decay}]
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate)
    return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=0.9, nesterov=True)


def mean_state(folders):
    """The mean of the weights that runs of one network ended with. Runs of which one began where
    the other ended lie in one valley of the loss, and their mean deeper (P. Izmailov et al.,
    "Averaging Weights Leads to Wider Optima and Better Generalization", UAI 2018)."""
    states = [torch.load(folder / "checkpoint.pt")["net"] for folder in folders]
    return {key: torch.stack([s[key].double() for s in states]).mean(0).to(value.dtype)
            for key, value in states[0].items()}


def descend(optimiser, loss):
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


class Trainer:
    """Trains one network in `folder`, where it keeps its checkpoint and its CSV log."""

    def __init__(self, net, dataset, recipe, folder, seed):
        self.net, self.dataset, self.recipe = net, dataset, recipe
        self.folder, self.seed, self.epoch = Path(folder), seed, 0
        self.folder.mkdir(parents=True, exist_ok=True)
        self.initialise()
        net.to(memory_format=torch.channels_last)
        self.optimiser = make_optimiser(net, recipe)
        self.weights = recipe.exit_weights or (1.0,) * len(net.exit_names)
        self.batches = data.Batches(dataset.train, recipe.batch, recipe.shift, True,
                                    recipe.pad_mode, seed)
        self.n_steps = recipe.epochs * len(self.batches)

    def initialise(self):
        initialise(self.net, self.seed)

    def start_from(self, trunk):
        """Takes over the parameters that another network shares with this one."""
        assert not self.net.load_state_dict(trunk, strict=False).unexpected_keys

    # --- one step

    def prepare(self, images):
        x = self.dataset.normalise(images)
        if self.epoch < self.recipe.low_res_share * self.recipe.epochs:
            side = self.recipe.low_res
            x = F.interpolate(x, size=(side, side), mode="bilinear", antialias=True,
                              align_corners=False)
        return x.contiguous(memory_format=torch.channels_last)

    def trunk_only(self):
        return self.epoch < self.recipe.trunk_share * self.recipe.epochs

    def forward(self, net, x):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bf16):
            logits = net.forward_detached(x) if self.trunk_only() else net(x)
        return [z.float() for z in logits]

    def joint(self, logits, losses):
        """BranchyNet's joint loss: the weighted sum over exits of `losses[k](logits[k])`."""
        weights = (1.0,) * len(logits) if self.trunk_only() else self.weights
        return sum(w * loss(z) for w, loss, z in zip(weights, losses, logits))

    def hard_loss(self, labels):
        """The loss of one exit's logits against the labels."""
        target = torch.from_numpy(labels)
        return lambda z: F.cross_entropy(z, target, label_smoothing=self.recipe.smoothing)

    def loss(self, x, labels, index):
        """The loss of one batch; `index` says which training images these are."""
        logits = self.forward(self.net, x)
        return self.joint(logits, [self.hard_loss(labels)] * len(logits))

    def optimisers(self):
        return [self.optimiser]

    def step(self, number, batch):
        """One update; returns the loss."""
        rate = self.recipe.learning_rate * one_cycle(number, self.n_steps)
        for group in (g for o in self.optimisers() for g in o.param_groups):
            group["lr"] = rate
        images, labels, index = batch
        loss = self.loss(self.prepare(images), labels, index)
        descend(self.optimiser, loss)
        return loss.item()

    # --- the run

    def run(self):
        self.resume()
        print(f"{count_parameters(self.net)} parameters, {len(self.batches)} steps an epoch, "
              f"epochs {self.epoch + 1}..{self.recipe.epochs}", flush=True)
        while self.epoch < self.recipe.epochs:
            self.one_epoch()
        self.finish()

    def finish(self):
        """For training methods that change the network once it is trained."""

    def one_epoch(self):
        started = time.time()
        torch.manual_seed(self.seed * 1000 + self.epoch)            # dropout
        loss = self.run_epoch()
        self.epoch += 1
        self.after_epoch()
        self.record(loss, time.time() - started)
        self.save()

    def after_epoch(self):
        """For training methods that act between epochs."""

    def train_mode(self):
        self.net.train()

    def run_epoch(self):
        self.train_mode()
        first, started, reported, losses = self.epoch * len(self.batches), time.time(), 0.0, []
        for i, batch in enumerate(self.batches.epoch(self.epoch)):
            losses.append(self.step(first + i, batch))
            spent = time.time() - started
            if spent - reported >= REPORT_EVERY_S:
                reported = spent
                left = spent / (i + 1) * (self.n_steps - first - i - 1)
                print(f"epoch {self.epoch + 1}/{self.recipe.epochs} step {i + 1}/{len(self.batches)} "
                      f"loss {np.mean(losses[-50:]):.3f} ETA {left / 60:.0f} min", flush=True)
        return float(np.mean(losses))

    def record(self, loss, seconds):
        """Appends one line to log.csv: accuracies are on the calibration part."""
        part = self.dataset.calibration
        shares = accuracy(predict(self.net, self.dataset, part), part.labels)
        rate = self.optimiser.param_groups[0]["lr"]
        print(f"epoch {self.epoch}: loss {loss:.4f}, {seconds:.0f} s, held out "
              + " ".join(f"{n} {a:.4f}" for n, a in zip(self.net.exit_names, shares)), flush=True)
        path = self.folder / "log.csv"
        new = not path.exists()
        with open(path, "a", newline="") as out:
            writer = csv.writer(out, lineterminator="\n")
            if new:
                writer.writerow(["epoch", "seconds", "rate", "loss", *self.net.exit_names])
            writer.writerow([self.epoch, f"{seconds:.1f}", f"{rate:.6f}", f"{loss:.5f}",
                             *(f"{a:.4f}" for a in shares)])

    # --- checkpoints

    def checkpoint_path(self):
        return self.folder / "checkpoint.pt"

    def state(self):
        return {"net": self.net.state_dict(), "optimiser": self.optimiser.state_dict()}

    def restore(self, saved):
        self.net.load_state_dict(saved["net"])
        self.optimiser.load_state_dict(saved["optimiser"])

    def identity(self):
        """What a checkpoint must share with the run that resumes it."""
        return {"seed": self.seed, "recipe": dataclasses.asdict(self.recipe)}

    def save(self):
        """Written beside and renamed, so that a kill leaves the previous checkpoint whole."""
        partial = self.checkpoint_path().with_suffix(".partial")
        torch.save({"epoch": self.epoch, **self.identity(), **self.state()}, partial)
        partial.replace(self.checkpoint_path())

    def resume(self):
        if not self.checkpoint_path().exists():
            return
        saved = torch.load(self.checkpoint_path())
        if {key: saved[key] for key in self.identity()} != self.identity():
            raise SystemExit(f"{self.folder}: checkpoint of another recipe or seed; remove it or use --run")
        self.restore(saved)
        self.epoch = saved["epoch"]
