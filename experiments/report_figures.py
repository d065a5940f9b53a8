"""The report's pictures, from the study's records alone.

What is told by a colour (Okabe and Ito's) is told by a mark, a line style or a label too.
"""

import io
import textwrap
from collections.abc import Callable, Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from experiments.report_arms import own_of, score_of, short_name
from experiments.report_numbers import Numbers
from experiments.report_svg import GRID, INK, MUTED, PAPER
from experiments.study_record import Arm, Interval, Overfits, PowerLaw, Study
from pipeline import figures

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SPLITS = {"train": ("training", BLUE, "-"), "val": ("validation", ORANGE, "--"), "holdout": ("holdout", GREEN, ":")}
GROUPS = {"without": ("without a remedy", BLUE, "o"), "with": ("with the chosen remedy", ORANGE, "s")}
VERDICTS = {
    "helps": ("helps", BLUE, "o", BLUE),
    "hurts": ("hurts", ORANGE, "D", ORANGE),
    "no detectable difference": ("no detectable difference", MUTED, "o", PAPER),
    None: ("no verdict", MUTED, "x", MUTED),
}
ASIDE = {"without": 0.975, "with": 1.025}
NO_CHANGE = Interval(mean=0.0, low=None, high=None)
WIDTH, ROW = 5.4, 0.24  # inches
MOST_POINTS = 200
LETTERS_OF_A_MARK, LETTERS_IN_A_ROW = 10, 78  # of a legend
MOST_BELOW = 30.0  # so far below the lowest holdout loss the training loss is shown
WIDE = 6.0  # a range of losses whose largest is so many times the smallest has a log scale

STYLE = {
    "font.size": 9.5, "axes.edgecolor": MUTED, "axes.labelcolor": INK, "text.color": INK, "xtick.color": MUTED,
    "ytick.color": MUTED, "xtick.labelcolor": INK, "ytick.labelcolor": INK, "grid.color": GRID, "grid.alpha": 1,
    "grid.linewidth": 0.6, "axes.linewidth": 0.8, "axes.axisbelow": True, "legend.frameon": False,
    "legend.fontsize": 9.5, "figure.facecolor": PAPER, "axes.facecolor": "none", "lines.linewidth": 1.6,
    "lines.markersize": 5, "axes.titlesize": 9.5, "axes.titlelocation": "left",
}  # fmt: skip


def draw(study: Study, curves: pd.DataFrame, seeds: pd.DataFrame, numbers: Numbers) -> dict[str, str]:
    """Every picture by its name, as SVG; of a question that was not asked, a note that says so."""
    pictures: dict[str, Callable[[list[Arm]], Figure]] = {
        "remedies": lambda arms: remedies(arms, seeds, numbers),
        "learning_curve": lambda arms: learning_curve(arms, study.power_law or {}, numbers),
        "capacity": lambda arms: capacity(arms, numbers),
        "optimizers": lambda arms: optimizers(arms, numbers, study.equal_budgets),
        "activations": lambda arms: activations(arms, numbers),
        "memorization": lambda arms: memorization(arms, curves, numbers),
        "winner": lambda arms: winner(arms, study, numbers),
    }
    with matplotlib.rc_context(STYLE):
        drawn = {"baseline": baseline(study.section("remedies")[0], curves, study.overfits, numbers)}
        for name, picture in pictures.items():
            arms = study.section(name)
            drawn[name] = picture(arms) if arms else figures._note(f"{name.replace('_', ' ')}: not in this study")
        return {name: _as_svg(figure) for name, figure in drawn.items()}


def _as_svg(figure: Figure) -> str:
    """The same figure gives the same text."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def plain(text: str) -> str:
    """Text of a user's, in which Matplotlib would take dollars for mathematics."""
    return text.replace("$", r"\$")


