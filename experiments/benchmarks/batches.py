"""The batches that the peers written by hand train on: each seed sees all rows in an order of its own."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from pipeline.settings import Model


def orders(seeds: list[int], rows: int, size: int, epochs: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield for each epoch the rows of its batches, int32 `[R, steps, size]`, and their shares in a batch's mean.

    The last batch is filled up with rows whose share, float32 `[steps, size]`, is 0.
    """
    random, steps = np.random.default_rng(seeds), -(-rows // size)
    counted = (np.arange(steps * size) < rows).astype(np.float32).reshape(steps, size)
    for _ in range(epochs):
        order = np.stack([random.permutation(rows) for _ in seeds])
        filled = np.pad(order, ((0, 0), (0, steps * size - rows)), mode="edge")
        yield filled.reshape(len(seeds), steps, size).astype(np.int32), counted / counted.sum(axis=1, keepdims=True)


def glorot(sizes: list[int], seeds: list[int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return each layer's kernels `[R, n_in, n_out]`, drawn as Keras draws them, and biases `[R, n_out]` of 0."""
    random = np.random.default_rng(seeds)
    limits = [(shape, (6 / sum(shape)) ** 0.5) for shape in pairwise(sizes)]
    return [
        (random.uniform(-limit, limit, (len(seeds), *shape)).astype(np.float32), np.zeros((len(seeds), shape[1]), "f4"))
        for shape, limit in limits
    ]


def check_plain(model: Model) -> None:
    """Check that a network has nothing but its hidden units, dropout and L2, which is what these peers can do.

    Raises:
        ValueError: it has more.
    """
    if model != Model(hidden_units=model.hidden_units, dropout=model.dropout, l2=model.l2):
        raise ValueError(f"this peer has dropout and L2 alone; got {model}")
