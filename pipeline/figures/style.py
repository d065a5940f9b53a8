"""One look for all pictures: the palette, the axes, and how they are written.

The colours are Okabe and Ito's, which nearly everyone can tell apart; what a colour says, a mark, a line style or a
label says too.
"""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.files import written_whole

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#555555"
# The same input gives the same bytes: no date, no random ids; text stays text, so that it can be searched.
SVG: "dict[RcKeyType, Any]" = {"svg.hashsalt": "figures", "svg.fonttype": "none"}
STYLE: "dict[RcKeyType, Any]" = SVG | {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "font.size": 10,
}
# A decorator for functions that draw: Matplotlib's settings are of the whole process, and stay as they were outside.
styled = matplotlib.rc_context(STYLE)


class ShownFigure(Figure):
    """A figure that a notebook shows by itself, whether or not it has imported pyplot."""

    def _repr_svg_(self) -> str:
        return as_svg(self)


def new_axes(width: float = 7, height: float = 4) -> tuple[Figure, Axes]:
    """Return a figure with one pair of axes; its size is in inches."""
    figure = ShownFigure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


@styled
def note(text: str) -> Figure:
    """Return a picture that only says something, where there is nothing to draw."""
    figure, axes = new_axes()
    axes.text(0.5, 0.5, text, ha="center", transform=axes.transAxes)
    axes.set_axis_off()
    return figure


def as_svg(figure: Figure) -> str:
    """Return the figure as SVG text, which is the same for the same figure."""
    stream = io.StringIO()
    with matplotlib.rc_context(SVG):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


@styled
def save(figure: Figure, path: Path) -> None:
    """Write a figure as SVG."""
    with written_whole(path) as beside:
        figure.savefig(beside, metadata={"Date": None})
