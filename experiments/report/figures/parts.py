"""The parts that the pictures share: axes, legends, intervals, and the line of knowing nothing."""

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.report.arms import BEYOND_NOTHING, NO_DIFFERENCE, is_known
from experiments.report.language import N_, _
from experiments.report.numbers import Numbers
from experiments.report.svg import INK, MUTED, PAPER
from pipeline.figures.style import BLUE, ORANGE, PURPLE
from pipeline.statistics.intervals import Interval


class Mark(NamedTuple):
    """The mark of a kind of result, and its label in the legend."""

    label: str
    color: str
    marker: str
    face: str


def verdict_marks(better: str, worse: str) -> dict[str | None, Mark]:
    """Return the mark of each verdict; `better` and `worse` are the labels of the two that find a difference."""
    return {
        better: Mark(better, BLUE, "o", BLUE),
        worse: Mark(worse, ORANGE, "D", ORANGE),
        BEYOND_NOTHING: Mark(BEYOND_NOTHING, PURPLE, "s", PURPLE),
        NO_DIFFERENCE: Mark(NO_DIFFERENCE, MUTED, "o", PAPER),
        None: Mark(N_("no verdict"), MUTED, "x", MUTED),
    }


NO_CHANGE = Interval(mean=0.0)
WIDTH, ROW = 5.4, 0.24  # inches
LETTERS_OF_A_MARK, LETTERS_IN_A_ROW = 10, 78  # widths in a legend, in letters


def plain(text: str) -> str:
    """Return a user's text with its dollar signs escaped, which Matplotlib would take for mathematics."""
    return text.replace("$", r"\$")


def holdout_label(numbers: Numbers) -> str:
    """Return the label of an axis of holdout losses."""
    return plain(_("holdout {score}").format(score=numbers.loss_axis))


def page_axes(height: float) -> tuple[Figure, Axes]:
    """Return a figure as wide as the page with one pair of axes; its height is in inches."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots()


def handles_of(*panels: Axes) -> dict[str, Artist]:
    """Return what the panels' legend shows by its label, each label once."""
    handles: dict[str, Artist] = {}
    for axes in panels:
        handles |= dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    return handles


def width_of(text: str) -> int:
    """Return the width of a text in Latin letters; a Chinese character is as wide as two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "FW" else 1 for letter in text)


def legend(figure: Figure, handles: dict[str, Artist]) -> None:
    """Draw a legend above the picture, in one row or, where that is too narrow, in two columns."""
    if handles:
        room = width_of("".join(handles)) + LETTERS_OF_A_MARK * len(handles)
        columns = len(handles) if room <= LETTERS_IN_A_ROW else 2
        marks, labels = list(handles.values()), list(handles)
        figure.legend(marks, labels, loc="outside upper left", ncols=columns, borderpad=0, handlelength=2.2)


def draw_interval(
    axes: Axes, interval: Interval, place: float, color: str, marker: str, face: str, label: str, across: bool
) -> None:
    """Draw a mean, where there is one, with its interval, across or upwards."""
    if interval.mean is None:
        return
    error = [[interval.mean - interval.low], [interval.high - interval.mean]] if is_known(interval) else None
    x, y, yerr, xerr = (interval.mean, place, None, error) if across else (place, interval.mean, error, None)
    axes.errorbar(
        x, y, yerr, xerr, marker, color=color, markerfacecolor=face, label=label, ecolor=(color, 0.6), elinewidth=1.6
    )


def draw_nothing(axes: Axes, value: float | None, upright: bool = False, named: bool = True) -> None:
    """Draw a line at the score of knowing nothing, where that lies within the picture."""
    low, high = axes.get_xlim() if upright else axes.get_ylim()
    if value is None or not low < value < high:
        return
    if upright:
        line, transform = axes.axvline(value), axes.get_xaxis_transform()
        axes.set_xlim(low, high)
        x, y, rotation = value, 0.02, 90
    else:
        line, transform = axes.axhline(value), axes.get_yaxis_transform()
        axes.set_ylim(low, high)
        x, y, rotation = 0.99, value, 0
    line.set(color=MUTED, linewidth=1, linestyle=(0, (1, 2)), zorder=0)
    if named:
        text = axes.text(x, y, _("knowing nothing"), ha="right", va="bottom", rotation=rotation, transform=transform)
        text.set(color=MUTED, fontsize=8.5)


def draw_forest(axes: Axes, rows: Sequence[tuple[str, Interval, Mark]]) -> None:
    """Draw named differences with their intervals, the first on top, and a line where there is no difference."""
    axes.axvline(0, color=INK, linewidth=1)
    for place, (_name, difference, mark) in enumerate(rows):
        draw_interval(axes, difference, place, mark.color, mark.marker, mark.face, _(mark.label), across=True)
    name_rows(axes, [name for name, *_ in rows])
    axes.grid(visible=False, axis="y")


def limit_to(axes: Axes, intervals: Sequence[Interval]) -> None:
    """Make a picture as wide as the intervals, since a single seed far away would squeeze all others."""
    values = [end for interval in intervals for end in (interval.low, interval.mean, interval.high) if end is not None]
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 1
    axes.set_xlim(low - room, high + room)
    axes.xaxis.set_major_locator(MaxNLocator(6))


def name_rows(axes: Axes, names: list[str]) -> None:
    """Name the rows of a picture that has an arm in each, the first on top."""
    axes.set_yticks(range(len(names)), [plain(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
