"""The report's pictures, from the study's records alone.

Whatever a colour (of Okabe and Ito's palette) tells apart, a mark, a line style or a label tells apart too.
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

from experiments.records import Arm, Interval, Overfits, PowerLaw, Study
from experiments.report.arms import (
    BEYOND_NOTHING,
    NO_DIFFERENCE,
    best_so_far,
    by_difference,
    by_loss,
    more_data,
    reference_of,
    remedy_name,
    score_of,
    short_name,
)
from experiments.report.numbers import Numbers
from experiments.report.svg import GRID, INK, MUTED, PAPER
from pipeline.figures.style import BLUE, GREEN, ORANGE, PURPLE, STYLE, note

SPLITS = {"train": ("training", BLUE, "-"), "holdout": ("holdout", ORANGE, "--")}
GROUPS = {"without": ("without a remedy", BLUE, "o"), "with": ("with the chosen remedy", ORANGE, "s")}
VERDICTS = {
    "helps": ("helps", BLUE, "o", BLUE),
    "hurts": ("hurts", ORANGE, "D", ORANGE),
    BEYOND_NOTHING: (BEYOND_NOTHING, PURPLE, "s", PURPLE),
    NO_DIFFERENCE: (NO_DIFFERENCE, MUTED, "o", PAPER),
    None: ("no verdict", MUTED, "x", MUTED),
}
ASIDE = {"without": 0.975, "with": 1.025}
ASIDE_TRIALS = 0.16
WORTH = {  # each field of the best trial so far, with its label, colour and mark
    "same_rows": ("fresh seeds, same rows", BLUE, "^"),
    "fresh": ("fresh seeds, rows that chose nothing", GREEN, "s"),
    "test": ("fresh seeds, test rows", ORANGE, "D"),
}
NO_CHANGE = Interval(mean=0.0)
WIDTH, ROW = 5.4, 0.24  # inches
MOST_POINTS = 200
LETTERS_OF_A_MARK, LETTERS_IN_A_ROW = 10, 78  # widths in a legend, in letters
MOST_BELOW = 30.0  # a training loss is shown down to the lowest holdout loss divided by this
WIDE = 6.0  # losses have a log scale where the largest is at least so many times the smallest

PAGE_STYLE = STYLE | {
    "font.size": 9.5, "axes.edgecolor": MUTED, "axes.labelcolor": INK, "text.color": INK, "xtick.color": MUTED,
    "ytick.color": MUTED, "xtick.labelcolor": INK, "ytick.labelcolor": INK, "grid.color": GRID, "grid.alpha": 1,
    "grid.linewidth": 0.6, "axes.linewidth": 0.8, "axes.axisbelow": True, "legend.frameon": False,
    "legend.fontsize": 9.5, "figure.facecolor": PAPER, "axes.facecolor": "none", "lines.linewidth": 1.6,
    "lines.markersize": 5, "axes.titlesize": 9.5, "axes.titlelocation": "left",
}  # fmt: skip


def draw(study: Study, curves: pd.DataFrame, seeds: pd.DataFrame, numbers: Numbers) -> dict[str, str]:
    """Return every picture by its name, as SVG; a section that is not in the study has a note that says so."""
    floor = study.about.knowing_nothing.get("holdout", {})
    nothing = floor.get(numbers.loss)
    pictures: dict[str, Callable[[list[Arm]], Figure]] = {
        "remedies": lambda arms: remedies(arms, more_data(study), seeds, numbers),
        "learning_curve": lambda arms: learning_curve(arms, study.power_law or {}, numbers, nothing),
        "capacity": lambda arms: capacity(arms, numbers, nothing),
        "optimizers": lambda arms: optimizers(arms, numbers, nothing),
        "activations": lambda arms: activations(arms, numbers, nothing),
        "memorization": lambda arms: memorization(arms, curves, numbers, floor.get(numbers.score)),
        "winner": lambda _: winner(study, numbers, nothing),
    }
    with matplotlib.rc_context(PAGE_STYLE):
        base = study.section("remedies")[0]
        drawn = {"baseline": baseline(base, curves, study.overfits, numbers, nothing)}
        for name, picture in pictures.items():
            arms = study.section(name)
            drawn[name] = picture(arms) if arms else note(f"{name.replace('_', ' ')}: not in this study")
        return {name: _as_svg(figure) for name, figure in drawn.items()}


def _as_svg(figure: Figure) -> str:
    """Return the figure as SVG text, which is the same for the same figure."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def plain(text: str) -> str:
    """Return a user's text with its dollar signs escaped, which Matplotlib would take for mathematics."""
    return text.replace("$", r"\$")


