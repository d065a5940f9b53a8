"""The arms of a study as they stand in `study.json`."""

from dataclasses import replace

import numpy as np

from experiments import records as record
from experiments.study.arms import Arm
from experiments.study.compared import Compared, Judged
from experiments.study.scored import Scored
from pipeline.settings import flat
from pipeline.statistics import scores
from pipeline.statistics.intervals import Estimate, Interval, over_seeds

COLLAPSE = 3.0  # times as far above the middle seed as the best one is below it


def records(compared: Compared, base: Scored, tested: dict[str, dict[str, Interval]]) -> list[record.Arm]:
    """Return the arms of one section as they stand in `study.json`.

    Args:
        base: the configured model with every regularizer off.
        tested: the scores on the test set of those arms that were scored there, by name.
    """
    return [_record(arm, compared, base, tested.get(arm.name)) for arm in compared.arms]


def _record(arm: Scored, compared: Compared, base: Scored, test: dict[str, Interval] | None) -> record.Arm:
    configuration, comparison = arm.configuration, compared.judged.get(arm.name)
    return record.Arm(
        section=arm.section,
        name=arm.name,
        factor=configuration.factor,
        group=arm.group,
        x=configuration.x,
        changes=changes(configuration, base.configuration),
        settings=settings_of(configuration),
        chosen=arm.name in compared.chosen,
        picks=_picks(arm),
        weights=arm.result.fitted.weight_count,
        train_rows=arm.train_rows,
        diverged=int(arm.table["diverged"].sum()),
        scores=metrics(arm) | ({"test": test} if test else {}),
        gap={name: arm.gap(name) for name in scores.METRICS[arm.rows.problem.task]},
        seeds_range=_collapse(arm),
        epochs=_epochs(arm, "epochs"),
        best_epoch=_epochs(arm, "best_epoch"),
        onset_epoch=_epochs(arm, "onset_epoch"),
        **(_comparison(comparison, arm.rows.numbers) if comparison else {"reference": configuration.reference}),
    )


def _epochs(arm: Scored, name: str) -> Interval:
    """Return a mean epoch of the seeds that have one, with an interval of epochs that there are."""
    interval, last = over_seeds(arm.table[name].where(arm.table[name] > 0)), arm.configuration.train.epochs
    if interval.low is None or interval.high is None:
        return interval
    return Interval(interval.mean, max(1.0, interval.low), min(float(last), interval.high))


def metrics(arm: Scored) -> dict[str, dict[str, Interval]]:
    """Return the metrics of the splits train and holdout, by name; a split that was not scored is left out."""
    names = scores.METRICS[arm.rows.problem.task]
    train = {name: _on_training_rows(arm, name) for name in names}
    holdout = {name: arm.metric(name) for name in names}
    if arm.rows.problem.is_classification and arm.row_scores is not None:
        holdout["brier"] = arm.metric("brier")
    by_split = {"train": train, "holdout": holdout}
    return {
        split: intervals
        for split, intervals in by_split.items()
        if any(interval.mean is not None for interval in intervals.values())
    }


def _on_training_rows(arm: Scored, name: str) -> Interval:
    """Return a metric on training rows with an interval for other seeds: these very rows, other models."""
    values = arm.table[f"train_{name}"].to_numpy(float)
    if not np.isfinite(values).all() or len(values) < 2:
        return over_seeds(values)
    by_seed = arm.train[scores.row_score_of(name)].mean(axis=0)
    models_variance = float(by_seed.var(ddof=1) / len(by_seed))
    estimate = Estimate(float(by_seed.mean()), 0.0, models_variance, len(by_seed) - 1.0, arm.train_rows)
    return scores.interval_of(name, estimate, arm.rows.variance)


def _picks(arm: Scored) -> dict[str, int] | None:
    """Return in how many folds each competing arm was picked, by name; None where the arm competes with none."""
    if arm.picks is None:
        return None
    picks, names = arm.picks
    ring = arm.rows.ring
    by_fold = [picks[number][fold == k][0] for number, fold in enumerate(ring.fold) for k in range(ring.seeds_per_ring)]
    return {names[place]: int(count) for place, count in enumerate(np.bincount(by_fold)) if count}


def _collapse(arm: Scored) -> tuple[float, float] | None:
    """Return the range of the seeds' losses where some seeds collapse.

    The worst then is nearer to knowing nothing than to the middle seed, and much farther from it than the best seed is.
    """
    losses = arm.table[f"holdout_{arm.loss}"].dropna()
    if not len(losses):
        return None
    middle, floor = losses.median(), replace(arm, judging=np.ones_like(arm.judging)).floor_loss
    above, below = losses.max() - middle, middle - losses.min()
    if middle >= floor or losses.max() <= (middle + floor) / 2 or above <= COLLAPSE * below:
        return None
    return float(losses.min()), float(losses.max())


def _comparison(comparison: Judged, numbers: np.ndarray | None) -> dict[str, object]:
    """Return the fields of an arm that tell of its comparison.

    Args:
        numbers: the number of each row in the source, counted from 0; None where they are not known.
    """
    verdict, influential = comparison.verdict, comparison.influence
    return {
        "reference": comparison.reference,
        "difference": verdict.difference,
        "p": verdict.p,
        "p_adjusted": verdict.p_adjusted,
        "detectable": verdict.detectable,
        "times_rows": verdict.times_rows,
        "times_rings": verdict.times_rings,
        "probability_better": comparison.probability_better,
        "verdict": verdict.finding,
        "influence": influential
        and record.Influence(
            rows=None if numbers is None else (numbers[influential.rows] + 1).tolist(),
            differences=influential.differences,
            without=influential.without,
        ),
    }


def settings_of(arm: Arm) -> dict[str, dict[str, object]]:
    """Return all settings of an arm, by section, as JSON has them."""
    return {"model": arm.model.model_dump(mode="json"), "train": arm.train.model_dump(mode="json")}


def changes(arm: Arm, base: Arm) -> dict[str, object]:
    """Return the settings of an arm, by dotted name, that differ from those of another."""
    different: dict[str, object] = {}
    for section in ("model", "train"):
        settings, others = flat(getattr(arm, section)), flat(getattr(base, section))
        different |= {f"{section}.{name}": value for name, value in settings.items() if others.get(name) != value}
    return different
