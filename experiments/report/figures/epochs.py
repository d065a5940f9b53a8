"""Pictures of curves over the epochs: the baseline's losses, and the scores with true and shuffled labels."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.records import Arm, Overfits
from experiments.report.arms import full_name
from experiments.report.figures.parts import WIDTH, draw_nothing, handles_of, legend, page_axes, plain
from experiments.report.language import N_, _
from experiments.report.numbers import Numbers
from experiments.report.svg import INK, MUTED
from pipeline.figures.style import BLUE, ORANGE, note

SPLITS = {"train": (N_("training"), BLUE, "-"), "holdout": (N_("holdout"), ORANGE, "--")}
MOST_POINTS = 200


def baseline(arm: Arm, curves: pd.DataFrame, overfits: Overfits, numbers: Numbers, nothing: float | None) -> Figure:
    """Draw the baseline's mean losses over the epochs and, where training on hurts, the epoch of the onset."""
    table = curve_of(curves, arm)
    shown = [split for split in SPLITS if _has_numbers(table, f"{split}_{numbers.loss}")]
    if not shown:
        return note(_("no split was scored after each epoch: no curves"))
    figure, axes = page_axes(3.2)
    for split in shown:
        name, color, line = SPLITS[split]
        axes.plot(table["epoch"], table[f"{split}_{numbers.loss}"], line, color=color, label=_(name))
    if "holdout" in shown:
        # The first epochs run out of the picture, so that the rise at the end can be seen.
        top = 3 * table[f"holdout_{numbers.loss}"].iloc[-1]
        lowest = 0 if numbers.loss == "cross_entropy" else axes.get_ylim()[0]
        axes.set_ylim(lowest, min(axes.get_ylim()[1], lowest + top))
    if overfits.rises and overfits.onset_epoch is not None:
        axes.axvline(overfits.onset_epoch, color=INK, linewidth=1)
        # The text stands above the picture and is aligned so that it does not reach beyond its sides.
        share = overfits.onset_epoch / table["epoch"].max()
        side = "left" if share < 0.25 else "right" if share > 0.75 else "center"
        text = _("new rows get worse: epoch {onset:.0f}").format(onset=overfits.onset_epoch)
        axes.text(overfits.onset_epoch, 1.01, text, ha=side, va="bottom", transform=axes.get_xaxis_transform())
        if overfits.onset_range and overfits.onset_range[0] < overfits.onset_range[1]:
            axes.axvspan(*overfits.onset_range, color=MUTED, alpha=0.12, linewidth=0)
    axes.set(xlabel=_("epoch"), ylabel=plain(numbers.loss_axis), xlim=(0, table["epoch"].max()))
    draw_nothing(axes, nothing)
    legend(figure, handles_of(axes))
    return figure


def memorization(arms: list[Arm], curves: pd.DataFrame, numbers: Numbers, nothing: float | None) -> Figure:
    """Draw the training and holdout score over the epochs, a panel for each kind of label."""
    figure = Figure(figsize=(WIDTH, 2.7), layout="constrained")
    handles: dict[str, Artist] = {}
    panels = figure.subplots(1, len(arms), sharey=True, squeeze=False)[0]
    for axes, arm in zip(panels, arms, strict=True):
        table = curve_of(curves, arm)
        for split, (name, color, line) in SPLITS.items():
            column = f"{split}_{numbers.score}"
            if not _has_numbers(table, column):
                continue
            [drawn] = axes.plot(table["epoch"], numbers.score_factor * table[column], line, color=color, label=_(name))
            handles[_(name)] = drawn
        axes.set_title(textwrap.fill(full_name(arm), 16), color=INK)
        axes.set_xlabel(_("epoch"))
        axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    if not handles:
        return note(_("no split was scored after each epoch: no curves"))
    panels[0].set_ylabel(numbers.score_label)
    lowest = 0 if numbers.score == "accuracy" else max(-1.0, panels[0].get_ylim()[0])
    panels[0].set_ylim(lowest, 1.02 * numbers.score_factor)
    if nothing is not None:
        for place, axes in enumerate(panels):
            draw_nothing(axes, numbers.score_factor * nothing, named=place == 0)
    legend(figure, handles)
    return figure


def curve_of(curves: pd.DataFrame, arm: Arm) -> pd.DataFrame:
    """Return an arm's mean curves, thinned to at most `MOST_POINTS` epochs."""
    table = curves[(curves["section"] == arm.section) & (curves["arm"] == arm.name)]
    if len(table) <= MOST_POINTS:
        return table
    return table.iloc[np.unique(np.linspace(0, len(table) - 1, MOST_POINTS).round().astype(int))]


def _has_numbers(table: pd.DataFrame, column: str) -> bool:
    return column in table and bool(table[column].notna().any())