def baseline(arm: Arm, curves: pd.DataFrame, overfits: Overfits, numbers: Numbers, nothing: float | None) -> Figure:
    """Draw the baseline's mean losses over the epochs and, where training on hurts, the epoch of the onset."""
    table = curve_of(curves, arm)
    shown = [split for split in SPLITS if _has_numbers(table, f"{split}_{numbers.loss}")]
    if not shown:
        return note("no split was scored after each epoch: no curves")
    figure, axes = _axes(3.2)
    for split in shown:
        name, color, line = SPLITS[split]
        axes.plot(table["epoch"], table[f"{split}_{numbers.loss}"], line, color=color, label=name)
    if "holdout" in shown:
        # The first epochs run out of the picture, so that the rise at the end can be seen.
        top = 3 * table[f"holdout_{numbers.loss}"].iloc[-1]
        lowest = 0 if numbers.loss == "cross_entropy" else axes.get_ylim()[0]
        axes.set_ylim(lowest, min(axes.get_ylim()[1], lowest + top))
    if overfits.rises and overfits.onset_epoch is not None:
        axes.axvline(overfits.onset_epoch, color=INK, linewidth=1)
        # The text stands above the picture and is aligned so that it does not reach beyond its sides.
        share = overfits.onset_epoch / table["epoch"].max()
        side = "left" if share < 0.25 else "right" if share > 0.75 else "center"
        text = f"new rows get worse: epoch {overfits.onset_epoch:.0f}"
        axes.text(overfits.onset_epoch, 1.01, text, ha=side, va="bottom", transform=axes.get_xaxis_transform())
        if overfits.onset_range and overfits.onset_range[0] < overfits.onset_range[1]:
            axes.axvspan(*overfits.onset_range, color=MUTED, alpha=0.12, linewidth=0)
    axes.set(xlabel="epoch", ylabel=plain(numbers.loss_axis), xlim=(0, table["epoch"].max()))
    _nothing(axes, nothing)
    _legend(figure, *axes.get_legend_handles_labels())
    return figure


def remedies(arms: list[Arm], more: Arm | None, seeds: pd.DataFrame, numbers: Numbers) -> Figure:
    """Draw a forest plot: differences with their intervals, each seed's as a stroke; left of the line is better."""
    compared = by_difference(arms)
    panels = {
        "more data, against half of it": [more] if more else [],
        "alone, against the baseline": [arm for arm in compared if arm.group == "single"],
        "all together, against the baseline": [arm for arm in compared if arm.group == "together"],
        "all but one, against all together": [arm for arm in compared if arm.group == "leave_one_out"],
    }
    shown = [arm for panel in panels.values() for arm in panel]
    panels = {title: rows for title, rows in panels.items() if rows}
    if not panels:
        return note("no remedy was compared with the baseline")
    rows = [len(panel) for panel in panels.values()]
    figure = Figure(figsize=(WIDTH, 0.9 + ROW * sum(rows) + 0.3 * len(rows)), layout="constrained")
    by_panel = figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=[n + 0.4 for n in rows])[:, 0]
    for axes, (title, panel) in zip(by_panel, panels.items(), strict=True):
        _forest(axes, panel, seeds, numbers)
        axes.set_title(title, color=MUTED)
    _limits(by_panel[-1], [arm.difference for arm in shown] + [NO_CHANGE])
    by_panel[-1].set_xlabel(f"{plain(_difference_label(numbers))}\nleft of the line is better")
    handles = {}
    for axes in by_panel:
        handles |= dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    labels = [name for name, *_ in VERDICTS.values() if name in handles]
    _legend(figure, [handles[name] for name in labels], labels)
    return figure