def baseline(arm: Arm, curves: pd.DataFrame, overfits: Overfits, numbers: Numbers) -> Figure:
    """The baseline's mean losses over the epochs and, where it overfits, the epoch at which that sets in."""
    table = curve_of(curves, arm)
    shown = [split for split in SPLITS if _has_numbers(table, f"{split}_{numbers.loss}")]
    if not shown:
        return figures._note("no split was scored after each epoch: no curves")
    figure, axes = _axes(3.2)
    for split in shown:
        name, color, line = SPLITS[split]
        axes.plot(table["epoch"], table[f"{split}_{numbers.loss}"], line, color=color, label=name)
    held = table[[f"{split}_{numbers.loss}" for split in shown if split != "train"]]
    if not held.empty:
        # The first epochs run out of the picture, so that the rise at the end can be seen.
        top = 3 * held.iloc[-1].max()
        lowest = 0 if numbers.loss == "cross_entropy" else axes.get_ylim()[0]
        axes.set_ylim(lowest, min(axes.get_ylim()[1], lowest + top))
    if overfits.answer and overfits.onset_epoch is not None:
        axes.axvline(overfits.onset_epoch, color=INK, linewidth=1)
        # Above the picture, and never beyond its sides.
        share = overfits.onset_epoch / table["epoch"].max()
        side = "left" if share < 0.25 else "right" if share > 0.75 else "center"
        text = f"overfitting sets in: epoch {overfits.onset_epoch:.0f}"
        axes.text(overfits.onset_epoch, 1.01, text, ha=side, va="bottom", transform=axes.get_xaxis_transform())
        if overfits.onset_range and overfits.onset_range[0] < overfits.onset_range[1]:
            axes.axvspan(*overfits.onset_range, color=MUTED, alpha=0.12, linewidth=0)
    axes.set(xlabel="epoch", ylabel=plain(numbers.loss_axis), xlim=(0, table["epoch"].max()))
    _legend(figure, *axes.get_legend_handles_labels())
    return figure


def remedies(arms: list[Arm], seeds: pd.DataFrame, numbers: Numbers) -> Figure:
    """A forest plot: each difference with its interval, each seed's as a dot; what helps is left of the line."""
    compared = [arm for arm in arms if arm.difference is not None and arm.difference.mean is not None]
    panels = {
        "alone, against the baseline": [arm for arm in compared if arm.group == "single"],
        "all together, against the baseline": [arm for arm in compared if arm.group == "together"],
        "all but one, against all together": [arm for arm in compared if arm.group == "leave_one_out"],
    }
    panels = {title: sorted(rows, key=lambda arm: arm.difference.mean) for title, rows in panels.items() if rows}
    if not panels:
        return figures._note("no remedy was compared with the baseline")
    rows = [len(panel) for panel in panels.values()]
    figure = Figure(figsize=(WIDTH, 0.9 + ROW * sum(rows) + 0.3 * len(rows)), layout="constrained")
    by_panel = figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=[n + 0.4 for n in rows])[:, 0]
    for axes, (title, panel) in zip(by_panel, panels.items(), strict=True):
        _forest(axes, panel, seeds, numbers)
        axes.set_title(title, color=MUTED)
    _limits(by_panel[-1], [arm.difference for arm in compared] + [NO_CHANGE])
    by_panel[-1].set_xlabel(f"{plain(_difference_label(numbers))}\nleft of the line is better")
    handles = {}
    for axes in by_panel:
        handles |= dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    labels = [name for name, *_ in VERDICTS.values() if name in handles]
    _legend(figure, [handles[name] for name in labels], labels)
    return figure


def _difference_label(numbers: Numbers) -> str:
    return f"difference in holdout {numbers.loss_axis}"


