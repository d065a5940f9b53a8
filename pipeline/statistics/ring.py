"""Assignment of held-out rows to the seeds of a study, in a ring of folds, so that every row judges twice.

The pool of rows is cut into folds. Seed k holds out the folds k and k + 1 (after the last comes the first) and trains
on the others. Each of the two folds judges what was stopped or chosen on the other: its rows score that seed. So a row
has two roles: it is in the first fold of one seed and in the second fold of another.

Rows that are ordered in time have rolling origins instead (Tashman 2000, International Journal of Forecasting 16,
437-450). The folds are numbered backwards in time, from 0 for the latest rows. A seed that holds out the folds k and
k + 1 trains on those of higher numbers alone, which are earlier. The fold k judges what was stopped on the fold k + 1;
none judges the other way round.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.errors import InputError
from pipeline.statistics.weights import average, over_judges

FOLDS = 10
FEWEST_FOLDS = 5
FEWEST_GROUPS = 3  # one to train on, and one for each of the two held-out folds
ROWS_PER_FOLD = 2


@dataclass(frozen=True, eq=False)
class Ring:
    """One ring of folds, or several independent ones, and the seeds that use them.

    Seed number s uses ring `s // seeds_per_ring`, and holds out its fold `s % seeds_per_ring` and the next one.

    Attributes:
        fold: the fold of each row in each ring, int `[rings, n]`.
        seeds: how many seeds there are, at most `rings * folds`; with fewer, some rows of the last ring judge once or
            not at all.
        groups: the group of each row, int `[n]`, where whole groups are drawn; None where rows are.
        is_in_time: whether the folds follow each other in time, from the latest to the earliest. Then no seed holds out
            the last fold, and the one before it judges none.
        weights: of each row, `[n]`, by which means over rows are weighted; None where all count alike.
    """

    fold: np.ndarray
    seeds: int
    groups: np.ndarray | None = None
    is_in_time: bool = False
    weights: np.ndarray | None = None

    @property
    def folds(self) -> int:
        """Return the number of folds of a ring."""
        return int(self.fold.max()) + 1

    @property
    def n(self) -> int:
        """Return the number of rows."""
        return self.fold.shape[1]

    @property
    def seeds_per_ring(self) -> int:
        """Return the number of seeds that a ring has."""
        return self.folds - 2 if self.is_in_time else self.folds

    @cached_property
    def holders(self) -> np.ndarray:
        """Return the number of the seed that holds out each row, int `[rings, 2, n]`; -1 for none.

        The second axis is the row's role: in the first or in the second of the seed's two held-out folds.
        """
        turn = np.stack([self.fold, self.fold - 1], axis=1)
        turn = np.where(turn < self.seeds_per_ring, turn, -1) if self.is_in_time else turn % self.folds
        numbers = np.arange(len(self.fold))[:, None, None] * self.seeds_per_ring + turn
        return np.where((turn >= 0) & (numbers < self.seeds), numbers, -1)

    @cached_property
    def judges(self) -> np.ndarray:
        """Return the number of the seed that each row judges, by role, int `[rings, 2, n]`; -1 for none."""
        return np.where([[True], [not self.is_in_time]], self.holders, -1)

    @property
    def may_judge(self) -> np.ndarray:
        """Return which rows judge if there are enough seeds, bool `[n]`; in time not those of the two last folds."""
        return self.fold[0] < self.seeds_per_ring

    def held_out(self, seed: int, role: int) -> np.ndarray:
        """Return the rows of the first (role 0) or second (role 1) fold that a seed number holds out."""
        return np.flatnonzero(self.holders[seed // self.seeds_per_ring, role] == seed)

    def trained_on(self, seed: int) -> np.ndarray:
        """Return the rows that a seed number may train on."""
        ring, turn = divmod(seed, self.seeds_per_ring)
        if self.is_in_time:
            return np.flatnonzero(self.fold[ring] > turn + 1)
        return np.flatnonzero((self.holders[ring] != seed).all(axis=0))

    def by_row(self, values: np.ndarray) -> np.ndarray:
        """Spread values of roles and seeds, `[2, R]`, over the rows that judge them, `[rings, 2, n]`; NaN elsewhere."""
        return np.where(self.judges >= 0, np.asarray(values, float)[np.arange(2)[:, None], self.judges], np.nan)

    def by_seed(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of values `[rings, 2, n]` over the rows that judge each seed, `[R]`, without NaN values."""
        is_known = (self.judges >= 0) & np.isfinite(values)
        judges = self.judges[is_known]
        weights = np.broadcast_to(1.0 if self.weights is None else self.weights, values.shape)[is_known]
        counts = np.bincount(judges, weights, minlength=self.seeds)
        sums = np.bincount(judges, weights * values[is_known], minlength=self.seeds)
        return sums / np.where(counts, counts, np.nan)

    def mean(self, values: np.ndarray) -> float:
        """Return the mean over rows of values `[rings, 2, n]`; NaN where no row judges."""
        by_row = over_judges(values)
        judged = np.isfinite(by_row)
        weights = None if self.weights is None else self.weights[judged]
        return float(average(by_row[judged], weights)) if judged.any() else np.nan