def _difference_label(numbers: Numbers) -> str:
    return f"change of the {numbers.loss_axis} on new rows"


def _forest(axes: Axes, arms: list[Arm], seeds: pd.DataFrame, numbers: Numbers) -> None:
    axes.axvline(0, color=INK, linewidth=1)
    for place, arm in enumerate(arms):
        dots = seed_differences(seeds, arm, f"holdout_{numbers.loss}")
        axes.plot(dots, np.full(len(dots), place), "|", color=MUTED, alpha=0.45, markersize=6)
        label, color, marker, face = VERDICTS[arm.verdict]
        _interval(axes, arm.difference, place, color=color, marker=marker, face=face, label=label, across=True)
    axes.set_yticks(range(len(arms)), [plain(remedy_name(arm)) for arm in arms])
    axes.set_ylim(len(arms) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def seed_differences(seeds: pd.DataFrame, arm: Arm, column: str) -> np.ndarray:
    """Return an arm's losses less those of its reference, for each seed that has both."""
    by_arm = seeds[seeds["section"] == arm.section].pivot_table(index="seed", columns="arm", values=column)
    if arm.name not in by_arm or arm.reference not in by_arm:
        return np.array([])
    return (by_arm[arm.name] - by_arm[arm.reference]).dropna().to_numpy()


def _nothing(axes: Axes, value: float | None, upright: bool = False, named: bool = True) -> None:
    """Draw a line at the score of knowing nothing, where that lies within the picture."""
    low, high = axes.get_xlim() if upright else axes.get_ylim()
    if value is None or not low < value < high:
        return
    style = {"color": MUTED, "linewidth": 1, "linestyle": (0, (1, 2)), "zorder": 0}
    if upright:
        axes.axvline(value, **style)
        axes.set_xlim(low, high)
        place = {"x": value, "y": 0.02, "ha": "right", "va": "bottom", "rotation": 90}
        transform = axes.get_xaxis_transform()
    else:
        axes.axhline(value, **style)
        axes.set_ylim(low, high)
        place = {"x": 0.99, "y": value, "ha": "right", "va": "bottom"}
        transform = axes.get_yaxis_transform()
    if named:
        axes.text(s="knowing nothing", color=MUTED, transform=transform, fontsize=8.5, **place)


def _limits(axes: Axes, intervals: Sequence[Interval]) -> None:
    """Make a picture as wide as the intervals, since a single seed far away would squeeze all others."""
    values = [end for interval in intervals for end in (interval.low, interval.mean, interval.high) if end is not None]
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 1
    axes.set_xlim(low - room, high + room)
    axes.xaxis.set_major_locator(MaxNLocator(6))


def learning_curve(arms: list[Arm], laws: dict[str, PowerLaw], numbers: Numbers, nothing: float | None) -> Figure:
    """Draw the holdout loss against training rows, with the power law and its prediction for twice the rows."""
    figure, axes = _axes(3.4)
    known = [arm for arm in arms if arm.x is not None and score_of(arm, "holdout", numbers.loss).mean is not None]
    if not known:
        return note("no training size was scored on holdout rows")
    places = {arm.x for arm in known}
    lowest = [_lowest_shown(known, numbers)]
    for group, (name, color, marker) in GROUPS.items():
        members = [arm for arm in known if arm.group == group]
        if members:
            _points(axes, members, numbers, group, label=name)
        law = laws.get(group)
        if not members or law is None or None in (law.floor, law.scale, law.exponent):
            continue
        places.add(2 * law.rows)
        rows = np.geomspace(min(arm.x for arm in members), 2 * law.rows, 60)
        axes.plot(rows, law.floor + law.scale * rows**-law.exponent, "--", color=color, linewidth=1)
        if law.predicted_twice is not None:
            lowest.append(0.7 * law.predicted_twice)
            axes.plot(2 * law.rows, law.predicted_twice, marker, color=color, markerfacecolor=PAPER, clip_on=False)
    _powers(axes, sorted(places))
    _wide_scale(axes, known, numbers, min(lowest))
    _nothing(axes, nothing)
    axes.set(xlabel="training rows (dashed and outlined: power law)", ylabel=plain(_holdout(numbers)))
    _legend(figure, *axes.get_legend_handles_labels())
    return figure


def capacity(arms: list[Arm], numbers: Numbers, nothing: float | None) -> Figure:
    """Draw the training and holdout loss against the units of each hidden layer, with and without the chosen remedy."""
    figure, axes = _axes(3.4)
    widths = [arm for arm in arms if arm.factor == "width" and arm.x is not None]
    widths = [arm for arm in widths if score_of(arm, "holdout", numbers.loss).mean is not None]
    if not widths:
        return note("no width was scored on holdout rows")
    for group, (_, color, marker) in GROUPS.items():
        members = sorted((arm for arm in widths if arm.group == group), key=lambda arm: arm.x)
        if not members:
            continue
        _points(axes, members, numbers, group, label=f"holdout, {group} remedy", line="-")
        train = [(arm.x, score_of(arm, "train", numbers.loss).mean) for arm in members]
        train = [(x, y) for x, y in train if y is not None]
        if train:
            style = {"marker": marker, "markersize": 3, "color": color, "markerfacecolor": PAPER, "linewidth": 1}
            axes.plot(*zip(*train, strict=True), ":", label=f"training, {group} remedy", **style)
    if configured := reference_of(widths):  # a linear model has no width
        axes.axvline(configured.x, color=MUTED, linewidth=0.8, zorder=0)
        # The text is centred on the line, so that it stays in the picture at either end.
        axes.text(configured.x, 1.01, "configured", ha="center", va="bottom", transform=axes.get_xaxis_transform())
    _powers(axes, sorted({arm.x for arm in widths}), base=2)
    # A wide network's training loss falls by many powers of ten, so the picture ends before it does.
    lowest = _lowest_shown(widths, numbers)
    lowest = min(lowest, max(_lowest_shown(widths, numbers, "train"), lowest / MOST_BELOW))
    _wide_scale(axes, widths, numbers, lowest)
    _nothing(axes, nothing)
    axes.set(xlabel="units in each hidden layer", ylabel=plain(numbers.loss_axis))
    _legend(figure, *axes.get_legend_handles_labels())
    return figure


def optimizers(arms: list[Arm], numbers: Numbers, nothing: float | None) -> Figure:
    """Draw the holdout loss of each optimizer, at Keras' default rate and at the best of five, the best on top."""
    kinds = {
        "defaults": ("at Keras' defaults", BLUE, "o", PAPER),
        "tuned": ("at the best of five learning rates", ORANGE, "s", ORANGE),
    }
    shown = [arm for arm in by_loss(arms, numbers.loss) if arm.chosen and arm.group in kinds]
    if not shown:
        return note("no optimizer was scored on holdout rows")
    losses: dict[str, list[float]] = {}
    for arm in shown:
        losses.setdefault(short_name(arm), []).append(score_of(arm, "holdout", numbers.loss).mean)
    names = sorted(losses, key=lambda name: min(losses[name]))
    figure, axes = _axes(0.9 + 1.5 * ROW * len(names))
    for arm in shown:
        label, color, marker, face = kinds[arm.group]
        place = names.index(short_name(arm)) + (-0.16 if arm.group == "tuned" else 0.16)
        loss = score_of(arm, "holdout", numbers.loss)
        _interval(axes, loss, place, color=color, marker=marker, face=face, label=label, across=True)
    _rows(axes, names)
    _limits(axes, [score_of(arm, "holdout", numbers.loss) for arm in shown])
    _nothing(axes, nothing, upright=True)
    axes.set_xlabel(plain(_holdout(numbers)))
    handles = dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    _legend(figure, list(handles.values()), list(handles))
    return figure


def activations(arms: list[Arm], numbers: Numbers, nothing: float | None) -> Figure:
    """Draw the holdout loss of each activation and of each training loss, with the configured one outlined."""
    panels = {
        group: members
        for group in ("activation", "loss")
        if (members := by_loss([arm for arm in arms if arm.group == group], numbers.loss))
    }
    if not panels:
        return note("no activation was scored on holdout rows")
    rows = [len(panel) for panel in panels.values()]
    figure = Figure(figsize=(WIDTH, 0.7 + 1.2 * ROW * sum(rows) + 0.3 * len(rows)), layout="constrained")
    by_panel = figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=[n + 0.4 for n in rows])[:, 0]
    for axes, (group, panel) in zip(by_panel, panels.items(), strict=True):
        for place, arm in enumerate(panel):
            face = PAPER if arm is reference_of(panel) else BLUE
            loss = score_of(arm, "holdout", numbers.loss)
            _interval(axes, loss, place, color=BLUE, marker="o", face=face, label="", across=True)
        _rows(axes, [short_name(arm) + (" (configured)" if arm is reference_of(panel) else "") for arm in panel])
        axes.set_title({"activation": "activation", "loss": "loss that is trained with"}[group], color=MUTED)
    _limits(by_panel[-1], [score_of(arm, "holdout", numbers.loss) for panel in panels.values() for arm in panel])
    for axes in by_panel:
        _nothing(axes, nothing, upright=True)
    by_panel[-1].set_xlabel(plain(_holdout(numbers)))
    return figure


