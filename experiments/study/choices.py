"""What a study concludes before it looks at the test set: what to recommend, and what the search's winner is worth."""

from dataclasses import replace
from typing import Any

import numpy as np

from experiments import records as record
from experiments.study.scored import (
    Compared,
    Judged,
    Scored,
    best,
    crossfitted,
    loss_factor,
    metrics,
    on_rows,
    over_nothing,
)
from pipeline.settings import Dimension, Settings
from pipeline.statistics.comparisons import Verdict
from pipeline.statistics.intervals import SIGNIFICANCE, Interval
from pipeline.statistics.learning_curve import what_twice_the_data_brings
from pipeline.statistics.scores import METRICS

# Which arms may be recommended, by section and group.
CANDIDATES = {"remedies": ("single", "together"), "winner": ("winner",)}
EDGE = 0.05  # of a range, on its own scale, that counts as its end


def chosen_remedy(remedies: Compared) -> Scored | None:
    """Return the remedy, alone or all together, with the lowest holdout loss; None where there is no remedy."""
    candidates = remedies.choices(*CANDIDATES["remedies"])
    return best(candidates) if candidates else None


def overfits(base: Scored, at_best: Scored, compared: Judged) -> record.Overfits:
    """Say whether the baseline does worse on new rows than on those it was trained on, and whether training on hurts.

    Args:
        at_best: the baseline with the weights of its best epoch.
        compared: what comparing the two has found.
    """
    loss, score = METRICS[base.rows.problem.task]
    gap = {name: base.gap(name) for name in (loss, score)}
    change = compared.verdict.difference
    low, high = (None if end is None else 0.0 - end for end in (change.high, change.low))
    rise = Interval(0.0 - change.mean, low, high)
    train_rise, onsets = base.table["train_rise"].mean(), base.table["onset_epoch"].dropna()
    return record.Overfits(
        answer=None if gap[loss].low is None else gap[loss].low > 0,
        gap=gap,
        rises=None if rise.low is None else bool(rise.low > 0 and not train_rise > 0),
        rise=rise,
        score_rise=base.worse_than(at_best, score),
        train_rise=float(train_rise) if np.isfinite(train_rise) else None,
        onset_epoch=float(onsets.median()) if len(onsets) else None,
        onset_range=(float(onsets.min()), float(onsets.max())) if len(onsets) else None,
    )


def recommended(sections: dict[str, Compared], base: Scored) -> tuple[Scored, Scored]:
    """Return the arm to use, and the same with scores on rows that did not choose it.

    Of the baseline and those that help, by the verdicts of their sections, it is the one with the lowest holdout loss.
    Candidates are the remedies, alone and all together, against the baseline, and the search's winner, against the
    default that the search began with.
    """
    helping = [
        each
        for name, groups in CANDIDATES.items()
        if name in sections
        for each in sections[name].choices(*groups)
        if sections[name].finding(each) == "helps"
    ]
    candidates = [base, *helping]
    # Where the search's winner is among them, all are judged by rows that the search did not choose by.
    if any(each.arm.section == "winner" for each in candidates):
        candidates = [replace(each, judging=~base.rows.searched) for each in candidates]
    place = int(np.argmin([each.mean_loss for each in candidates]))
    return [base, *helping][place], crossfitted(candidates)


def recommendation(
    arm: Scored, by_others: Scored, base: Scored, test: dict[str, Interval] | None
) -> record.Recommendation:
    """Return the recommended arm as it stands in `study.json`."""
    beyond = over_nothing(by_others)
    factor = loss_factor(by_others.loss, by_others.mean_loss, by_others.floor_loss)
    return record.Recommendation(
        section=arm.arm.section,
        arm=arm.arm.name,
        helps=arm is not base,
        settings={"model": arm.arm.model.model_dump(), "train": arm.arm.train.model_dump()},
        holdout=metrics(by_others)["holdout"],
        test=test,
        over_nothing=beyond.interval().scaled(factor),
        beats_nothing=None if beyond.p is None else bool(beyond.mean < 0 and beyond.p < SIGNIFICANCE),
    )


