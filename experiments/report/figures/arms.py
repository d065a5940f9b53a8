"""Pictures with a row for each arm: the remedies' differences, and the losses of optimizers and activations."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.records import Arm
from experiments.report.arms import (
    by_difference,
    by_loss,
    difference_of,
    reference_of,
    remedy_name,
    score_of,
    short_name,
)
from experiments.report.figures.parts import (
    NO_CHANGE,
    ROW,
    WIDTH,
    draw_forest,
    draw_interval,
    draw_nothing,
    handles_of,
    holdout_label,
    legend,
    limit_to,
    name_rows,
    page_axes,
    plain,
    verdict_marks,
)
from experiments.report.language import _
from experiments.report.numbers import Numbers
from experiments.report.svg import MUTED, PAPER
from pipeline.figures.style import BLUE, ORANGE, note

VERDICTS = verdict_marks("helps", "hurts")


def remedies(arms: list[Arm], more: Arm | None, seeds: pd.DataFrame, numbers: Numbers) -> Figure:
    """Draw a forest plot: differences with their intervals, each seed's as a stroke; left of the line is better."""
    compared = by_difference(arms)
    panels = {
        _("more data, against half of it"): [more] if more else [],
        _("alone, against the baseline"): [arm for arm in compared if arm.group == "single"],
        _("all together, against the baseline"): [arm for arm in compared if arm.group == "together"],
        _("all but one, against all together"): [arm for arm in compared if arm.group == "leave_one_out"],
    }
    panels = {title: rows for title, rows in panels.items() if rows}
    if not panels:
        return note(_("no remedy was compared with the baseline"))
    figure, by_panel = _panels([len(panel) for panel in panels.values()], ROW, 0.9)
    for axes, (title, panel) in zip(by_panel, panels.items(), strict=True):
        _forest(axes, panel, seeds, numbers)
        axes.set_title(title, color=MUTED)
    limit_to(by_panel[-1], [difference_of(arm) for panel in panels.values() for arm in panel] + [NO_CHANGE])
    label = _("change of the {loss} on new rows\nleft of the line is better")
    by_panel[-1].set_xlabel(plain(label.format(loss=numbers.loss_axis)))
    handles, names = handles_of(*by_panel), [_(mark.label) for mark in VERDICTS.values()]
    legend(figure, {name: handles[name] for name in names if name in handles})
    return figure


def _panels(rows: list[int], row: float, height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with a panel for each number of rows, and the panels; heights are in inches."""
    figure = Figure(figsize=(WIDTH, height + row * sum(rows) + 0.3 * len(rows)), layout="constrained")
    heights = [n + 0.4 for n in rows]
    return figure, list(figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0])


def _forest(axes: Axes, arms: list[Arm], seeds: pd.DataFrame, numbers: Numbers) -> None:
    for place, arm in enumerate(arms):
        dots = seed_differences(seeds, arm, f"holdout_{numbers.loss}")
        axes.plot(dots, np.full(len(dots), place), "|", color=MUTED, alpha=0.45, markersize=6)
    draw_forest(axes, [(remedy_name(arm), difference_of(arm), VERDICTS[arm.verdict]) for arm in arms])
    axes.spines["left"].set_visible(False)


def seed_differences(seeds: pd.DataFrame, arm: Arm, column: str) -> np.ndarray:
    """Return an arm's losses less those of its reference, for each seed that has both."""
    by_arm = seeds[seeds["section"] == arm.section].pivot_table(index="seed", columns="arm", values=column)
    if arm.name not in by_arm or arm.reference not in by_arm:
        return np.array([])
    return (by_arm[arm.name] - by_arm[arm.reference]).dropna().to_numpy()


def optimizers(arms: list[Arm], numbers: Numbers, nothing: float | None) -> Figure:
    """Draw the holdout loss of each optimizer, at Keras' defaults and at the best of ten settings, the best on top."""
    kinds = {
        "defaults": (_("at Keras' defaults"), BLUE, "o", PAPER),
        "tuned": (_("at the best of ten settings"), ORANGE, "s", ORANGE),
    }
    shown = [arm for arm in by_loss(arms, numbers.loss) if arm.chosen and arm.group in kinds]
    if not shown:
        return note(_("no optimizer was scored on holdout rows"))
    names = list(dict.fromkeys(short_name(arm) for arm in shown))
    figure, axes = page_axes(0.9 + 1.5 * ROW * len(names))
    for arm in shown:
        label, color, marker, face = kinds[arm.group]
        place = names.index(short_name(arm)) + (-0.16 if arm.group == "tuned" else 0.16)
        loss = score_of(arm, "holdout", numbers.loss)
        draw_interval(axes, loss, place, color, marker, face, label, across=True)
    name_rows(axes, names)
    limit_to(axes, [score_of(arm, "holdout", numbers.loss) for arm in shown])
    draw_nothing(axes, nothing, upright=True)
    axes.set_xlabel(holdout_label(numbers))
    legend(figure, handles_of(axes))
    return figure


def activations(arms: list[Arm], numbers: Numbers, nothing: float | None) -> Figure:
    """Draw the holdout loss of each activation and of each training loss, with the configured one outlined."""
    panels = {
        group: members
        for group in ("activation", "loss")
        if (members := by_loss([arm for arm in arms if arm.group == group], numbers.loss))
    }
    if not panels:
        return note(_("no activation was scored on holdout rows"))
    figure, by_panel = _panels([len(panel) for panel in panels.values()], 1.2 * ROW, 0.7)
    for axes, (group, panel) in zip(by_panel, panels.items(), strict=True):
        for place, arm in enumerate(panel):
            face = PAPER if arm is reference_of(panel) else BLUE
            loss = score_of(arm, "holdout", numbers.loss)
            draw_interval(axes, loss, place, BLUE, "o", face, label="", across=True)
        configured = reference_of(panel)
        names = [
            _("{choice} (configured)").format(choice=short_name(arm)) if arm is configured else short_name(arm)
            for arm in panel
        ]
        name_rows(axes, names)
        title = {"activation": _("activation"), "loss": _("loss that is trained with")}[group]
        axes.set_title(title, color=MUTED)
    limit_to(by_panel[-1], [score_of(arm, "holdout", numbers.loss) for panel in panels.values() for arm in panel])
    for axes in by_panel:
        draw_nothing(axes, nothing, upright=True)
    by_panel[-1].set_xlabel(holdout_label(numbers))
    return figure
