"""The picture of models that are no networks, against the recommended network."""

from matplotlib.figure import Figure

from experiments.records import Peer
from experiments.report.arms import BEYOND_NOTHING, NO_DIFFERENCE
from experiments.report.figures.parts import (
    ROW,
    draw_interval,
    handles_of,
    holdout_label,
    legend,
    limit_to,
    name_rows,
    page_axes,
)
from experiments.report.numbers import Numbers
from experiments.report.svg import INK, MUTED, PAPER
from pipeline.figures.style import BLUE, ORANGE, PURPLE, note
from pipeline.statistics.intervals import Interval

VERDICTS = {
    "better": ("better than the network", BLUE, "o", BLUE),
    "worse": ("worse than the network", ORANGE, "D", ORANGE),
    BEYOND_NOTHING: (BEYOND_NOTHING, PURPLE, "s", PURPLE),
    NO_DIFFERENCE: (NO_DIFFERENCE, MUTED, "o", PAPER),
    None: ("no verdict", MUTED, "x", MUTED),
}


def peers(peers: list[Peer], numbers: Numbers) -> Figure:
    """Draw each peer's loss less the network's, with its interval; left of the line the peer is better."""
    compared = [peer for peer in peers if numbers.loss in peer.comparisons]
    if not compared:
        return note("no other model was compared with the network")
    compared.sort(key=lambda peer: peer.comparisons[numbers.loss].difference.mean or 0.0)
    figure, axes = page_axes(1.1 + 1.3 * ROW * len(compared))
    axes.axvline(0, color=INK, linewidth=1)
    for place, peer in enumerate(compared):
        comparison = peer.comparisons[numbers.loss]
        label, color, marker, face = VERDICTS[comparison.verdict]
        draw_interval(axes, comparison.difference, place, color, marker, face, label, across=True)
    name_rows(axes, [peer.name for peer in compared])
    axes.grid(visible=False, axis="y")
    limit_to(axes, [*(peer.comparisons[numbers.loss].difference for peer in compared), Interval(0.0)])
    axes.set_xlabel(f"{holdout_label(numbers)}\nless that of the network: left of the line is better")
    legend(figure, handles_of(axes))
    return figure
