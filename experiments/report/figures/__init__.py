"""The report's pictures, from the study's records alone.

Whatever a colour (of Okabe and Ito's palette) tells apart, a mark, a line style or a label tells apart too.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from experiments.records import Arm, SectionName, Study
from experiments.report.arms import more_data
from experiments.report.figures.arms import activations, optimizers, remedies
from experiments.report.figures.epochs import baseline, memorization
from experiments.report.figures.importance import importance
from experiments.report.figures.peers import peers
from experiments.report.figures.sizes import capacity, learning_curve
from experiments.report.figures.winner import winner
from experiments.report.language import N_, _, language
from experiments.report.numbers import Numbers
from experiments.report.svg import GRID, INK, MUTED, PAPER
from pipeline.choices import Language
from pipeline.figures.style import as_svg, note, styled

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

styled_for_page = matplotlib.rc_context({
    "font.size": 9.5, "axes.edgecolor": MUTED, "axes.labelcolor": INK, "text.color": INK, "xtick.color": MUTED,
    "ytick.color": MUTED, "xtick.labelcolor": INK, "ytick.labelcolor": INK, "grid.color": GRID, "grid.alpha": 1,
    "grid.linewidth": 0.6, "axes.linewidth": 0.8, "axes.axisbelow": True, "legend.frameon": False,
    "legend.fontsize": 9.5, "figure.facecolor": PAPER, "axes.facecolor": "none", "lines.linewidth": 1.6,
    "lines.markersize": 5, "axes.titlesize": 9.5, "axes.titlelocation": "left",
})  # fmt: skip


# A section that the study left out has a picture with this text in place of a plot.
NOT_IN_STUDY: dict[SectionName, str] = {
    "remedies": N_("remedies: not in this study"),
    "learning_curve": N_("learning curve: not in this study"),
    "capacity": N_("capacity: not in this study"),
    "optimizers": N_("optimizers: not in this study"),
    "activations": N_("activations: not in this study"),
    "memorization": N_("memorization: not in this study"),
    "winner": N_("winner: not in this study"),
}
# Letters stay text in a picture, and the browser takes the first of these fonts that it has. Matplotlib measures
# Chinese by its font of last resort, since its own has none.
FONTS: "dict[Language, dict[RcKeyType, Any]]" = {
    "en": {},
    "zh": {
        "font.family": ["sans-serif", "Last Resort High-Efficiency"],
        "font.sans-serif": [
            "DejaVu Sans", "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei",
            "sans-serif",
        ],
    },
}  # fmt: skip


@styled
@styled_for_page
def draw(study: Study, curves: pd.DataFrame, seeds: pd.DataFrame, numbers: Numbers) -> dict[str, str]:
    """Return every picture by its name, as SVG; a section that is not in the study has a note that says so."""
    with matplotlib.rc_context(FONTS[language()]):
        return {name: as_svg(figure) for name, figure in _drawn(study, curves, seeds, numbers).items()}


def _drawn(study: Study, curves: pd.DataFrame, seeds: pd.DataFrame, numbers: Numbers) -> dict[str, Figure]:
    floor = study.about.knowing_nothing.get("holdout", {})
    nothing = floor.get(numbers.loss)
    pictures: dict[SectionName, Callable[[list[Arm]], Figure]] = {
        "remedies": lambda arms: remedies(arms, more_data(study), seeds, numbers),
        "learning_curve": lambda arms: learning_curve(arms, study.power_law or {}, numbers, nothing),
        "capacity": lambda arms: capacity(arms, numbers, nothing),
        "optimizers": lambda arms: optimizers(arms, numbers, nothing),
        "activations": lambda arms: activations(arms, numbers, nothing),
        "memorization": lambda arms: memorization(arms, curves, numbers, floor.get(numbers.score)),
        "winner": lambda arms: winner(study, numbers, nothing),
    }
    base = study.section("remedies")[0]
    drawn: dict[str, Figure] = {
        "peers": peers(study.peers or [], numbers),
        "importance": importance(study.importance or [], numbers),
        "baseline": baseline(base, curves, study.overfits, numbers, nothing),
    }
    for name, picture in pictures.items():
        arms = study.section(name)
        drawn[name] = picture(arms) if arms else note(_(NOT_IN_STUDY[name]))
    return drawn
