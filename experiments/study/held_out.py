"""The scores of a model on the rows that its trainings held out, row by row, and its metrics with their intervals."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from experiments.study.rows import Rows
from pipeline.statistics import scores
from pipeline.statistics.comparisons import estimates
from pipeline.statistics.intervals import Interval
from pipeline.statistics.metrics import BETTER_ABOVE


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The scores of one configuration, or of a choice among several, on the rows of a study.

    Attributes:
        row_scores: by the names of `scores.ROW_SCORES`, `[rings, 2, n]`; None where rows have no scores of their own.
        judging: rows that judge, bool `[n]`; the others had a say in the settings.
    """

    rows: Rows
    row_scores: dict[str, np.ndarray] | None
    judging: np.ndarray

    @property
    def loss(self) -> str:
        """Return the name of the loss."""
        return scores.METRICS[self.rows.problem.task][0]

    def judged_rows(self, name: str) -> np.ndarray:
        """Return the row score behind a metric for every row, `[rings, 2, n]`; NaN where none may judge."""
        if self.row_scores is None:
            return np.full(self.rows.ring.judges.shape, np.nan)
        judging = self.judging & (self.rows.ring.judges >= 0)
        return np.where(judging, self.row_scores[scores.row_score_of(name)], np.nan)

    def floor_rows(self, name: str) -> np.ndarray:
        """Return what knowing nothing scores on every row, `[rings, 2, n]`; NaN where none may judge."""
        return np.where(self.judging, self.rows.floor[scores.row_score_of(name)], np.nan)

    @cached_property
    def loss_rows(self) -> np.ndarray:
        """Return the loss of every row, cross-entropy or squared error, `[rings, 2, n]`; NaN where none may judge."""
        return self.judged_rows(self.loss)

    @property
    def floor_loss(self) -> float:
        """Return the mean holdout loss of knowing nothing."""
        return float(scores.from_mean(self.loss, self.rows.ring.mean(self.floor_rows(self.loss))))

    def mean(self, name: str) -> float:
        """Return the mean of a metric over the rows that judge."""
        return float(scores.from_mean(name, self.rows.ring.mean(self.judged_rows(name)), self.rows.variance))

    def metric(self, name: str) -> Interval:
        """Return a metric over all rows that judge; nothing is known where none does."""
        values = self.judged_rows(name)
        if not np.isfinite(values).any():
            return Interval()
        [estimate] = estimates([values], self.rows.ring)
        if name in BETTER_ABOVE:  # a score of the classes alike is known no better than the rarest class is
            estimate = replace(estimate, n=min(estimate.n, self.rows.rarest))
        return scores.interval_of(name, estimate, self.rows.variance)

    def loss_on(self, rows: np.ndarray) -> Interval | None:
        """Return the holdout loss on some of the rows, bool `[n]`; None where none of them judges a seed."""
        loss = replace(self, judging=rows).metric(self.loss)
        return loss if loss.mean is not None else None
