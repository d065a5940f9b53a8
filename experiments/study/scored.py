"""An arm with its scores, row by row and seed by seed, and the choice among arms that compete."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from experiments.study.arms import Arm
from experiments.study.held_out import HeldOut
from experiments.study.jobs import Result
from experiments.study.rows import Rows
from pipeline.settings import ArmSection
from pipeline.statistics import scores
from pipeline.statistics.comparisons import choose, estimates
from pipeline.statistics.intervals import Interval
from pipeline.statistics.overfitting import overfitting
from pipeline.statistics.weights import average

ROLES = ("holdout", "validation")  # the splits of a training that the two roles of the ring judge


@dataclass(frozen=True, eq=False, kw_only=True)
class Scored(HeldOut):
    """An arm with its numbers.

    Attributes:
        table: a row per seed, in the order of the seeds: epochs, best_epoch, onset_epoch, train_rise, diverged,
            `<split>_<metric>` for the splits train and holdout.
        row_scores: see `jobs.Result`; None for an arm that is read at an epoch before its last.
        train: the mean of each row score over the training rows, `[2, R]`, of the model that judges in each role.
        picks: which of several competing arms judges each row, int `[rings, n]`, and their names; None for one arm.
    """

    configuration: Arm
    result: Result
    table: pd.DataFrame
    train: dict[str, np.ndarray]
    picks: tuple[np.ndarray, list[str]] | None = None

    @property
    def section(self) -> ArmSection:
        """Return the section of the study that the arm belongs to."""
        return self.configuration.section

    @property
    def group(self) -> str:
        """Return the name of the arms of its section that it belongs together with."""
        return self.configuration.group

    @property
    def name(self) -> str:
        """Return the arm's name, which is unique in its section."""
        return self.configuration.name

    @property
    def train_rows(self) -> int:
        """Return the number of rows that each seed trains on."""
        return self.configuration.rows or self.rows.train.shape[1]

    @property
    def mean_loss(self) -> float:
        """Return the mean holdout loss, by which arms are chosen."""
        if self.row_scores is None:  # chosen by one half of the rows held out, and shown on the other
            return float(self.table[f"validation_{self.loss}"].mean())
        return self.mean(self.loss)

    def metric(self, name: str) -> Interval:
        """Return a metric over all rows that judge; nothing is known where none does."""
        if self.row_scores is None:
            return scores.interval_over_seeds(name, self.table[f"holdout_{name}"], self.rows.ring.n)
        return super().metric(name)

    def gap(self, name: str) -> Interval:
        """Return how much worse a metric is on the rows that judge than on training rows.

        The error is that of the difference, row by row. For losses and R2 the interval is symmetric on the logarithmic
        scale of the loss on new rows: a few rows that are missed by far skew that loss, and an interval symmetric
        around the gap could hold 0 where the gap is beyond doubt.
        """
        row_scores, train = self.judged_rows(name), self.train[scores.row_score_of(name)]
        differences = row_scores - self.rows.ring.by_row(train)
        if not np.isfinite(differences).any():
            return Interval()
        [estimate] = estimates([differences], self.rows.ring)
        train_mean = float(scores.from_mean(name, float(train.mean()), self.rows.variance))
        if name == "accuracy":
            return _worsening(name, estimate.interval(), self.mean(name), train_mean, self.rows.variance)
        level = replace(estimate, mean=self.rows.ring.mean(row_scores))
        gap = scores.interval_of(name, level, self.rows.variance).shifted(-train_mean)
        return gap.negated() if name in scores.HIGHER_IS_BETTER else gap

    def worse_than(self, other: "Scored", name: str) -> Interval:
        """Return how much worse a metric is than that of another arm, on the same rows."""
        [estimate] = estimates([self.judged_rows(name) - other.judged_rows(name)], self.rows.ring)
        return _worsening(name, estimate.interval(), self.mean(name), other.mean(name), self.rows.variance)


def _worsening(name: str, difference: Interval, one: float, other: float, variance: float) -> Interval:
    """Return a difference of means of row scores as one of the metric itself, turned so that above 0 is worse.

    A difference of RMSE is that of the mean squared errors over the sum of both RMSE.
    """
    if name == "rmse":
        return difference.scaled(1 / (one + other)) if one + other > 0 else difference
    if name == "r2":
        return difference.scaled(1 / variance) if variance > 0 else Interval()
    if name in scores.HIGHER_IS_BETTER:
        return difference.negated()
    return difference