def memorization(arms: list[Arm], curves: pd.DataFrame, numbers: Numbers, nothing: float | None) -> Figure:
    """Draw the training and holdout score over the epochs, a panel for each kind of label."""
    figure = Figure(figsize=(WIDTH, 2.7), layout="constrained")
    handles, panels = {}, figure.subplots(1, len(arms), sharey=True, squeeze=False)[0]
    for axes, arm in zip(panels, arms, strict=True):
        table = curve_of(curves, arm)
        for split, (name, color, line) in SPLITS.items():
            column = f"{split}_{numbers.score}"
            if not _has_numbers(table, column):
                continue
            [drawn] = axes.plot(table["epoch"], numbers.score_factor * table[column], line, color=color, label=name)
            handles[name] = drawn
        axes.set_title(textwrap.fill(arm.name, 16), color=INK)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    if not handles:
        return note("no split was scored after each epoch: no curves")
    panels[0].set_ylabel(numbers.score_label)
    lowest = 0 if numbers.score == "accuracy" else max(-1.0, panels[0].get_ylim()[0])
    panels[0].set_ylim(lowest, 1.02 * numbers.score_factor)
    if nothing is not None:
        for place, axes in enumerate(panels):
            _nothing(axes, numbers.score_factor * nothing, named=place == 0)
    _legend(figure, list(handles.values()), list(handles))
    return figure


