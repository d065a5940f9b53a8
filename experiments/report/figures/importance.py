"""The picture of the columns that the recommended model relies on."""

from matplotlib.figure import Figure

from experiments.records import Importance
from experiments.report.arms import NO_DIFFERENCE
from experiments.report.figures.parts import (
    NO_CHANGE,
    ROW,
    Mark,
    draw_forest,
    handles_of,
    legend,
    limit_to,
    page_axes,
    plain,
)
from experiments.report.language import N_, _
from experiments.report.numbers import Numbers, shortened
from experiments.report.svg import MUTED, PAPER
from pipeline.figures.style import BLUE, note

MOST = 20  # columns in the picture
KINDS = {True: Mark(N_("matters"), BLUE, "o", BLUE), False: Mark(NO_DIFFERENCE, MUTED, "o", PAPER)}
LETTERS = 28  # of a column's name


def importance(columns: list[Importance], numbers: Numbers) -> Figure:
    """Draw the rise of the loss when each column is permuted, the largest on top."""
    shown = columns[:MOST]
    if not shown:
        return note(_("no columns were permuted"))
    figure, axes = page_axes(1.0 + 1.1 * ROW * len(shown))
    draw_forest(
        axes, [(shortened(column.column, LETTERS), column.rise, KINDS[bool(column.matters)]) for column in shown]
    )
    limit_to(axes, [*(column.rise for column in shown), NO_CHANGE])
    axes.set_xlabel(plain(_("rise of the {loss}").format(loss=numbers.loss_axis)))
    legend(figure, handles_of(axes))
    return figure