def score(arm: Arm, result: Result, rows: Rows, seeds: Sequence[int]) -> Scored:
    """Read an arm's numbers off its training."""
    task = rows.problem.task
    loss, history = scores.METRICS[task][0], result.fitted.history
    last = history.groupby("seed")["epoch"].max().reindex(list(seeds)).to_numpy()
    if arm.read_at is not None:
        epochs = np.broadcast_to(arm.read_at, (2, len(seeds)))
        history = history[history["epoch"] <= arm.read_at]
    elif arm.train.early_stopping:
        epochs = result.best_epochs
    else:
        epochs = np.stack([last, last])
    table = pd.DataFrame({"seed": list(seeds), "epochs": last, "diverged": result.fitted.diverged})
    table = table.merge(overfitting(history, loss), how="left", on="seed")
    is_lost = ~result.sound if arm.read_at is None else _lost_at(history, arm.read_at, seeds, loss)
    train = _train_scores(history, epochs, arm, is_lost, rows, seeds)
    for name in scores.METRICS[task]:
        row_score = scores.row_score_of(name)
        table[f"train_{name}"] = scores.from_mean(name, train[row_score], rows.variance).mean(axis=0)
        if arm.read_at is None:
            by_seed = rows.ring.by_seed(result.row_scores[row_score])
            table[f"holdout_{name}"] = scores.from_mean(name, by_seed, rows.variance)
        else:
            floor = scores.from_mean(name, rows.ring.mean(rows.floor[row_score]), rows.variance)
            for split in ROLES:
                values = _at(history, epochs[0], seeds, f"{split}_{name}")
                table[f"{split}_{name}"] = np.where(is_lost[0], floor, values)
    judging = ~rows.searched if arm.section == "winner" else np.ones(len(rows.y), bool)
    return Scored(
        configuration=arm,
        result=result,
        rows=rows,
        table=table,
        row_scores=result.row_scores if arm.read_at is None else None,
        train=train,
        judging=judging,
    )


def _at(history: pd.DataFrame, epochs: np.ndarray, seeds: Sequence[int], column: str) -> np.ndarray:
    """Return a column of the history at an epoch of each seed, `[R]`; NaN where it has none."""
    if column not in history:
        return np.full(len(seeds), np.nan)
    wanted = pd.MultiIndex.from_arrays([list(seeds), epochs])
    return history.set_index(["seed", "epoch"])[column].reindex(wanted).to_numpy(float)


def _lost_at(history: pd.DataFrame, epoch: int, seeds: Sequence[int], loss: str) -> np.ndarray:
    """Return which seeds have diverged by an epoch, in either role, bool `[2, R]`."""
    losses = [_at(history, np.full(len(seeds), epoch), seeds, f"{split}_{loss}") for split in ROLES]
    return np.broadcast_to(~np.isfinite(losses).all(axis=0), (2, len(seeds)))


def _train_scores(
    history: pd.DataFrame, epochs: np.ndarray, arm: Arm, is_lost: np.ndarray, rows: Rows, seeds: Sequence[int]
) -> dict[str, np.ndarray]:
    """Return the mean of each row score over the training rows, `[2, R]`.

    Args:
        epochs: the epoch at which each seed is read, by role, `[2, R]`.
        is_lost: which seeds score what knowing nothing does, bool `[2, R]`.
    """
    names = {"classification": ("cross_entropy", "accuracy"), "regression": ("rmse",)}[rows.problem.task]
    trained, weights = rows.train[:, : arm.rows], rows.ring.weights
    floor = rows.score(rows.knowing_nothing(arm.rows)[:, None], trained)
    train = {}
    for name in names:
        row_score = scores.row_score_of(name)
        values = np.stack([_at(history, of_role, seeds, f"train_{name}") for of_role in epochs])
        values = np.square(values) if name == "rmse" else values
        train[row_score] = np.where(
            is_lost, average(floor[row_score], None if weights is None else weights[trained]), values
        )
    return train


def best(arms: Iterable[Scored], by: str | None = None) -> Scored:
    """Return the arm with the lowest holdout loss, or the best by another metric; of equals the first."""
    if by is None:
        return min(arms, key=lambda arm: arm.mean_loss)
    return min(arms, key=lambda arm: _sign(by) * arm.mean(by))


def _sign(metric: str) -> int:
    """Return what makes less of a metric better."""
    return -1 if metric in scores.HIGHER_IS_BETTER else 1


def crossfitted(competing: list[Scored], by: str | None = None) -> Scored:
    """Return the best of competing arms with the scores of the choice: for each fold, the best on the other folds.

    In time it is the best on the earlier folds. So the choice is judged by rows that had no say in it. The best on all
    rows gives it name and settings.

    Args:
        by: the metric that is chosen by, a mean of `scores.ROW_SCORES`; None for the loss.
    """
    if len(competing) == 1:
        return competing[0]
    overall = best(competing, by)
    by_option = [arm.row_scores for arm in competing if arm.row_scores is not None]
    if len(by_option) < len(competing):
        return overall
    ring = overall.rows.ring
    metric = by or overall.loss
    loss = scores.row_score_of(metric)
    # In time the rows of the second fold do not judge, but they choose.
    losses = [np.where(arm.judging, of_arm[loss], np.nan) for arm, of_arm in zip(competing, by_option, strict=True)]
    picks = choose(_sign(metric) * np.stack(losses), ring)

    def picked(values: Sequence[np.ndarray]) -> np.ndarray:
        return np.take_along_axis(np.stack(values), picks[None, :, None], axis=0)[0]

    row_scores = {name: picked([values[name] for values in by_option]) for name in by_option[0]}
    table = overall.table.copy()
    for name in scores.METRICS[overall.rows.problem.task]:
        by_seed = ring.by_seed(row_scores[scores.row_score_of(name)])
        table[f"holdout_{name}"] = scores.from_mean(name, by_seed, overall.rows.variance)
    return replace(overall, row_scores=row_scores, table=table, picks=(picks, [arm.name for arm in competing]))


def chosen(arms: list[Scored]) -> list[Scored]:
    """Return the choice among the arms that compete with each other, and every arm that competes with none."""
    options: dict[str, list[Scored]] = {}
    for arm in arms:
        options.setdefault(arm.configuration.options or f"arm {arm.name}", []).append(arm)
    return [crossfitted(competing) for competing in options.values()]