def winner(study: Study, numbers: Numbers, nothing: float | None) -> Figure:
    """Draw the best trial so far against the number of trials: its promised loss, and its losses with fresh seeds."""
    path = best_so_far(study)
    if not path:
        return note("the search has no path of best trials")
    figure, axes = _axes(3.6)
    places = np.arange(len(path))
    promised = {"color": INK, "marker": "o", "markerfacecolor": PAPER, "drawstyle": "steps-post"}
    axes.plot(places, [trial.promised for _, trial in path], label="promised by the search", **promised)
    for number, (name, (label, color, marker)) in enumerate(WORTH.items()):
        for place, (_, trial) in zip(places, path, strict=True):
            loss = getattr(trial, name)
            if loss is not None and loss.mean is not None:
                beside = place + ASIDE_TRIALS * (number - 1)
                _interval(axes, loss, beside, color=color, marker=marker, face=color, label=label, across=False)
    axes.set_ylim(0 if numbers.loss == "cross_entropy" else None)
    axes.set_xticks(places, [f"{tried:,}" for tried, _ in path])
    axes.set_xlim(-0.5, len(path) - 0.5)
    _nothing(axes, nothing)
    axes.set(xlabel="best of so many trials", ylabel=plain(numbers.loss_axis))
    handles = dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    _legend(figure, list(handles.values()), list(handles))
    return figure


