"""The choices of a study before it looks at the test set: what to recommend, what the search's winner is worth."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from experiments import records as record
from experiments.study.arm_records import metrics, settings_of
from experiments.study.compared import Compared, loss_factor, over_nothing
from experiments.study.scored import Scored, best, crossfitted
from pipeline.settings import ArmSection, Dimension, Settings
from pipeline.statistics.comparisons import estimates
from pipeline.statistics.intervals import SIGNIFICANCE, Interval
from pipeline.statistics.learning_curve import what_twice_the_data_brings
from pipeline.statistics.scores import METRICS, Task

# Only arms of these sections and groups may be recommended.
CANDIDATES: dict[ArmSection, tuple[str, ...]] = {"remedies": ("single", "together"), "winner": ("winner",)}
OTHER_SCORES: dict[Task, tuple[record.OtherScore, ...]] = {
    "classification": ("accuracy", "brier"),
    "regression": ("mae",),
}
EDGE = 0.05  # of a range, on its own scale, that counts as its end


def chosen_remedy(remedies: Compared) -> Scored | None:
    """Return the remedy, alone or all together, with the lowest holdout loss; None where there is no remedy."""
    candidates = remedies.choices(*CANDIDATES["remedies"])
    return best(candidates) if candidates else None


def overfits(remedies: Compared) -> record.Overfits:
    """Say whether the baseline does worse on new rows than on those it was trained on, and whether training on hurts.

    The latter is told by the comparison of the baseline at its best epoch with the baseline.
    """
    base, [at_best] = remedies.arms[0], remedies.choices("best_epoch")
    loss, score = METRICS[base.rows.problem.task]
    gap = {name: base.gap(name) for name in (loss, score)}
    least_gap, rise = gap[loss].low, remedies.judged[at_best.name].verdict.difference.negated()
    train_rise, onsets = base.table["train_rise"].mean(), base.table["onset_epoch"].dropna()
    return record.Overfits(
        answer=None if least_gap is None else least_gap > 0,
        gap=gap,
        rises=None if rise.low is None else bool(rise.low > 0 and not train_rise > 0),
        rise=rise,
        score_rise=base.worse_than(at_best, score),
        train_rise=float(train_rise) if np.isfinite(train_rise) else None,
        onset_epoch=float(onsets.median()) if len(onsets) else None,
        onset_range=(float(onsets.min()), float(onsets.max())) if len(onsets) else None,
    )


def recommended(sections: Mapping[ArmSection, Compared], base: Scored) -> tuple[Scored, Scored]:
    """Return the arm to use, and the same arm with scores on rows that did not choose it.

    Of the candidates it is the one with the lowest holdout loss.
    """
    competing = candidates(sections, base)
    judged = judged_alike(competing)
    place = int(np.argmin([arm.mean_loss for arm in judged]))
    return competing[place], crossfitted(judged)


def candidates(sections: Mapping[ArmSection, Compared], base: Scored) -> list[Scored]:
    """Return the baseline and the arms that help, by the verdicts of their sections.

    These may be the remedies, alone and all together, against the baseline, and the search's winner, against the
    default that the search began with.
    """
    helping = [
        arm
        for name, groups in CANDIDATES.items()
        if name in sections
        for arm in sections[name].choices(*groups)
        if sections[name].finding(arm) == "helps"
    ]
    return [base, *helping]


def judged_alike(competing: list[Scored]) -> list[Scored]:
    """Return the candidates on the rows that may judge all of them: not those that the search chose its winner by."""
    if any(arm.section == "winner" for arm in competing):
        return [replace(arm, judging=~arm.rows.searched) for arm in competing]
    return competing


def by_other_scores(
    sections: Mapping[ArmSection, Compared], competing: list[Scored], by_loss: Scored
) -> list[record.OtherChoice]:
    """Return what the candidates' other scores would recommend, in the same way and by the same rows as the loss.

    Args:
        competing: see `candidates`; there is nothing to say of one alone.
        by_loss: the recommended arm with scores on rows that did not choose it.
    """
    choices = []
    for name in OTHER_SCORES[by_loss.rows.problem.task] if len(competing) > 1 else ():
        choice = crossfitted(judged_alike([_at_strength_by(name, arm, sections) for arm in competing]), name)
        is_same = (choice.section, choice.name) == (by_loss.section, by_loss.name)
        [estimate] = estimates([choice.judged_rows(name) - by_loss.judged_rows(name)], choice.rows.ring)
        choices.append(
            record.OtherChoice(
                score=name,
                section=choice.section,
                arm=choice.name,
                difference=None if is_same else estimate.interval(),
            )
        )
    return choices


def _at_strength_by(score: record.OtherScore, arm: Scored, sections: Mapping[ArmSection, Compared]) -> Scored:
    """Return the choice by a score among the strengths of an arm's remedy; an arm that competes with none as it is."""
    options = arm.configuration.options
    if options is None:
        return arm
    strengths = [other for other in sections[arm.section].arms if other.configuration.options == options]
    # The strength that the loss has chosen has the scores of that choice, and here competes with its own.
    return crossfitted([replace(other, row_scores=other.result.row_scores, picks=None) for other in strengths], score)


