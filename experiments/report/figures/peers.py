"""The picture of models that are no networks, against the recommended network."""

from matplotlib.figure import Figure

from experiments.records import Peer
from experiments.report.figures.parts import (
    NO_CHANGE,
    ROW,
    draw_forest,
    handles_of,
    holdout_label,
    legend,
    limit_to,
    page_axes,
    verdict_marks,
)
from experiments.report.language import _
from experiments.report.numbers import Numbers
from experiments.report.recorded import shown
from pipeline.figures.style import note

MARKS = verdict_marks("better", "worse")


def peers(peers: list[Peer], numbers: Numbers) -> Figure:
    """Draw each peer's loss less the network's, with its interval; left of the line the peer is better."""
    compared = [peer for peer in peers if numbers.loss in peer.comparisons]
    if not compared:
        return note(_("no other model was compared with the network"))
    compared.sort(key=lambda peer: peer.comparisons[numbers.loss].difference.mean or 0.0)
    figure, axes = page_axes(1.1 + 1.3 * ROW * len(compared))
    comparisons = [peer.comparisons[numbers.loss] for peer in compared]
    names = [shown(peer.name) for peer in compared]
    draw_forest(
        axes, [(name, one.difference, MARKS[one.verdict]) for name, one in zip(names, comparisons, strict=True)]
    )
    limit_to(axes, [*(one.difference for one in comparisons), NO_CHANGE])
    axes.set_xlabel(
        _("{loss}\nless that of the network: left of the line is better").format(loss=holdout_label(numbers))
    )
    legend(figure, handles_of(axes))
    return figure