def curve_of(curves: pd.DataFrame, arm: Arm) -> pd.DataFrame:
    """Return an arm's mean curves, thinned to at most `MOST_POINTS` epochs."""
    table = curves[(curves["section"] == arm.section) & (curves["arm"] == arm.name)]
    if len(table) <= MOST_POINTS:
        return table
    return table.iloc[np.unique(np.linspace(0, len(table) - 1, MOST_POINTS).round().astype(int))]


def _has_numbers(table: pd.DataFrame, column: str) -> bool:
    return column in table and bool(table[column].notna().any())


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
    """Draw a mean with its interval, across or upwards."""
    error = None
    if interval.low is not None and interval.high is not None:
        error = [[interval.mean - interval.low], [interval.high - interval.mean]]
    x, y = (interval.mean, place) if across else (place, interval.mean)
    errors = {"xerr" if across else "yerr": error}
    axes.errorbar(
        x, y, fmt=marker, color=color, markerfacecolor=face, label=label, ecolor=(color, 0.6), elinewidth=1.6, **errors
    )


def _points(axes: Axes, arms: list[Arm], numbers: Numbers, group: str, label: str, line: str = "") -> None:
    """Draw holdout losses with their intervals at each arm's place on its scale."""
    _, color, marker = GROUPS[group]
    arms = sorted(arms, key=lambda arm: arm.x)
    losses = [score_of(arm, "holdout", numbers.loss) for arm in arms]
    known = [loss.low is not None and loss.high is not None for loss in losses]
    errors = [
        [loss.mean - loss.low if ok else 0 for loss, ok in zip(losses, known, strict=True)],
        [loss.high - loss.mean if ok else 0 for loss, ok in zip(losses, known, strict=True)],
    ]
    # Both groups are moved a little aside, so that the intervals of both can be seen.
    places = [arm.x * ASIDE[group] for arm in arms]
    style = {"color": color, "label": label, "ecolor": (color, 0.5), "elinewidth": 1.4, "linewidth": 1.2}
    axes.errorbar(places, [loss.mean for loss in losses], errors, fmt=f"{marker}{line}", **style)


def _rows(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), [plain(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)


def _lowest_shown(arms: list[Arm], numbers: Numbers, split: str = "holdout") -> float:
    """Return half of the lowest mean, where intervals that reach lower are cut off; 0 if there is no mean."""
    means = [score_of(arm, split, numbers.loss).mean for arm in arms]
    return 0.5 * min((mean for mean in means if mean is not None), default=0.0)


def _wide_scale(axes: Axes, arms: list[Arm], numbers: Numbers, lowest: float) -> None:
    """Give the losses a log scale where the small ones would not be visible beside the large ones."""
    losses = [score_of(arm, "holdout", numbers.loss) for arm in arms]
    means = [loss.mean for loss in losses if loss.mean is not None]
    if not means or lowest <= 0 or max(means) < WIDE * min(means):
        return
    axes.set_yscale("log")
    axes.set_ylim(lowest, 1.2 * max(loss.mean if loss.high is None else loss.high for loss in losses))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _powers(axes: Axes, places: list[float], base: int = 10) -> None:
    """Give the horizontal axis a log scale with a tick at each of these places."""
    if not places or min(places) <= 0:
        return
    axes.set_xscale("log", base=base)
    axes.set_xticks(places, [f"{place:,.0f}" for place in places])
    axes.xaxis.set_minor_locator(NullLocator())