def _forest(axes: Axes, arms: list[Arm], seeds: pd.DataFrame, numbers: Numbers) -> None:
    axes.axvline(0, color=INK, linewidth=1)
    for place, arm in enumerate(arms):
        dots = seed_differences(seeds, arm, f"holdout_{numbers.loss}")
        axes.plot(dots, np.full(len(dots), place), "|", color=MUTED, alpha=0.45, markersize=6)
        label, color, marker, face = VERDICTS[arm.verdict]
        _interval(axes, arm.difference, place, color=color, marker=marker, face=face, label=label, across=True)
    axes.set_yticks(range(len(arms)), [plain(arm.name) for arm in arms])
    axes.set_ylim(len(arms) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def seed_differences(seeds: pd.DataFrame, arm: Arm, column: str) -> np.ndarray:
    """An arm's losses less those of its reference, seed by seed; seeds that diverged left out."""
    own = seeds[seeds["section"] == arm.section].pivot_table(index="seed", columns="arm", values=column)
    if arm.name not in own or arm.reference not in own:
        return np.array([])
    return (own[arm.name] - own[arm.reference]).dropna().to_numpy()


def _limits(axes: Axes, intervals: Sequence[Interval]) -> None:
    """As wide as the intervals: a single seed far away would squeeze all others."""
    values = [end for each in intervals for end in (each.low, each.mean, each.high) if end is not None]
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 1
    axes.set_xlim(low - room, high + room)
    axes.xaxis.set_major_locator(MaxNLocator(6))


def learning_curve(arms: list[Arm], laws: dict[str, PowerLaw], numbers: Numbers) -> Figure:
    """Holdout loss against training rows, with the power law that predicts what twice the rows would bring."""
    figure, axes = _axes(3.4)
    known = [arm for arm in arms if arm.x is not None and score_of(arm, "holdout", numbers.loss).mean is not None]
    if not known:
        return figures._note("no training size was scored on holdout rows")
    places = {arm.x for arm in known}
    lowest = [_lowest_shown(known, numbers)]
    for group, (name, color, marker) in GROUPS.items():
        own = [arm for arm in known if arm.group == group]
        if own:
            _points(axes, own, numbers, group, label=name)
        law = laws.get(group)
        if not own or law is None or None in (law.floor, law.scale, law.exponent):
            continue
        places.add(2 * law.rows)
        rows = np.geomspace(min(arm.x for arm in own), 2 * law.rows, 60)
        axes.plot(rows, law.floor + law.scale * rows**-law.exponent, "--", color=color, linewidth=1)
        if law.predicted_twice is not None:
            lowest.append(0.7 * law.predicted_twice)
            axes.plot(2 * law.rows, law.predicted_twice, marker, color=color, markerfacecolor=PAPER, clip_on=False)
    _powers(axes, sorted(places))
    _wide_scale(axes, known, numbers, min(lowest))
    axes.set(xlabel="training rows (dashed and outlined: power law)", ylabel=plain(_holdout(numbers)))
    _legend(figure, *axes.get_legend_handles_labels())
    return figure


def capacity(arms: list[Arm], numbers: Numbers) -> Figure:
    """Training and holdout loss against the units of each hidden layer, with and without the chosen remedy."""
    figure, axes = _axes(3.4)
    widths = [arm for arm in arms if arm.factor == "width" and arm.x is not None]
    widths = [arm for arm in widths if score_of(arm, "holdout", numbers.loss).mean is not None]
    if not widths:
        return figures._note("no width was scored on holdout rows")
    for group, (_, color, marker) in GROUPS.items():
        own = sorted((arm for arm in widths if arm.group == group), key=lambda arm: arm.x)
        if not own:
            continue
        _points(axes, own, numbers, group, label=f"holdout, {group} remedy", line="-")
        train = [(arm.x, score_of(arm, "train", numbers.loss).mean) for arm in own]
        train = [(x, y) for x, y in train if y is not None]
        if train:
            style = {"marker": marker, "markersize": 3, "color": color, "markerfacecolor": PAPER, "linewidth": 1}
            axes.plot(*zip(*train, strict=True), ":", label=f"training, {group} remedy", **style)
    if configured := own_of(widths):  # a linear model has no width
        axes.axvline(configured.x, color=MUTED, linewidth=0.8, zorder=0)
        # Its middle at the line, so that it stays in the picture at either end.
        axes.text(configured.x, 1.01, "configured", ha="center", va="bottom", transform=axes.get_xaxis_transform())
    _powers(axes, sorted({arm.x for arm in widths}), base=2)
    # The training loss of a wide network goes on falling for decades, below the picture.
    lowest = _lowest_shown(widths, numbers)
    lowest = min(lowest, max(_lowest_shown(widths, numbers, "train"), lowest / MOST_BELOW))
    _wide_scale(axes, widths, numbers, lowest)
    axes.set(xlabel="units in each hidden layer", ylabel=plain(numbers.loss_axis))
    _legend(figure, *axes.get_legend_handles_labels())
    return figure


def optimizers(arms: list[Arm], numbers: Numbers, equal_budgets: bool) -> Figure:
    """The holdout loss of each optimizer, at Keras' defaults and tuned, the best on top."""
    kinds = {
        "defaults": ("at Keras' defaults", BLUE, "o", PAPER),
        "tuned": ("tuned, at equal budgets" if equal_budgets else "tuned by the search", ORANGE, "s", ORANGE),
    }
    own = [arm for arm in arms if arm.group in kinds and score_of(arm, "holdout", numbers.loss).mean is not None]
    if not own:
        return figures._note("no optimizer was scored on holdout rows")
    losses: dict[str, list[float]] = {}
    for arm in own:
        losses.setdefault(short_name(arm), []).append(score_of(arm, "holdout", numbers.loss).mean)
    names = sorted(losses, key=lambda name: min(losses[name]))
    figure, axes = _axes(0.9 + 1.5 * ROW * len(names))
    for arm in own:
        label, color, marker, face = kinds[arm.group]
        place = names.index(short_name(arm)) + (-0.16 if arm.group == "tuned" else 0.16)
        loss = score_of(arm, "holdout", numbers.loss)
        _interval(axes, loss, place, color=color, marker=marker, face=face, label=label, across=True)
    _rows(axes, names)
    _limits(axes, [score_of(arm, "holdout", numbers.loss) for arm in own])
    axes.set_xlabel(plain(_holdout(numbers)))
    handles = dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    _legend(figure, list(handles.values()), list(handles))
    return figure


def activations(arms: list[Arm], numbers: Numbers) -> Figure:
    """The holdout loss of each activation, and of each loss that was trained with; the configured one outlined."""
    panels = {
        group: sorted(own, key=lambda arm: score_of(arm, "holdout", numbers.loss).mean)
        for group in ("activation", "loss")
        if (own := _with_loss(arms, group, numbers))
    }
    if not panels:
        return figures._note("no activation was scored on holdout rows")
    rows = [len(panel) for panel in panels.values()]
    figure = Figure(figsize=(WIDTH, 0.7 + 1.2 * ROW * sum(rows) + 0.3 * len(rows)), layout="constrained")
    by_panel = figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=[n + 0.4 for n in rows])[:, 0]
    for axes, (group, panel) in zip(by_panel, panels.items(), strict=True):
        for place, arm in enumerate(panel):
            face = PAPER if arm is own_of(panel) else BLUE
            loss = score_of(arm, "holdout", numbers.loss)
            _interval(axes, loss, place, color=BLUE, marker="o", face=face, label="", across=True)
        _rows(axes, [short_name(arm) + (" (configured)" if arm is own_of(panel) else "") for arm in panel])
        axes.set_title({"activation": "activation", "loss": "loss that is trained with"}[group], color=MUTED)
    _limits(by_panel[-1], [score_of(arm, "holdout", numbers.loss) for panel in panels.values() for arm in panel])
    by_panel[-1].set_xlabel(plain(_holdout(numbers)))
    return figure