def optimism(
    winner: list[Scored],
    tested: dict[str, dict[str, Interval]],
    verdict: Verdict | None,
    search: dict[str, Any],
    settings: Settings,
) -> record.Optimism | None:
    """Return what the search promised of its winner, and what became of it.

    Args:
        tested: the scores on the test set, by the arm's name.
        verdict: the winner's, against the default.
    """
    found = next((each for each in winner if each.arm.group == "winner"), None)
    if found is None:
        return None
    promised, worth = search["best"]["values"][0], _worth(found, tested)
    return record.Optimism(
        trial=search["best"]["trial"],
        trials=sum(search["counts"].get(state, 0) for state in ("complete", "pruned")),
        promised=promised,
        **worth,
        optimism_fresh=_less(worth["fresh"], promised),
        optimism_test=_less(worth["test"], promised),
        beats_default=verdict and verdict.finding,
        judged_on="holdout" if found.judging.any() else "test",
        at_edge=at_edge(settings.search.space, search["best"]["settings"]),
    )


def _worth(each: Scored, tested: dict[str, dict[str, Interval]]) -> dict[str, Interval | None]:
    searched = each.rows.searched
    return {
        "same_rows": on_rows(each, searched),
        "fresh": on_rows(each, ~searched),
        "test": tested.get(each.arm.name, {}).get(each.loss),
    }


def _less(score: Interval | None, promised: float) -> float | None:
    return None if score is None or score.mean is None else score.mean - promised


def at_edge(space: dict[str, Dimension], trial: dict[str, dict[str, Any]]) -> list[str]:
    """Name the settings of a trial that lie at an end of what was searched, so that the best may lie beyond."""
    values = {f"{section}.{name}": value for section, of in trial.items() for name, value in _flat(of).items()}
    told = []
    for name, dimension in space.items():
        value = values.get(name)
        if dimension.width and value:
            told += _at_ends(f"the width of {name}", value[0], dimension.width)
            told += _at_ends(f"the depth of {name}", len(value), dimension.depth)
        elif dimension.low is not None and isinstance(value, int | float):
            told += _near_ends(name, value, dimension)
    return told


def _at_ends(name: str, value: int, choices: list[int]) -> list[str]:
    if len(set(choices)) < 2 or value not in (min(choices), max(choices)):
        return []
    return [f"{name} at its {'lowest' if value == min(choices) else 'highest'}, {value}"]


def _near_ends(name: str, value: float, dimension: Dimension) -> list[str]:
    low, high, at = (
        np.log(each) if dimension.log else each for each in (dimension.low, dimension.high, value or 1e-300)
    )
    share = (at - low) / (high - low)
    if 0 <= share <= EDGE:
        return [f"{name} near its lowest, {dimension.low:g}"]
    return [f"{name} near its highest, {dimension.high:g}"] if 1 - EDGE <= share <= 1 else []


def _flat(section: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    values = {}
    for name, value in section.items():
        values |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return values


def incumbents(
    winner: list[Scored], tested: dict[str, dict[str, Interval]], search: dict[str, Any]
) -> list[record.Incumbent] | None:
    """Return what the best trial so far promised along the search, and what it is worth (Schneider et al. 2025)."""
    if not winner:
        return None
    promised = {trial["trial"]: trial["values"][0] for trial in search["incumbents"]}
    return [
        record.Incumbent(
            trial=int(each.arm.x),
            trials=int(each.arm.x) + 1,
            promised=promised[int(each.arm.x)],
            **_worth(each, tested),
        )
        for each in winner
        if each.arm.group == "incumbent"
    ]


def power_laws(curve: list[Scored], groups: tuple[str, ...]) -> dict[str, record.PowerLaw]:
    """Return what twice the rows would bring, for the arms of each group of the learning curve."""
    laws = {}
    for group in groups:
        arms = [each for each in curve if each.arm.group == group]
        if not arms:
            continue
        sizes = np.array([each.train_rows for each in arms])
        losses = np.stack([each.table[f"holdout_{each.loss}"] for each in arms], axis=1)
        found = what_twice_the_data_brings(sizes, losses, int(sizes.max()))
        law = found.law
        laws[group] = record.PowerLaw(
            **dict.fromkeys(("floor", "scale", "exponent")) if law is None else vars(law),
            rows=found.rows,
            predicted=law and float(law.predict(found.rows)),
            predicted_twice=law and float(law.predict(2 * found.rows)),
            change=found.change,
            predicted_before=found.predicted_before,
            seen=found.seen,
        )
    return laws
