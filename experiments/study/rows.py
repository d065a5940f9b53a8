"""The rows of a study: a pool that the seeds of a ring hold out in turn, and what knowing nothing scores on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from pipeline.choices import NewRows
from pipeline.data.examples import Examples, Problem, Split
from pipeline.data.partition import stratified_order
from pipeline.data.splits import Summary, read_split
from pipeline.data.time_order import boundaries, latest_first
from pipeline.errors import InputError
from pipeline.statistics import floor, scores
from pipeline.statistics.ring import FOLDS, ROWS_PER_FOLD, Ring, draw_ring, ring_in_time
from pipeline.statistics.weights import average, variance

Labels = Literal["true", "shuffled", "wrong"]

WRONG_SHARE = 0.2  # of the labels, in the arm that has wrong ones
POOL_PER_TRAINING_ROW = 5  # a ring of ten folds then holds no more rows out of a training than it trains on


@dataclass(frozen=True, eq=False)
class Rows:
    """The prepared training and validation rows in one pool, and which of them each seed trains on and holds out.

    Attributes:
        x, y: as in `pipeline.data.examples.Split`.
        ring: which rows each seed holds out, and how much each row counts.
        train: row numbers that each seed trains on, `[R, k]`; a prefix is a smaller training set.
        searched: rows that the search chose by, or that are earlier than these, bool `[n]`.
        numbers: of each row in the source, counted from 0, int `[n]`; None where the splits do not tell.
    """

    problem: Problem
    x: np.ndarray
    y: np.ndarray
    ring: Ring
    train: np.ndarray
    searched: np.ndarray
    numbers: np.ndarray | None

    def held_out(self, role: int) -> list[np.ndarray]:
        """Return the rows that each seed holds out in a role of the ring."""
        return [self.ring.held_out(seed, role) for seed in range(self.ring.seeds)]

    def examples(self, train_rows: int | None = None, labels: Labels = "true") -> Examples:
        """Return what the trainer takes: the second held-out fold validates, the first one is the holdout.

        Args:
            train_rows: so many of each seed's training rows; None for all.
            labels: of the training rows; the other rows keep their own.
        """
        x, y, weights, shift = self.x, self.y, self.ring.weights, 0
        if labels != "true":  # every row twice: once to train on, under another label, and once to be scored on
            x, y, shift = np.concatenate([x, x]), np.concatenate([_relabelled(y, labels), y]), len(y)
            weights = None if weights is None else np.concatenate([weights, weights])
        holdout, val = (_of_one_size(self.held_out(role)) + shift for role in range(2))
        return Examples(self.problem, x, y, self.train[:, :train_rows], val, holdout, weights)

    def knowing_nothing(self, train_rows: int | None = None) -> np.ndarray:
        """Return what each seed predicts for every row if it knows nothing of the features, `[R, n_outputs]`."""
        train, weights = self.train[:, :train_rows], self.ring.weights
        classes = self.problem.n_outputs if self.problem.is_classification else None
        return floor.knowing_nothing(self.y[train], classes, None if weights is None else weights[train])

    def held_out_outputs(self, predict: Callable[[int, np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the outputs for every row by the seed that holds it out, `[rings, 2, n, n_outputs]`; NaN for none.

        Args:
            predict: takes a role of the ring and rows of each seed, `[R, k, n_features]`, and returns their outputs,
                `[R, k, n_outputs]`, by models that had no say of rows in that role.
        """
        outputs = np.full((*self.ring.holders.shape, self.problem.n_outputs), np.nan, np.float32)
        for role in range(2):
            held_out = self.held_out(role)
            most = max(len(part) for part in held_out)
            # Folds differ in size; what fills the smaller ones up is left out again.
            predicted = predict(role, self.x[np.stack([np.resize(part, most) for part in held_out])])
            for seed, part in enumerate(held_out):
                outputs[seed // self.ring.seeds_per_ring, role, part] = predicted[seed, : len(part)]
        return outputs

    def score_held_out(self, outputs: np.ndarray) -> dict[str, np.ndarray]:
        """Score outputs of `held_out_outputs`, `[rings, 2, n]` for each of `scores.ROW_SCORES`; NaN for none."""
        is_held_out = self.ring.holders >= 0
        return {
            name: np.where(is_held_out, values, np.nan) for name, values in self.score(outputs, slice(None)).items()
        }

    def of_both_roles(self, values: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return the values of some rows by both seeds that hold them out, in a row, without those that are NaN.

        Args:
            values: of one ring, `[2, n, ...]`.
            among: bool `[n]`.

        Returns:
            The values, `[k, ...]`, the targets and the weights of their rows, `[k]`; None for equal weights.
        """
        known = np.isfinite(values).reshape(2, self.ring.n, -1).all(axis=-1) & among
        rows = np.nonzero(known)[1]
        return values[known], self.y[rows], None if self.ring.weights is None else self.ring.weights[rows]

    def score(self, outputs: np.ndarray, rows: np.ndarray | slice) -> dict[str, np.ndarray]:
        """Score outputs `[..., k, n_outputs]` on rows, by the names of `scores.ROW_SCORES`, in the target's unit."""
        actual = self.y[rows]
        if self.problem.is_classification:
            return scores.by_row("classification", outputs, actual)
        predicted = outputs[..., 0].astype(np.float64) * self.problem.target_scale
        return scores.by_row("regression", predicted, actual * self.problem.target_scale)

    @cached_property
    def floor(self) -> dict[str, np.ndarray]:
        """Return the scores of knowing nothing on each row, `[rings, 2, n]`; NaN where no seed judges."""
        judges = self.ring.judges
        by_row = self.score(self.knowing_nothing()[judges], slice(None))
        return {name: np.where(judges >= 0, values, np.nan) for name, values in by_row.items()}

    @cached_property
    def rarest(self) -> int:
        """Return the number of rows of the rarest class."""
        return max(1, int(np.bincount(self.y, minlength=self.problem.n_outputs).min()))

    @cached_property
    def variance(self) -> float:
        """Return the targets' variance, in their unit squared; NaN for classes, and where they do not vary.

        In time the targets are those of the rows that may judge, since others can be of another kind.
        """
        judging, weights = self.ring.may_judge, self.ring.weights
        return self.variance_of(self.y[judging], None if weights is None else weights[judging])

    def variance_of(self, targets: np.ndarray, weights: np.ndarray | None) -> float:
        """Return the variance of some targets, as `variance`."""
        if self.problem.is_classification:
            return np.nan
        return variance(targets * self.problem.target_scale, weights) or np.nan


def knowing_nothing(rows: Rows, test: Split) -> dict[NewRows, dict[str, float]]:
    """Return the scores of knowing nothing on the rows held out and on the test set, by split and metric."""
    task = rows.problem.task
    means: dict[NewRows, dict[str, float]] = {
        "holdout": {name: rows.ring.mean(values) for name, values in rows.floor.items()}
    }
    variances: dict[NewRows, float] = {"holdout": rows.variance}
    if len(test):
        tested = replace(rows, x=test.x, y=test.y)
        by_row = tested.score(rows.knowing_nothing()[:, None], slice(None))
        means["test"] = {name: float(average(values, test.weights).mean()) for name, values in by_row.items()}
        variances["test"] = rows.variance_of(test.y, test.weights)
    return {
        split: {
            name: float(value)
            for name in scores.METRICS[task]
            if np.isfinite(value := scores.from_mean(name, by_score[scores.row_score_of(name)], variances[split]))
        }
        for split, by_score in means.items()
    }


def read_rows(seeds: Sequence[int], summary: Summary, cross_validated_search: bool = False) -> Rows:
    """Pool the prepared training and validation rows and draw the ring.

    Args:
        cross_validated_search: whether the search has chosen by all rows of the pool, and not by the validation rows.

    Raises:
        InputError: too few rows, or too few groups.
    """
    train, validation = read_split("train"), read_split("validation")
    rows = pooled(train, validation, seeds, summary.problem)
    return replace(rows, searched=np.ones_like(rows.searched)) if cross_validated_search else rows


def pooled(train: Split, validation: Split, seeds: Sequence[int], problem: Problem) -> Rows:
    """Pool two splits and draw the ring.

    Each seed trains on as many rows as the training split has, or on all that it does not hold out.

    Rows that are ordered in time have rolling origins, see `pipeline.statistics.ring`, and windows of one size: each
    seed trains on the latest rows before those that it holds out, as many as the seed with the fewest such rows has.

    Raises:
        InputError: too few rows, too few groups or too few times.
    """
    x, y = np.concatenate([train.x, validation.x]), np.concatenate([train.y, validation.y])
    groups = None if train.groups is None else np.concatenate([train.groups, validation.groups])
    are_numbered = train.numbers is not None and validation.numbers is not None
    numbers = np.concatenate([train.numbers, validation.numbers]) if are_numbered else None
    times, weights = (
        None if one is None or other is None else np.concatenate([one, other])
        for one, other in ((train.times, validation.times), (train.weights, validation.weights))
    )
    # In time the validation rows are the latest, and a search that knows them may judge none that are earlier.
    searched = np.arange(len(y)) >= (len(train) if times is None else 0)
    if not len(train):
        raise InputError("the study needs training rows, and there are none")
    strata = y if problem.is_classification else np.zeros(len(y), np.int32)
    most = POOL_PER_TRAINING_ROW * len(train)
    if len(y) > most:
        drawn = _drawn(strata, groups, most, seeds[0]) if times is None else np.sort(latest_first(times)[:most])
        x, y, strata, searched = (column[drawn] for column in (x, y, strata, searched))
        groups, numbers, times, weights = (
            None if column is None else column[drawn] for column in (groups, numbers, times, weights)
        )
    if times is None:
        ring = draw_ring(len(y), seeds, groups)
    else:
        ring = ring_in_time(_folds_in_time(times, min(FOLDS, len(seeds))), len(seeds))
    orders = []
    for place, seed in enumerate(seeds):
        rows = ring.trained_on(place)
        if times is None:
            order = stratified_order(strata[rows], np.random.default_rng([seed, 4]))
        else:
            order = latest_first(times[rows])
        orders.append(rows[order][: len(train)])
    return Rows(problem, x, y, replace(ring, weights=weights), _of_one_size(orders), searched, numbers)


def _folds_in_time(times: np.ndarray, origins: int) -> np.ndarray:
    """Cut the later half of the rows into one fold more than there are origins; return each row's fold, int `[n]`.

    Fold 0 is the latest, and the last one is the earlier half; the seed that holds out the earliest folds trains on it
    alone. Rows of one time are in one fold, so with few different times there are fewer folds.

    Raises:
        InputError: too few rows or times.
    """
    n, least = len(times), 2 * ROWS_PER_FOLD * (origins + 1)
    if n < least:
        raise InputError(
            f"with data.time the study needs {least} training and validation rows, {ROWS_PER_FOLD} in each of "
            f"{origins + 1} folds and as many before them; there are {n}: lower data.test_fraction"
        )
    order, starts = np.argsort(times, kind="stable"), np.empty(0, int)
    if np.ptp(times):
        starts = np.unique(boundaries(times[order], np.linspace(n / 2, n, origins + 2)[:-1]))
    if len(starts) < 2:
        raise InputError(
            "the study needs training and validation rows of three times in data.time, to train, to stop and to judge "
            f"by, and half of these rows before the last two; there are {len(np.unique(times))} times"
        )
    fold = np.empty(n, int)
    fold[order] = len(starts) - np.searchsorted(starts, np.arange(n), side="right")
    return fold


def _drawn(strata: np.ndarray, groups: np.ndarray | None, most: int, seed: int) -> np.ndarray:
    """Draw about so many rows, in ascending order: stratified, or whole groups of them."""
    rng = np.random.default_rng([seed, 5])
    if groups is None:
        return np.sort(stratified_order(strata, rng)[:most])
    order = rng.permutation(np.unique(groups))
    rows_of = np.bincount(groups)[order].cumsum()
    return np.flatnonzero(np.isin(groups, order[: max(1, np.searchsorted(rows_of, most, side="right"))]))


def _of_one_size(parts: list[np.ndarray]) -> np.ndarray:
    """Return the parts as `[R, k]`, k as in the smallest: folds differ by a row, and with groups by more."""
    least = min(len(part) for part in parts)
    return np.stack([part[:least] for part in parts])


def _relabelled(y: np.ndarray, labels: Labels) -> np.ndarray:
    rng = np.random.default_rng(0)
    if labels == "shuffled":
        return rng.permutation(y)
    wrong = rng.permutation(len(y))[: round(WRONG_SHARE * len(y))]
    changed, classes = y.copy(), int(y.max()) + 1
    changed[wrong] = (y[wrong] + rng.integers(1, classes, len(wrong))) % classes
    return changed
