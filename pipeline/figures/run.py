"""The figures of one run: its curves over the epochs, its gap and its errors.

Training is blue and solid, validation orange and dashed, so that colour blindness and grey print don't matter.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.figures.style import BLUE, GREY, ORANGE, new_axes, note, styled

SPLIT_LINES = {"train": ("training", BLUE, "-"), "validation": ("validation", ORANGE, "--")}
MOST_CLASSES_WITH_NUMBERS = 12


@styled
def curves_figure(
    history: pd.DataFrame, best_epoch: np.ndarray, metric: str, label: str, scale: str = "linear"
) -> Figure:
    """Plot training and validation over the epochs: mean and range of the seeds, and each seed's best epoch."""
    shown = [split for split in SPLIT_LINES if f"{split}_{metric}" in history]
    if not shown:
        return note("no split was scored after each epoch: no curves")
    figure, axes = new_axes()
    for split in shown:
        _band(axes, history, f"{split}_{metric}", *SPLIT_LINES[split])
    _mark_best(axes, best_epoch)
    axes.set(xlabel="epoch", ylabel=label, yscale=scale)
    axes.legend(frameon=False)
    return figure


@styled
def gap_figure(gaps: pd.DataFrame, best_epoch: np.ndarray, metric: str, label: str) -> Figure:
    """Plot how much worse the validation rows are than the training rows, over the epochs; above 0 is worse."""
    if f"gap_{metric}" not in gaps:
        return note("no validation rows or no training scores: no gap")
    figure, axes = new_axes()
    _band(axes, gaps, f"gap_{metric}", "gap", ORANGE, "-")
    axes.axhline(0, color=GREY, linewidth=1)
    _mark_best(axes, best_epoch)
    axes.set(xlabel="epoch", ylabel=f"gap in {label}")
    axes.legend(frameon=False)
    return figure


@styled
def confusion_figure(errors: pd.DataFrame, classes: list[str], split: str) -> Figure:
    """Plot which classes are taken for which: shares of each true class, summed over the seeds."""
    counts = errors.pivot_table(index="actual", columns="predicted", values="count").loc[classes, classes].to_numpy()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.subplots()
    picture = axes.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    figure.colorbar(picture, label="share of the true class")
    axes.grid(visible=False)
    if len(classes) <= MOST_CLASSES_WITH_NUMBERS:
        for row, column in np.ndindex(shares.shape):
            if counts[row, column]:
                color = "black" if shares[row, column] > 0.5 else "white"
                axes.text(column, row, f"{shares[row, column]:.2f}", ha="center", va="center", color=color, fontsize=8)
        # A class name may contain dollar signs, which Matplotlib would read as a formula.
        axes.set_xticks(
            range(len(classes)), classes, rotation=45 if max(map(len, classes)) > 3 else 0, parse_math=False
        )
        axes.set_yticks(range(len(classes)), classes, parse_math=False)
    axes.set(xlabel="predicted", ylabel="actual", title=f"{split} rows, all seeds")
    return figure


@styled
def agreement_figure(errors: pd.DataFrame, split: str) -> Figure:
    """Plot predicted against actual numbers, and the line on which they agree."""
    figure, axes = new_axes()
    axes.scatter(errors["actual"], errors["predicted"], s=9, color=BLUE, alpha=0.5)
    ends = [errors["actual"].min(), errors["actual"].max()]
    axes.plot(ends, ends, color=GREY, linewidth=1)
    axes.set(xlabel="actual", ylabel="predicted, mean over the seeds", title=f"{split} rows")
    return figure


@styled
def reliability_figure(reliability: pd.DataFrame, split: str, of_classes: bool) -> Figure:
    """Plot the share that is right against the probability of the predicted class, or the error by size of the target.

    The mean over the seeds, and their range, in bins of as many rows each.
    """
    if not len(reliability):
        return note("no seed was scored: no reliability")
    figure, axes = new_axes()
    by_bin = reliability.groupby("bin")[["level", "observed"]].agg(["mean", "min", "max"])
    level, observed = by_bin["level"]["mean"], by_bin["observed"]
    axes.fill_between(level, observed["min"], observed["max"], color=BLUE, alpha=0.15, linewidth=0)
    seeds = reliability["seed"].nunique()
    label = f"mean and range of {seeds} seeds" if seeds > 1 else "one seed"
    axes.plot(level, observed["mean"], "o-", color=BLUE, markersize=4, label=label)
    if of_classes:
        ends = [min(level.min(), observed["min"].min()), 1]
        axes.plot(ends, ends, color=GREY, linewidth=1, label="as sure as right")
    names = (
        ("probability of the predicted class", "share that is right")
        if of_classes
        else ("target", "mean absolute error")
    )
    axes.set(xlabel=names[0], ylabel=names[1], title=f"{split} rows")
    axes.legend(frameon=False)
    return figure


def _band(axes: Axes, history: pd.DataFrame, column: str, name: str, color: str, line: str) -> None:
    table = history.pivot_table(index="epoch", columns="seed", values=column)
    for seed in table:
        axes.plot(table.index, table[seed], color=color, linewidth=0.5, alpha=0.4)
    # The mean ends where the first seed stops, since after that it would be the mean of ever fewer seeds.
    complete = table.dropna()
    axes.fill_between(complete.index, complete.min(axis=1), complete.max(axis=1), color=color, alpha=0.15, linewidth=0)
    label = f"{name}: mean and range of {table.shape[1]} seeds" if table.shape[1] > 1 else name
    axes.plot(complete.index, complete.mean(axis=1), color=color, linestyle=line, label=label)


def _mark_best(axes: Axes, best_epoch: np.ndarray) -> None:
    epochs = best_epoch[best_epoch > 0]
    if len(epochs) == 0:
        return
    label = "best epochs" if len(epochs) > 1 else "best epoch"
    # The vertical position is in axes coordinates, so that the marks stay below the curves.
    transform = axes.get_xaxis_transform()
    axes.plot(epochs, np.full(len(epochs), 0.02), "^", color=GREY, transform=transform, label=label, clip_on=False)
    axes.axvline(epochs.mean(), color=GREY, linewidth=1, linestyle=":")
