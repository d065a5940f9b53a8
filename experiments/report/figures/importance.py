"""The picture of the columns that the recommended model relies on."""

from matplotlib.figure import Figure

from experiments.records import Importance
from experiments.report.figures.parts import (
    ROW,
    draw_interval,
    handles_of,
    legend,
    limit_to,
    name_rows,
    page_axes,
    plain,
)
from experiments.report.numbers import Numbers
from experiments.report.svg import INK, MUTED, PAPER
from pipeline.figures.style import BLUE, note
from pipeline.statistics.intervals import Interval

MOST = 20  # columns in the picture
KINDS = {True: ("matters", BLUE, "o", BLUE), False: ("no detectable difference", MUTED, "o", PAPER)}
LETTERS = 28  # of a column's name


def importance(columns: list[Importance], numbers: Numbers) -> Figure:
    """Draw the rise of the loss when each column is permuted, the largest on top."""
    shown = columns[:MOST]
    if not shown:
        return note("no columns were permuted")
    figure, axes = page_axes(1.0 + 1.1 * ROW * len(shown))
    axes.axvline(0, color=INK, linewidth=1)
    for place, column in enumerate(shown):
        label, color, marker, face = KINDS[bool(column.matters)]
        draw_interval(axes, column.rise, place, color, marker, face, label, across=True)
    name_rows(axes, [_short(column.column) for column in shown])
    axes.grid(visible=False, axis="y")
    limit_to(axes, [*(column.rise for column in shown), Interval(0.0)])
    axes.set_xlabel(plain(f"rise of the {numbers.loss_axis}"))
    legend(figure, handles_of(axes))
    return figure


def _short(name: str) -> str:
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"
