"""The rows that some seeds are scored on after each epoch, split by split."""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from pipeline.data.examples import Examples

Block = tuple[tf.Tensor, tf.Tensor]

# A split that all seeds share is gathered once and stays in memory, unless it has more numbers than this.
NUMBERS_IN_MEMORY = 50_000_000


class ScoredSplits:
    """The training, validation and holdout rows that some seeds are scored on.

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
        self.x, self.y, self.block_rows = examples.x, examples.y, block_rows
        rows_of_all = {"train": train_rows, "validation": val_rows, "holdout": holdout_rows}
        self.rows = {split: rows.astype(np.int32) for split, rows in rows_of_all.items() if rows.shape[1]}
        self.in_memory: dict[str, list[Block]] = {}

    def blocks(self, split: str) -> Iterable[Block]:
        """Return the rows and targets of a split in blocks, `[R, k, n_features]` and `[R, k]`; R is 1 if shared."""
        if split in self.in_memory:
            return self.in_memory[split]
        rows = self.rows[split]
        parts = (rows[:, start : start + self.block_rows] for start in range(0, rows.shape[1], self.block_rows))
        blocks = ((tf.constant(self.x[part]), tf.constant(self.y[part])) for part in parts)
        if len(rows) > 1 or rows.size * self.x.shape[1] > NUMBERS_IN_MEMORY:
            return blocks
        return self.in_memory.setdefault(split, list(blocks))

    def target_variances(self, replicas: int) -> np.ndarray:
        """Return the variance of the target in each split for so many seeds, `[splits, R]`."""
        variances = [np.broadcast_to(self.y[rows].var(axis=1), replicas) for rows in self.rows.values()]
        return np.stack(variances) if variances else np.zeros((0, replicas))


def first_scored(train_rows: np.ndarray, limit: int | None) -> np.ndarray:
    """Return the training rows, `[R, n]`, that are scored after each epoch: at most `limit`, always the same."""
    n = train_rows.shape[1]
    if limit is None or limit >= n:
        return train_rows
    return train_rows[:, np.sort(np.random.default_rng(0).permutation(n)[:limit])]
