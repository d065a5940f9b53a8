"""The pictures of a search: its course, its optimizers, what matters, and the Pareto front."""

import warnings
from collections import Counter
from typing import Any

import matplotlib.pyplot as plt
import optuna
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter
from optuna.trial import FrozenTrial

from experiments.search.objectives import title
from experiments.search.results import Objectives, complete, front, has_diverged, optimizer_of, ranked
from experiments.search.samplers import experimental
from pipeline.choices import OBJECTIVES, Objective
from pipeline.figures.style import BLUE, GREY, ORANGE, new_axes, styled
from pipeline.settings import Settings

MOST_PARALLEL = 6


def draw(
    study: optuna.Study, trials: list[FrozenTrial], settings: Settings, importance: dict[str, float]
) -> dict[str, Figure]:
    """Return every picture by its name."""
    objectives = settings.search.objectives
    return {
        "history": history_figure(trials, objectives),
        "optimizers": optimizers_figure(trials, objectives),
        "importance": importance_figure(importance),
        "parallel": parallel_figure(study, importance, objectives),
        "front": front_figure(trials, objectives),
    }


@styled
def history_figure(trials: list[FrozenTrial], objectives: Objectives) -> Figure:
    """Draw every trial's value in order, and the best so far."""
    figure, axes = new_axes()
    ended = sorted(ranked(trials, objectives), key=lambda trial: trial.number)
    places, values = [t.number for t in ended], pd.Series([t.values[0] for t in ended], dtype=float)
    axes.plot(places, values, "o", color=BLUE, markersize=4, label="trial, mean over its seeds")
    if diverged := [trial for trial in complete(trials) if has_diverged(trial)]:
        points = [(trial.number, trial.values[0]) for trial in diverged]
        axes.plot(*zip(*points, strict=True), "x", color=GREY, markersize=5, label="every seed diverged")
    best = values.cummax() if OBJECTIVES[objectives[0]].is_maximized else values.cummin()
    axes.plot(places, best, color=ORANGE, drawstyle="steps-post", label="best so far")
    axes.set(xlabel="trial", ylabel=_label(objectives[0]))
    _scale(axes.yaxis, objectives[0])
    axes.legend(frameon=False)
    return figure


@styled
def optimizers_figure(trials: list[FrozenTrial], objectives: Objectives) -> Figure:
    """Draw the values of each optimizer's trials, the best marked, and count those that diverged with every seed.

    All optimizers had the same budget if the search is balanced.
    """
    figure, axes = new_axes()
    by_name: dict[str, list[float]] = {}
    for trial in ranked(trials, objectives):
        by_name.setdefault(optimizer_of(trial), []).append(trial.values[0])
    best_last = not OBJECTIVES[objectives[0]].is_maximized
    names = sorted(by_name, key=lambda name: by_name[name][0], reverse=best_last)
    diverged = Counter(optimizer_of(trial) for trial in complete(trials) if has_diverged(trial))
    for place, name in enumerate(names):
        values, lost = by_name[name], f", {diverged[name]} diverged" if diverged[name] else ""
        axes.plot(values, [place] * len(values), "o", color=BLUE, markersize=4, alpha=0.6)
        axes.plot(values[0], place, "D", color=ORANGE, label="best" if place == 0 else None)
        counts, right = f"{len(values)} complete{lost}", axes.get_yaxis_transform()
        axes.text(1.01, place, counts, va="center", transform=right, fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel=_label(objectives[0]))
    _scale(axes.xaxis, objectives[0])
    return figure


@styled
def importance_figure(importance: dict[str, float]) -> Figure:
    """Draw how much of the values' variance each parameter explains."""
    figure, axes = new_axes()
    names = list(importance)[::-1]
    axes.barh(names, [importance[name] for name in names], color=BLUE)
    axes.set(xlabel="importance (fANOVA)")
    return figure


@styled
def parallel_figure(study: optuna.Study, importance: dict[str, float], objectives: Objectives) -> Figure:
    """Draw Optuna's parallel coordinates over the parameters that matter most."""
    target = (lambda trial: trial.values[0]) if len(study.directions) > 1 else None
    shown = list(importance)[:MOST_PARALLEL] or None
    with experimental():
        # Matplotlib warns of an axis on which all trials have one value.
        warnings.filterwarnings("ignore", message="Attempting to set identical low and high ylims")
        optuna.visualization.matplotlib.plot_parallel_coordinate(
            study, params=shown, target=target, target_name=f"validation {title(objectives[0])}"
        )
    figure = plt.gcf()  # the new one that Optuna has drawn in
    figure.set_size_inches(10, 5)
    figure.subplots_adjust(left=0.08, bottom=0.3, right=0.95)  # room for the names below
    plt.close(figure)  # removes it from pyplot's list; the figure itself stays
    return figure


@styled
def front_figure(trials: list[FrozenTrial], objectives: Objectives) -> Figure:
    """Draw the trials' two objectives and the Pareto front."""
    figure, axes = new_axes()
    values = [trial.values for trial in ranked(trials, objectives)]
    if len(objectives) == 1 or not values:
        lacking = "one objective" if len(objectives) == 1 else _lacking(trials)
        axes.text(0.5, 0.5, f"{lacking}: no Pareto front", ha="center", transform=axes.transAxes)
        return figure
    undominated = sorted(trial.values for trial in front(trials, objectives))
    axes.plot(*zip(*values, strict=True), "o", color=BLUE, markersize=4, alpha=0.5, label="trials")
    axes.plot(*zip(*undominated, strict=True), "D-", color=ORANGE, label="Pareto front")
    axes.set(xlabel=f"validation {objectives[0]}", ylabel=objectives[1])
    axes.legend(frameon=False)
    return figure


def _lacking(trials: list[FrozenTrial]) -> str:
    return "every trial diverged" if complete(trials) else "no trial is complete"


def _label(objective: Objective) -> str:
    return f"validation {title(objective)} at the best epochs"


def _scale(axis: Any, objective: Objective) -> None:
    """Make the axis of a loss logarithmic; that of a score, which has a greatest value, stays as it is.

    Its labels are plain numbers: powers of ten take Matplotlib longer than all the rest of a picture.
    """
    if OBJECTIVES[objective].is_score:
        return
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    axis.set_major_formatter(LogFormatter())
    axis.set_minor_formatter(LogFormatter())
