"""Curves of a run as a picture."""
import csv

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def curves(log_path, png_path, title):
    """Plots the loss and every exit's held-out accuracy over epochs from a log.csv."""
    with open(log_path, newline="") as log:
        rows = list(csv.DictReader(log))
    epochs = [int(row["epoch"]) for row in rows]
    exits = [name for name in rows[0] if name not in ("epoch", "seconds", "rate", "loss")]
    figure, left = plt.subplots(figsize=(7, 4), constrained_layout=True)
    for name in exits:
        left.plot(epochs, [float(row[name]) for row in rows], label=name)
    left.set(xlabel="epoch", ylabel="accuracy, held-out images", title=title)
    left.legend(loc="lower right")
    right = left.twinx()
    right.plot(epochs, [float(row["loss"]) for row in rows], "k:", linewidth=1)
    right.set_ylabel("training loss (dotted)")
    figure.savefig(png_path, dpi=100)
    plt.close(figure)
