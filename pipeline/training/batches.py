"""The batches of an epoch: which rows each seed sees, in which order, and at which learning rate."""

from typing import NamedTuple

import numpy as np
from sklearn.utils import compute_class_weight

from pipeline.data.examples import Examples
from pipeline.settings import Train
from pipeline.training.fast import noise
from pipeline.training.images import Changes, Changing
from pipeline.training.mixup import Mixing

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
        mixing: of the examples of each batch; None without mixup.
        changes: of the images of each batch; None where they stay as they are.
    """

    steps: np.int32
    first_step: np.int32
    rows: np.ndarray
    shares: np.ndarray
    learning_rates: np.ndarray
    keys: np.ndarray
    weights: np.ndarray | None = None
    mixing: Mixing | None = None
    changes: Changes | None = None


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
    alphas: list[float] | None = None,
    changing: Changing | None = None,
) -> Batches:
    """Return the batches of an epoch (from 1), each seed's rows in an order of its own.

    Args:
        train_rows: indices of rows, `[R, n]`, or `[1, n]` where all seeds share them.
        size: the number of rows in a batch.
        learning_rates: `[steps, R]`.
        weights: of all rows, as `row_weights` returns them. A batch's loss is the mean of weighted losses, so that over
            an epoch a row counts in proportion to its weight whatever batch it is in.
        alphas: the strength of mixup for each seed; nothing without it.
        changing: how far the images of each seed are changed.
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
        weights=None if weights is None else _padded(weights[np.arange(rows.shape[1])[:, None] % len(weights), rows]),
        mixing=Mixing(*map(_padded, Mixing.of(seeds, alphas, epoch, counted))) if alphas else None,
        changes=None if changing is None else changing.draw(seeds, epoch, counted.shape).each(_padded),
    )


def row_weights(examples: Examples, train_rows: np.ndarray, trains: list[Train]) -> np.ndarray | None:
    """Return how much each row counts in the training loss of each replica, float32 `[R, n]`, or `[1, n]` for all.

    That is the weight of the row times the weight of its class (`train.class_weight`), divided by the mean over the
    training rows of the replica. A batch's loss is thus as large as without weights, and so is a step at the same
    learning rate; class weights in a ratio of 1 to 5 are those of 2 to 10. Keras' `fit` and scikit-learn take weights
    as they are; those that are balanced have the mean 1 anyway.

    Args:
        train_rows: indices of rows, `[R, n]`, or `[1, n]` where all replicas share them.
        trains: of each replica, all of them with class weights or none.

    Returns:
        None where all count alike.
    """
    if trains[0].class_weight is None:
        return None if examples.weights is None else _relative(examples.weights[None], train_rows)
    rows_of = np.broadcast_to(train_rows, (len(trains), train_rows.shape[1]))
    of_classes = [_class_weights(examples, rows, train) for rows, train in zip(rows_of, trains, strict=True)]
    weights = np.stack([by_class[examples.y] for by_class in of_classes])
    return _relative(weights if examples.weights is None else weights * examples.weights, train_rows)


def _class_weights(examples: Examples, rows: np.ndarray, train: Train) -> np.ndarray:
    """Return the weight of each class, `[classes]`; balanced ones make all classes of these rows count alike."""
    weights = np.ones(examples.problem.n_outputs)
    if isinstance(train.class_weight, tuple):
        names = examples.problem.class_names
        weights[[names.index(name) for name, _ in train.class_weight]] = [weight for _, weight in train.class_weight]
        return weights
    y, counts = examples.y[rows], None if examples.weights is None else examples.weights[rows]
    present = np.unique(y)
    weights[present] = compute_class_weight("balanced", classes=present, y=y, sample_weight=counts)
    return weights


def _relative(weights: np.ndarray, train_rows: np.ndarray) -> np.ndarray:
    """Return weights `[R, n]` or `[1, n]`, divided by their mean over the training rows of each replica."""
    replicas = max(len(weights), len(train_rows))
    of_rows, rows = (np.broadcast_to(array, (replicas, array.shape[1])) for array in (weights, train_rows))
    means = np.take_along_axis(of_rows, rows, axis=1).mean(axis=1, keepdims=True)
    return (weights / means).astype(np.float32)


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
