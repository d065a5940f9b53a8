"""The rows of a study: each seed has its own parts to train on, to choose on and to judge on."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.errors import InputError
from pipeline.examples import Examples, Problem
from pipeline.params import Study
from pipeline.partition import resplit, stratified_halves, stratified_order
from pipeline.splits import Summary, read_split

Labels = Literal["true", "shuffled", "wrong"]

WRONG_SHARE = 0.2  # of the labels, in the arm that has wrong ones
LEAST_HELD = 4  # rows to choose and judge on


@dataclass(frozen=True, eq=False)
class Rows:
    """The prepared training and validation rows, pooled, and each seed's parts of them.

    Attributes:
        x, y: as in `pipeline.examples.Split`.
        train, val, holdout: row numbers, `[R, k]`, or `[1, k]` where the seeds share their parts; a prefix of `train`
            is a smaller training set.
        is_resplit: whether each seed has parts of its own.
    """

    problem: Problem
    x: np.ndarray
    y: np.ndarray
    train: np.ndarray
    val: np.ndarray
    holdout: np.ndarray
    target_scale: float
    is_resplit: bool

    @property
    def overlap(self) -> float:
        """Rows of the pool that judge a seed for each that does not, 0 where the seeds share their parts.

        The share of its judging rows that a seed has in common with another is then what Nadeau and Bengio (2003) take
        for the correlation of two splits; see `pipeline.scores.interval`.
        """
        return self.holdout.shape[1] / (len(self.y) - self.holdout.shape[1]) if self.is_resplit else 0.0

    def examples(self, train_rows: int | None = None, labels: Labels = "true") -> Examples:
        """What the trainer takes.

        Args:
            train_rows: so many of each seed's training rows; None for all.
            labels: of the training rows; the other rows keep their own.
        """
        x, y, shift = self.x, self.y, 0
        if labels != "true":  # every row twice: once to train on, under another label, and once to be scored on
            x, y, shift = np.concatenate([x, x]), np.concatenate([_relabelled(y, labels), y]), len(y)
        return Examples(
            self.problem, x, y, self.train[:, :train_rows], self.val + shift, self.target_scale, self.holdout + shift
        )

    def chance(self, seeds: int, train_rows: int | None = None) -> np.ndarray:
        """The holdout loss of knowing nothing of the features, `[R]`.

        That is always giving the class frequencies of the training rows, with one more row in each class so that none
        is 0 (Laplace's rule); or always their mean.
        """
        y_train, y = self.y[self.train[:, :train_rows]], self.y[self.holdout]
        if not self.problem.is_classification:
            errors = y - y_train.mean(axis=1, keepdims=True)
            return np.broadcast_to(np.sqrt(np.square(errors).mean(axis=1)) * self.target_scale, seeds)
        counts = np.stack([np.bincount(labels, minlength=self.problem.n_outputs) + 1 for labels in y_train])
        shares = counts / counts.sum(axis=1, keepdims=True)
        return np.broadcast_to([-np.log(own[labels]).mean() for own, labels in zip(shares, y, strict=True)], seeds)


def read_rows(study: Study, seeds: list[int], summary: Summary) -> Rows:
    """Pool the prepared training and validation rows and split them for each seed.

    Raises:
        InputError: too few validation rows, or too few groups.
    """
    train, validation = read_split("train"), read_split("validation")
    if len(validation) < LEAST_HELD:
        raise InputError(
            f"the study needs at least {LEAST_HELD} validation rows, half of them to judge on; there are "
            f"{len(validation)}: raise data.val_fraction"
        )
    x, y = np.concatenate([train.x, validation.x]), np.concatenate([train.y, validation.y])
    strata = y if summary.classes else np.zeros(len(y), np.int32)
    groups = None if train.groups is None else np.concatenate([train.groups, validation.groups])
    # No more rows to choose and judge on than to train on: where training rows are few on purpose, scoring would cost
    # more than training.
    held = min(len(validation), len(train))
    if study.resplit:
        parts = [resplit(strata, held, seed, groups) for seed in seeds]
        parts = [(own[: len(train)], val, holdout) for own, val, holdout in parts]
    else:
        parts = [_as_prepared(strata, len(train), held)]
    own = (_of_one_size(part) for part in zip(*parts, strict=True))
    return Rows(summary.problem, x, y, *own, summary.target_scale or 1.0, study.resplit)


def _as_prepared(strata: np.ndarray, n_train: int, n_held: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    train = stratified_order(strata[:n_train], rng)
    held = n_train + stratified_order(strata[n_train:], rng)[:n_held]
    return train, *stratified_halves(held, strata, rng)


def _of_one_size(parts: tuple[np.ndarray, ...]) -> np.ndarray:
    """`[R, k]`, k as in the smallest part: with groups the seeds have not quite as many rows."""
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