def memorization(arms: list[Arm], curves: pd.DataFrame, numbers: Numbers) -> Figure:
    """Training and validation score over the epochs, a panel for each kind of label."""
    figure = Figure(figsize=(WIDTH, 2.7), layout="constrained")
    handles, panels = {}, figure.subplots(1, len(arms), sharey=True, squeeze=False)[0]
    for axes, arm in zip(panels, arms, strict=True):
        table = curve_of(curves, arm)
        for split in ("train", "val"):
            if not _has_numbers(table, f"{split}_{numbers.score}"):
                continue
            name, color, line = SPLITS[split]
            [drawn] = axes.plot(table["epoch"], table[f"{split}_{numbers.score}"], line, color=color, label=name)
            handles[name] = drawn
        axes.set_title(textwrap.fill(arm.name, 16), color=INK)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    if not handles:
        return figures._note("no split was scored after each epoch: no curves")
    panels[0].set_ylabel(numbers.score_name)
    if numbers.score == "accuracy":
        panels[0].set_ylim(0, 1.02)
    else:
        panels[0].set_ylim(max(-1.0, panels[0].get_ylim()[0]), 1.02)
    _legend(figure, list(handles.values()), list(handles))
    return figure


def winner(arms: list[Arm], study: Study, numbers: Numbers) -> Figure:
    """What the search promised and what came, for its winner and for every trial that was the best so far."""
    figure = Figure(figsize=(WIDTH, 4.8), layout="constrained")
    top, below = (part.subplots() for part in figure.subfigures(2, 1, height_ratios=[1, 1.5]))
    _promises(top, {arm.group: arm for arm in arms if arm.group != "incumbent"}, study, numbers)
    path = study.overtuning or []
    if not path:
        below.text(0.5, 0.5, "the search has no path of best trials", ha="center", transform=below.transAxes)
        below.set_axis_off()
        return figure
    trials = [each.trial for each in path]
    promised = {"color": BLUE, "marker": "o", "markerfacecolor": PAPER, "drawstyle": "steps-post"}
    below.plot(trials, [each.promised for each in path], label="promised by the search", **promised)
    found = [(each.trial, each.test) for each in path if each.test is not None and each.test.mean is not None]
    for trial, test in found:
        _interval(
            below, test, trial, color=ORANGE, marker="s", face=ORANGE, label="test set, fresh seeds", across=False
        )
    if found:
        below.plot([trial for trial, _ in found], [test.mean for _, test in found], color=ORANGE, linewidth=0.8)
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    below.set(xlabel="trial of the search that was the best so far", ylabel=plain(numbers.loss_axis))
    handles = dict(zip(*below.get_legend_handles_labels()[::-1], strict=True))
    below.legend(list(handles.values()), list(handles), loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure


def _promises(axes: Axes, arms: dict[str, Arm], study: Study, numbers: Numbers) -> None:
    rows: list[tuple[str, Interval, str]] = []
    if study.optimism:
        promise = Interval(mean=study.optimism.promised, low=None, high=None)
        rows = [("winner, promised by the search", promise, PAPER)]
    for group, arm in sorted(arms.items(), reverse=True):
        for split, name in (("holdout", "fresh seeds"), ("test", "test set")):
            loss = score_of(arm, split, numbers.loss)
            if loss.mean is not None:
                rows.append((f"{group}, {name}", loss, ORANGE if group == "winner" else MUTED))
    for place, (_, loss, face) in enumerate(rows):
        color, marker = (MUTED, "o") if face == MUTED else (ORANGE, "s") if face == ORANGE else (BLUE, "o")
        _interval(axes, loss, place, color=color, marker=marker, face=face, label="", across=True)
    _rows(axes, [name for name, _, _ in rows])
    axes.set_xlabel(plain(numbers.loss_axis))


def curve_of(curves: pd.DataFrame, arm: Arm) -> pd.DataFrame:
    """An arm's mean curves, thinned where there are more epochs than the picture has places."""
    table = curves[(curves["section"] == arm.section) & (curves["arm"] == arm.name)]
    if len(table) <= MOST_POINTS:
        return table
    return table.iloc[np.unique(np.linspace(0, len(table) - 1, MOST_POINTS).round().astype(int))]


def _has_numbers(table: pd.DataFrame, column: str) -> bool:
    return column in table and bool(table[column].notna().any())


def _with_loss(arms: list[Arm], group: str, numbers: Numbers) -> list[Arm]:
    return [arm for arm in arms if arm.group == group and score_of(arm, "holdout", numbers.loss).mean is not None]


def _holdout(numbers: Numbers) -> str:
    return f"holdout {numbers.loss_axis}"


def _axes(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots()


def _legend(figure: Figure, handles: list, labels: list[str]) -> None:
    if labels:
        room = len("".join(labels)) + LETTERS_OF_A_MARK * len(labels)
        columns = len(labels) if room <= LETTERS_IN_A_ROW else 2
        figure.legend(handles, labels, loc="outside upper left", ncols=columns, borderpad=0, handlelength=2.2)


def _interval(
    axes: Axes, interval: Interval, place: float, color: str, marker: str, face: str, label: str, across: bool
) -> None:
    """A mean with its interval, across or upwards."""
    error = None
    if interval.low is not None and interval.high is not None:
        error = [[interval.mean - interval.low], [interval.high - interval.mean]]
    x, y = (interval.mean, place) if across else (place, interval.mean)
    errors = {"xerr" if across else "yerr": error}
    axes.errorbar(
        x, y, fmt=marker, color=color, markerfacecolor=face, label=label, ecolor=(color, 0.6), elinewidth=1.6, **errors
    )


def _points(axes: Axes, arms: list[Arm], numbers: Numbers, group: str, label: str, line: str = "") -> None:
    """Holdout losses with their intervals at each arm's place on its scale."""
    _, color, marker = GROUPS[group]
    arms = sorted(arms, key=lambda arm: arm.x)
    losses = [score_of(arm, "holdout", numbers.loss) for arm in arms]
    known = [each.low is not None and each.high is not None for each in losses]
    errors = [
        [each.mean - each.low if ok else 0 for each, ok in zip(losses, known, strict=True)],
        [each.high - each.mean if ok else 0 for each, ok in zip(losses, known, strict=True)],
    ]
    # A little aside, so that the intervals of both groups can be seen.
    places = [arm.x * ASIDE[group] for arm in arms]
    style = {"color": color, "label": label, "ecolor": (color, 0.5), "elinewidth": 1.4, "linewidth": 1.2}
    axes.errorbar(places, [each.mean for each in losses], errors, fmt=f"{marker}{line}", **style)


def _rows(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), [plain(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)


def _lowest_shown(arms: list[Arm], numbers: Numbers, split: str = "holdout") -> float:
    """Half of the lowest mean, 0 if there is none; an interval that goes on below ends at the picture's edge."""
    means = [score_of(arm, split, numbers.loss).mean for arm in arms]
    return 0.5 * min((mean for mean in means if mean is not None), default=0.0)


def _wide_scale(axes: Axes, arms: list[Arm], numbers: Numbers, lowest: float) -> None:
    """A log scale upwards where one would see nothing of the small losses beside the large ones."""
    losses = [score_of(arm, "holdout", numbers.loss) for arm in arms]
    means = [each.mean for each in losses if each.mean is not None]
    if not means or lowest <= 0 or max(means) < WIDE * min(means):
        return
    axes.set_yscale("log")
    axes.set_ylim(lowest, 1.2 * max(each.mean if each.high is None else each.high for each in losses))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _powers(axes: Axes, places: list[float], base: int = 10) -> None:
    """A log scale that names the places that were tried."""
    if not places or min(places) <= 0:
        return
    axes.set_xscale("log", base=base)
    axes.set_xticks(places, [f"{place:,.0f}" for place in places])
    axes.xaxis.set_minor_locator(NullLocator())