def recommendation(
    arm: Scored, by_others: Scored, base: Scored, test: dict[str, Interval] | None
) -> record.Recommendation:
    """Return the recommended arm as it stands in `study.json`.

    Args:
        by_others: the arm with scores on rows that did not choose it.
        test: its scores on the test set; None where there are none.
    """
    beyond = over_nothing(by_others)
    factor = loss_factor(by_others.loss, by_others.mean_loss, by_others.floor_loss)
    return record.Recommendation(
        section=arm.section,
        arm=arm.name,
        helps=arm is not base,
        settings=settings_of(arm.configuration),
        holdout=metrics(by_others)["holdout"],
        test=test,
        over_nothing=beyond.interval().scaled(factor),
        beats_nothing=None if beyond.p is None else bool(beyond.mean < 0 and beyond.p < SIGNIFICANCE),
    )


def optimism(
    winner: Compared | None, tested: dict[str, dict[str, Interval]], search: dict[str, Any], settings: Settings
) -> record.Optimism | None:
    """Return what the search promised of its winner, and what became of it; None without the section on the winner.

    Args:
        tested: the scores on the test set, by the arm's name.
        search: the content of `search.json`.
    """
    if winner is None:
        return None
    [arm] = winner.choices("winner")
    promised, losses = _promised(search["best"], arm), _losses(arm, tested)
    return record.Optimism(
        trial=search["best"]["trial"],
        trials=sum(search["counts"].get(state, 0) for state in ("complete", "pruned")),
        promised=promised,
        **losses,
        optimism_fresh=_less(losses["fresh"], promised),
        optimism_test=_less(losses["test"], promised),
        beats_default=winner.finding(arm),
        judged_on="holdout" if arm.judging.any() else "test",
        at_edge=at_edge(settings.search.space, search["best"]["settings"]),
    )


def _promised(trial: dict[str, Any], arm: Scored) -> float:
    """Return the validation loss of a trial as `search.json` describes it, whatever score the search went by."""
    return trial["facts"][f"validation_{arm.loss}"]


def _losses(arm: Scored, tested: dict[str, dict[str, Interval]]) -> dict[str, Interval | None]:
    """Return an arm's losses on the rows that the search chose by, on those that it did not, and on the test set."""
    searched = arm.rows.searched
    return {
        "same_rows": arm.loss_on(searched),
        "fresh": arm.loss_on(~searched),
        "test": tested.get(arm.name, {}).get(arm.loss),
    }


def _less(score: Interval | None, promised: float) -> float | None:
    return None if score is None or score.mean is None else score.mean - promised


def at_edge(space: dict[str, Dimension], trial: dict[str, dict[str, Any]]) -> list[str]:
    """Name the settings of a trial that lie at an end of what was searched, so that the best may lie beyond."""
    values = {f"{section}.{name}": value for section, of in trial.items() for name, value in _flat(of).items()}
    edges = []
    for name, dimension in space.items():
        value = values.get(name)
        if dimension.width and dimension.depth and value:
            edges += _at_ends(f"the width of {name}", value[0], dimension.width)
            edges += _at_ends(f"the depth of {name}", len(value), dimension.depth)
        elif dimension.low is not None and dimension.high is not None and isinstance(value, int | float):
            edges += _near_ends(name, value, dimension.low, dimension.high, dimension.log)
    return edges


def _at_ends(name: str, value: int, choices: list[int]) -> list[str]:
    if len(set(choices)) < 2 or value not in (min(choices), max(choices)):
        return []
    return [f"{name} at its {'lowest' if value == min(choices) else 'highest'}, {value}"]


def _near_ends(name: str, value: float, lowest: float, highest: float, log: bool) -> list[str]:
    low, high, at = (np.log(point) if log else point for point in (lowest, highest, value or 1e-300))
    share = (at - low) / (high - low)
    if 0 <= share <= EDGE:
        return [f"{name} near its lowest, {lowest:g}"]
    return [f"{name} near its highest, {highest:g}"] if 1 - EDGE <= share <= 1 else []


def _flat(section: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in section.items():
        values |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return values


def incumbents(
    winner: Compared | None, tested: dict[str, dict[str, Interval]], search: dict[str, Any]
) -> list[record.Incumbent] | None:
    """Return what the best trial so far promised along the search, and what it is worth (Schneider et al. 2025).

    Args:
        tested, search: see `optimism`.
    """
    if winner is None:
        return None
    return [
        record.Incumbent(
            trial=trial["trial"],
            trials=trial["trial"] + 1,
            promised=_promised(trial, arm),
            **_losses(arm, tested),
        )
        for trial, arm in zip(search["incumbents"], winner.choices("incumbent"), strict=True)
    ]


def power_laws(curve: Compared, groups: tuple[record.RemedyGroup, ...]) -> dict[record.RemedyGroup, record.PowerLaw]:
    """Return what twice the rows would bring, for the arms of each group of the learning curve."""
    laws: dict[record.RemedyGroup, record.PowerLaw] = {}
    for group in groups:
        arms = curve.choices(group)
        if not arms:
            continue
        sizes = np.array([arm.train_rows for arm in arms])
        losses = np.stack([arm.table[f"holdout_{arm.loss}"] for arm in arms], axis=1)
        forecast = what_twice_the_data_brings(sizes, losses, int(sizes.max()))
        law = forecast.law
        laws[group] = record.PowerLaw(
            **dict.fromkeys(("floor", "scale", "exponent")) if law is None else vars(law),
            rows=forecast.rows,
            predicted=None if law is None else float(law.predict(forecast.rows)),
            predicted_twice=None if law is None else float(law.predict(2 * forecast.rows)),
            change=forecast.change,
            predicted_before=forecast.predicted_before,
            seen=forecast.seen,
        )
    return laws
