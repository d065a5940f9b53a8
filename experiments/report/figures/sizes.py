"""Pictures of losses against a size: the number of training rows, and the width of the network."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from experiments.records import Arm, PowerLaw, RemedyGroup
from experiments.report.arms import is_known, reference_of, score_of
from experiments.report.figures.parts import draw_nothing, handles_of, holdout_label, legend, page_axes, plain
from experiments.report.language import N_, _
from experiments.report.numbers import Numbers
from experiments.report.svg import MUTED, PAPER
from pipeline.figures.style import BLUE, ORANGE, note

GROUPS: dict[RemedyGroup, tuple[str, str, str]] = {
    "without": (N_("without a remedy"), BLUE, "o"),
    "with": (N_("with the chosen remedy"), ORANGE, "s"),
}
LINES: dict[tuple[RemedyGroup, str], str] = {
    ("without", "holdout"): N_("holdout, without remedy"),
    ("without", "train"): N_("training, without remedy"),
    ("with", "holdout"): N_("holdout, with remedy"),
    ("with", "train"): N_("training, with remedy"),
}
ASIDE: dict[RemedyGroup, float] = {"without": 0.975, "with": 1.025}
MOST_BELOW = 30.0  # a training loss is shown down to the lowest holdout loss divided by this
WIDE = 6.0  # losses have a log scale where the largest is at least so many times the smallest


class Point(NamedTuple):
    """An arm's size and mean loss, with the ends of its interval; these are the mean where they are not known."""

    arm: Arm
    size: float
    loss: float
    low: float
    high: float


def learning_curve(
    arms: list[Arm], laws: dict[RemedyGroup, PowerLaw], numbers: Numbers, nothing: float | None
) -> Figure:
    """Draw the holdout loss against training rows, with the power law and its prediction for twice the rows."""
    points = _points(arms, numbers)
    if not points:
        return note(_("no training size was scored on holdout rows"))
    figure, axes = page_axes(3.4)
    sizes = {point.size for point in points}
    lowest = [_lowest_shown(points)]
    for group, (name, color, marker) in GROUPS.items():
        members, law = [point for point in points if point.arm.group == group], laws.get(group)
        if not members:
            continue
        _draw(axes, members, group, label=_(name))
        if law is None or law.floor is None or law.scale is None or law.exponent is None:
            continue
        sizes.add(2 * law.rows)
        rows = np.geomspace(members[0].size, 2 * law.rows, 60)
        axes.plot(rows, law.floor + law.scale * rows**-law.exponent, "--", color=color, linewidth=1)
        if law.predicted_twice is not None:
            lowest.append(0.7 * law.predicted_twice)
            axes.plot(2 * law.rows, law.predicted_twice, marker, color=color, markerfacecolor=PAPER, clip_on=False)
    _scale_sizes(axes, sizes)
    _scale_losses(axes, points, min(lowest))
    draw_nothing(axes, nothing)
    axes.set(xlabel=_("training rows (dashed and outlined: power law)"), ylabel=holdout_label(numbers))
    legend(figure, handles_of(axes))
    return figure


def capacity(arms: list[Arm], numbers: Numbers, nothing: float | None) -> Figure:
    """Draw the training and holdout loss against the units of each hidden layer, with and without the chosen remedy."""
    points = _points([arm for arm in arms if arm.factor == "width"], numbers)
    if not points:
        return note(_("no width was scored on holdout rows"))
    trained = _points([point.arm for point in points], numbers, "train")
    figure, axes = page_axes(3.4)
    for group, (_name, color, marker) in GROUPS.items():
        members = [point for point in points if point.arm.group == group]
        if not members:
            continue
        _draw(axes, members, group, label=_(LINES[group, "holdout"]), line="-")
        train = [(point.size, point.loss) for point in trained if point.arm.group == group]
        if train:
            [line] = axes.plot(*zip(*train, strict=True), ":", marker=marker, color=color, linewidth=1)
            line.set(label=_(LINES[group, "train"]), markersize=3, markerfacecolor=PAPER)
    configured = reference_of([point.arm for point in points])
    if configured and configured.x is not None:  # a linear model has no width
        axes.axvline(configured.x, color=MUTED, linewidth=0.8, zorder=0)
        # The text is centred on the line, so that it stays in the picture at either end.
        axes.text(configured.x, 1.01, _("configured"), ha="center", va="bottom", transform=axes.get_xaxis_transform())
    _scale_sizes(axes, {point.size for point in points}, base=2)
    # A wide network's training loss falls by many powers of ten, so the picture ends before it does.
    lowest = _lowest_shown(points)
    _scale_losses(axes, points, min(lowest, max(_lowest_shown(trained), lowest / MOST_BELOW)))
    draw_nothing(axes, nothing)
    axes.set(xlabel=_("units in each hidden layer"), ylabel=plain(numbers.loss_axis))
    legend(figure, handles_of(axes))
    return figure


def _points(arms: list[Arm], numbers: Numbers, split: str = "holdout") -> list[Point]:
    """Return the points of the arms that have a size and were scored, the smallest size first."""
    points = []
    for arm in arms:
        loss = score_of(arm, split, numbers.loss)
        if arm.x is None or loss.mean is None:
            continue
        low, high = (loss.low, loss.high) if is_known(loss) else (loss.mean, loss.mean)
        points.append(Point(arm, arm.x, loss.mean, low, high))
    return sorted(points, key=lambda point: point.size)


def _draw(axes: Axes, points: list[Point], group: RemedyGroup, label: str, line: str = "") -> None:
    """Draw losses with their intervals."""
    _name, color, marker = GROUPS[group]
    # Both groups are moved a little aside, so that the intervals of both can be seen.
    places = [point.size * ASIDE[group] for point in points]
    errors = [[point.loss - point.low for point in points], [point.high - point.loss for point in points]]
    axes.errorbar(
        places,
        [point.loss for point in points],
        errors,
        fmt=f"{marker}{line}",
        color=color,
        label=label,
        ecolor=(color, 0.5),
        elinewidth=1.4,
        linewidth=1.2,
    )


def _lowest_shown(points: list[Point]) -> float:
    """Return half of the lowest mean, where intervals that reach lower are cut off; 0 if there is no mean."""
    return 0.5 * min((point.loss for point in points), default=0.0)


def _scale_losses(axes: Axes, points: list[Point], lowest: float) -> None:
    """Give the losses a log scale where the small ones would not be visible beside the large ones."""
    losses = [point.loss for point in points]
    if lowest <= 0 or max(losses) < WIDE * min(losses):
        return
    axes.set_yscale("log")
    axes.set_ylim(lowest, 1.2 * max(point.high for point in points))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _scale_sizes(axes: Axes, sizes: set[float], base: int = 10) -> None:
    """Give the horizontal axis a log scale with a tick at each size."""
    if min(sizes) <= 0:
        return
    axes.set_xscale("log", base=base)
    axes.set_xticks(sorted(sizes), [f"{size:,.0f}" for size in sorted(sizes)])
    axes.xaxis.set_minor_locator(NullLocator())
