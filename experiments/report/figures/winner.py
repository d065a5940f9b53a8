"""The picture of the search's best trials: what each promised, and what it is worth."""

import numpy as np
from matplotlib.figure import Figure

from experiments.records import Study
from experiments.report.arms import best_so_far
from experiments.report.figures.parts import draw_interval, draw_nothing, handles_of, legend, page_axes, plain
from experiments.report.language import N_, _
from experiments.report.numbers import Numbers
from experiments.report.svg import INK, PAPER
from pipeline.figures.style import BLUE, GREEN, ORANGE, note

WORTH = {  # each field of the best trial so far, with its label, colour and mark
    "same_rows": (N_("fresh seeds, same rows"), BLUE, "^"),
    "fresh": (N_("fresh seeds, rows that chose nothing"), GREEN, "s"),
    "test": (N_("fresh seeds, test rows"), ORANGE, "D"),
}
ASIDE = 0.16


def winner(study: Study, numbers: Numbers, nothing: float | None) -> Figure:
    """Draw the best trial so far against the number of trials: its promised loss, and its losses with fresh seeds."""
    path = best_so_far(study)
    if not path:
        return note(_("the search has no path of best trials"))
    figure, axes = page_axes(3.6)
    places = np.arange(len(path))
    promised = [trial.promised for _tried, trial in path]
    [steps] = axes.plot(places, promised, drawstyle="steps-post", color=INK, marker="o")
    steps.set(label=_("promised by the search"), markerfacecolor=PAPER)
    for number, (name, (label, color, marker)) in enumerate(WORTH.items()):
        for place, (_tried, trial) in zip(places, path, strict=True):
            loss = getattr(trial, name)
            if loss is not None:
                beside = place + ASIDE * (number - 1)
                draw_interval(axes, loss, beside, color, marker, color, _(label), across=False)
    axes.set_ylim(0 if numbers.loss == "cross_entropy" else None)
    axes.set_xticks(places, [f"{tried:,}" for tried, _trial in path])
    axes.set_xlim(-0.5, len(path) - 0.5)
    draw_nothing(axes, nothing)
    axes.set(xlabel=_("best of so many trials"), ylabel=plain(numbers.loss_axis))
    legend(figure, handles_of(axes))
    return figure