def draw_ring(n: int, seeds: Sequence[int], groups: np.ndarray | None = None) -> Ring:
    """Draw the folds of as many rings as the seeds need.

    A ring has as many folds as there are seeds, at least 5 and at most 10, and is drawn with its first seed.

    Args:
        n: how many rows there are.
        groups: the group of each row, int `[n]`, where whole groups are drawn; None where rows are.

    Raises:
        InputError: there are too few rows or groups for the folds.
    """
    folds = min(FOLDS, max(FEWEST_FOLDS, len(seeds)))
    if groups is not None:
        folds = min(folds, len(np.unique(groups)))
        if folds < FEWEST_GROUPS:
            raise InputError(
                f"data.group has {folds} different values in the training and validation rows; the study needs "
                f"{FEWEST_GROUPS}, one to train on and two to judge on"
            )
    elif n < ROWS_PER_FOLD * folds:
        raise InputError(
            f"the study needs {ROWS_PER_FOLD * folds} training and validation rows, {ROWS_PER_FOLD} in each of "
            f"{folds} folds; there are {n}: lower data.test_fraction"
        )
    return Ring(np.stack([draw_folds(n, folds, first, groups) for first in seeds[::folds]]), len(seeds), groups)


def draw_folds(n: int, folds: int, seed: int, groups: np.ndarray | None = None) -> np.ndarray:
    """Draw the fold of each row, int `[n]`, with whole groups in one fold; sizes differ by at most a row, or a group.

    Folds are not stratified by class. In stratified folds the judging rows have the same class shares as the training
    rows, which new rows do not: with 200 rows of ten classes the loss was estimated 3 % too low, and large differences
    5 % too small. To models that did not train on it, a row of a random fold is like a new row.

    Args:
        groups: the group of each row, int `[n]`, at least as many different ones as folds; None where rows are drawn.
    """
    unit = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    order = np.random.default_rng([seed, 3]).permutation(unit.max() + 1)
    return order[unit] % folds


def ring_in_time(fold: np.ndarray, seeds: int) -> Ring:
    """Return the ring of rows that are ordered in time; further rings have the same folds and other seeds.

    Rows of a fold are near each other in time and not independent, so each fold counts as one group. A mean over folds
    with Student's t, a degree of freedom less than there are folds, is valid for few dependent and unequal clusters
    (Ibragimov and Mueller 2010, Journal of Business & Economic Statistics 28, 453-468).

    Args:
        fold: of each row, int `[n]`, from 0 for the latest; at least three.
    """
    rings = -(-seeds // int(fold.max() - 1))
    return Ring(np.tile(fold, (rings, 1)), seeds, fold, is_in_time=True)
