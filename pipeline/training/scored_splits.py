"""The rows that some seeds are scored on after each epoch, split by split."""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from pipeline.choices import Score
from pipeline.data.examples import Examples
from pipeline.training.scored_outputs import score_outputs

Block = tuple[tf.Tensor, tf.Tensor]

# Rows that all seeds share are gathered once and stay in memory, unless they have more numbers than this.
NUMBERS_IN_MEMORY = 50_000_000


class ScoredSplits:
    """The training, validation and holdout rows that some seeds are scored on, all in one go.

    Args:
        train_rows, val_rows, holdout_rows: indices of rows, `[R, n]`, or `[1, n]` where all seeds share them; a split
            without rows is left out.
        block_rows: how many rows of each seed are scored at once.
    """

    def __init__(
        self,
        examples: Examples,
        train_rows: np.ndarray,
        val_rows: np.ndarray,
        holdout_rows: np.ndarray,
        block_rows: int,
    ):
        self.examples = examples
        self.y, self.weights, self.block_rows = examples.y, examples.weights, block_rows
        rows_of_all = {"train": train_rows, "validation": val_rows, "holdout": holdout_rows}
        self.rows = {split: rows.astype(np.int32) for split, rows in rows_of_all.items() if rows.shape[1]}
        sizes = {len(rows) for rows in self.rows.values()}
        whole = [np.broadcast_to(rows, (max(sizes), rows.shape[1])) for rows in self.rows.values()]
        self.all_rows = np.concatenate(whole, axis=1) if whole else np.zeros((1, 0), np.int32)
        self.in_memory: list[Block] | None = None

    def blocks(self, x: tf.Tensor, y: tf.Tensor) -> Iterable[Block]:
        """Return the rows and targets of all splits in blocks, `[R, k, n_features]` and `[R, k]`; R is 1 if shared.

        Args:
            x, y: all rows and their targets.
        """
        if self.in_memory is not None:
            return self.in_memory
        starts = range(0, self.all_rows.shape[1], self.block_rows)
        parts = (self.all_rows[:, start : start + self.block_rows] for start in starts)
        blocks = ((tf.gather(x, part), tf.gather(y, part)) for part in parts)
        if len(self.all_rows) > 1 or self.all_rows.size * x.shape[1] > NUMBERS_IN_MEMORY:
            return blocks
        self.in_memory = list(blocks)
        return self.in_memory

    def means(self, by_row: np.ndarray) -> np.ndarray:
        """Return the means over each split, `[2, splits, R]`, of each row's loss and hits, `[2, R, rows]`."""
        pairs = zip(self._by_split(by_row, axis=-1), self.rows.values(), strict=True)
        means = [self._mean(values, np.broadcast_to(rows, values.shape)) for values, rows in pairs]
        return np.stack(means, axis=1) if means else np.zeros((2, 0, by_row.shape[1]))

    def scores(self, name: Score, outputs: np.ndarray) -> np.ndarray:
        """Return a score of each split, `[splits, R]`, NaN for a seed whose outputs are not finite.

        Args:
            outputs: of every row, `[R, rows, n_outputs]`.
        """
        pairs = zip(self._by_split(outputs, axis=1), self.rows.values(), strict=True)
        return np.stack([score_outputs(name, of_split, rows, self.examples) for of_split, rows in pairs])

    def of_validation(self, outputs: np.ndarray) -> np.ndarray:
        """Return the part of the outputs that is of validation rows."""
        return self._by_split(outputs, axis=1)[list(self.rows).index("validation")]

    def _by_split(self, of_rows: np.ndarray, axis: int) -> list[np.ndarray]:
        ends = np.cumsum([rows.shape[1] for rows in self.rows.values()])
        return np.split(of_rows, ends[:-1], axis=axis) if len(ends) else []

    def target_variances(self, replicas: int) -> np.ndarray:
        """Return the variance of the target in each split for so many seeds, `[splits, R]`."""
        variances = [np.broadcast_to(self._variance(rows), replicas) for rows in self.rows.values()]
        return np.stack(variances) if variances else np.zeros((0, replicas))

    def _mean(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the mean over the last axis of what these rows have, by their weights if there are any."""
        if self.weights is None:
            return values.mean(axis=-1, dtype=float)
        return np.average(values, axis=-1, weights=self.weights[rows].astype(float))

    def _variance(self, rows: np.ndarray) -> np.ndarray:
        if self.weights is None:
            return self.y[rows].var(axis=1)
        means = self._mean(self.y[rows], rows)
        return self._mean(np.square(self.y[rows] - means[:, None]), rows)


def first_scored(train_rows: np.ndarray, limit: int | None) -> np.ndarray:
    """Return the training rows, `[R, n]`, that are scored after each epoch: at most `limit`, always the same."""
    n = train_rows.shape[1]
    if limit is None or limit >= n:
        return train_rows
    return train_rows[:, np.sort(np.random.default_rng(0).permutation(n)[:limit])]
