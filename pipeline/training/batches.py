"""The batches of an epoch: which rows each seed sees, in which order, and at which learning rate."""

from typing import NamedTuple

import numpy as np

from pipeline.settings import Train
from pipeline.training.fast import noise

# Graphs are padded to a power of two steps, this many at least, so that nearby sizes share one. An epoch of one step
# has a graph of its own.
FEWEST_STEPS = 64


class Batches(NamedTuple):
    """The steps of an epoch, padded with steps that are not taken.

    Attributes:
        steps: how many are taken, int32 scalar.
        first_step: how many were before this epoch, int32 scalar.
        rows: of each batch, int32 `[steps, R, batch]`.
        shares: of each example in its batch's mean, float32 `[steps, batch]`; 0 for rows that only fill it up.
        weights: of each example, float32 `[steps, R, batch]`, with mean 1 over a seed's training rows; None for equal
            ones.
        learning_rates: float32 `[steps, R]`.
        keys: of the random numbers, uint32 `[steps, R, 2]`.
    """

    steps: np.int32
    first_step: np.int32
    rows: np.ndarray
    shares: np.ndarray
    learning_rates: np.ndarray
    keys: np.ndarray
    weights: np.ndarray | None = None


def batch_size(train: Train, rows: int) -> int:
    """Return the number of rows in a batch; gradient descent takes all of them."""
    return rows if train.optimizer == "gd" else min(train.batch_size, rows)


def epoch_order(seed: int, epoch: int, rows: int) -> np.ndarray:
    """Return the order in which a seed sees the training rows in an epoch (from 1), int `[rows]`."""
    return np.random.default_rng([seed, 1, epoch]).permutation(rows)


def epoch_batches(
    seeds: list[int],
    epoch: int,
    train_rows: np.ndarray,
    size: int,
    learning_rates: np.ndarray,
    weights: np.ndarray | None = None,
) -> Batches:
    """Return the batches of an epoch (from 1), each seed's rows in an order of its own.

    Args:
        train_rows: indices of rows, `[R, n]`, or `[1, n]` where all seeds share them.
        size: the number of rows in a batch.
        learning_rates: `[steps, R]`.
        weights: of all rows, `[n]`; None for equal ones. A batch's loss is the mean of weighted losses, so that over an
            epoch a row counts in proportion to its weight whatever batch it is in.
    """
    orders = [epoch_order(seed, epoch, train_rows.shape[1]) for seed in seeds]
    rows, counted = in_batches(np.take_along_axis(train_rows, np.stack(orders), axis=1), size)
    steps = len(rows)
    return Batches(
        steps=np.int32(steps),
        first_step=np.int32((epoch - 1) * steps),
        rows=_padded(rows),
        shares=_padded(counted / counted.sum(axis=1, keepdims=True)),
        learning_rates=_padded(learning_rates.astype(np.float32)),
        keys=_padded(noise.keys(seeds, epoch, steps)),
        weights=None if weights is None else _padded(_relative(weights, train_rows, rows)),
    )


def _relative(weights: np.ndarray, train_rows: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the weights of rows `[steps, R, batch]`, divided by the mean over each seed's training rows."""
    return (weights[rows] / weights[train_rows].mean(axis=1)[:, None]).astype(np.float32)


def in_batches(rows: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut rows `[S, n]` into batches `[steps, S, size]`, the last one filled up.

    Returns:
        The batches, and which of their rows count, `[steps, size]`: 1, or 0 for a row that only fills the batch up.
    """
    n = rows.shape[1]
    steps = -(-n // size)
    # A seed's batch is filled up with a row of its own: what another seed alone trains on must not reach this one, not
    # even times 0.
    filled = np.pad(rows.astype(np.int32), ((0, 0), (0, steps * size - n)), mode="edge" if n else "empty")
    counted = (np.arange(steps * size) < n).astype(np.float32)
    return filled.reshape(len(rows), steps, size).transpose(1, 0, 2), counted.reshape(steps, size)


def _padded(values: np.ndarray) -> np.ndarray:
    """Append steps of zeros, which are not taken, up to the number of steps that the graph is made for."""
    steps = len(values)
    length = 1 if steps == 1 else max(FEWEST_STEPS, 1 << (steps - 1).bit_length())
    return np.pad(values, ((0, length - steps), *[(0, 0)] * (values.ndim - 1)))
