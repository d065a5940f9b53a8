"""Populations from which a simulation draws pools of rows, and new rows for the true loss of what was trained."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import make_friedman1

from pipeline.data.examples import Problem
from pipeline.files import read_arrays

MNIST_FILE = Path("data/raw/mnist.npz")
NEW_ROWS = 10_000
COPIES = 6  # rows in a group
RARE_SHARE = 0.05
FRIEDMAN_MEAN, FRIEDMAN_SCALE = 14.4, 5.0  # of the target, known beforehand


@dataclass(frozen=True)
class Drawn:
    """A pool of rows, with their groups if there are any, and new rows of the same population."""

    x: np.ndarray
    y: np.ndarray
    groups: np.ndarray | None
    new_x: np.ndarray
    new_y: np.ndarray


@dataclass(frozen=True)
class Population:
    """A population that pools and new rows are drawn from.

    Attributes:
        draw: draws a pool with the given number of rows, and new rows.
    """

    problem: Problem
    draw: Callable[[np.random.Generator, int], Drawn]


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return MNIST's digits, averaged over squares of 4 by 4 pixels, `[70000, 49]` in [0, 1], and their classes."""
    arrays = read_arrays(MNIST_FILE)
    x = np.concatenate([arrays["x_train"], arrays["x_test"]]).reshape(-1, 7, 4, 7, 4)
    y = np.concatenate([arrays["y_train"], arrays["y_test"]])
    return (x.astype(np.float32).mean(axis=(2, 4)) / 255).reshape(len(x), -1), y.astype(np.int32)


def _classes(rng: np.random.Generator, rows: int) -> Drawn:
    x, y = digits()
    order = rng.permutation(len(y))
    pool, new = order[:rows], order[rows : rows + NEW_ROWS]
    return Drawn(x[pool], y[pool], None, x[new], y[new])


def _unequal_classes(rng: np.random.Generator, rows: int) -> Drawn:
    """Draw two classes, of which the rare one, the digit 9, has one row in twenty."""
    x, y = digits()
    is_rare = y == 9
    rare, common = rng.permutation(np.flatnonzero(is_rare)), rng.permutation(np.flatnonzero(~is_rare))
    total = rows + NEW_ROWS // 2
    order = np.concatenate([rare[: round(RARE_SHARE * total)], common[: total - round(RARE_SHARE * total)]])
    order = rng.permutation(order)
    labels = is_rare.astype(np.int32)
    pool, new = order[:rows], order[rows:]
    return Drawn(x[pool], labels[pool], None, x[new], labels[new])


def _numbers(rng: np.random.Generator, rows: int) -> Drawn:
    """Draw Friedman's first regression problem with ten features, five of them of no use (Friedman 1991)."""
    x, y = make_friedman1(rows + NEW_ROWS, noise=1.0, random_state=int(rng.integers(2**31)))
    x = ((x - 0.5) * np.sqrt(12)).astype(np.float32)
    y = ((y - FRIEDMAN_MEAN) / FRIEDMAN_SCALE).astype(np.float32)
    return Drawn(x[:rows], y[:rows], None, x[rows:], y[rows:])


def _groups(rng: np.random.Generator, rows: int) -> Drawn:
    """Draw digits that are in the pool several times, each time with other noise."""
    x, y = digits()
    order = rng.permutation(len(y))
    originals = -(-rows // COPIES)
    group = np.arange(rows) // COPIES
    pool, new = order[:originals][group], order[originals : originals + NEW_ROWS]
    noisy = [x[part] + rng.normal(0, 0.1, (len(part), x.shape[1])).astype(np.float32) for part in (pool, new)]
    return Drawn(noisy[0], y[pool], group.astype(np.int32), noisy[1], y[new])


POPULATIONS = {
    "classes": Population(Problem("classification", 49, 10), _classes),
    "numbers": Population(Problem("regression", 10, 1), _numbers),
    "groups": Population(Problem("classification", 49, 10), _groups),
    "unequal classes": Population(Problem("classification", 49, 2), _unequal_classes),
}
