"""The trained seeds as a file: what the stage train leaves for those that score them."""

from dataclasses import dataclass

import numpy as np

from pipeline.errors import InputError
from pipeline.files import read_arrays, write_arrays
from pipeline.paths import SEEDS_FILE

PREFIX = "weights/"


@dataclass(frozen=True, eq=False)
class TrainedSeeds:
    """Each seed's name, best epoch (from 1), whether it diverged, and its weights, the seed as first axis.

    The weights are `[R, n_in, n_out]` and `[R, n_out]`, named as in `model.initial_weights`.
    """

    seeds: np.ndarray
    best_epoch: np.ndarray
    diverged: np.ndarray
    weights: dict[str, np.ndarray]

    @property
    def sound(self) -> np.ndarray:
        """Which seeds have weights to score, bool `[R]`."""
        return is_sound(self.weights)


def is_sound(weights: dict[str, np.ndarray]) -> np.ndarray:
    """Return which seeds have finite weights, bool `[R]`."""
    return np.logical_and.reduce([np.isfinite(v).all(axis=tuple(range(1, v.ndim))) for v in weights.values()])


def write_seeds(trained: TrainedSeeds) -> None:
    """Write `models/seeds.npz`."""
    facts = {name: getattr(trained, name) for name in ("seeds", "best_epoch", "diverged")}
    write_arrays(SEEDS_FILE, facts | {f"{PREFIX}{name}": value for name, value in trained.weights.items()})


def read_seeds() -> TrainedSeeds:
    """Read `models/seeds.npz`.

    Raises:
        InputError: it is missing or not what the stage train writes.
    """
    try:
        arrays = read_arrays(SEEDS_FILE)
        weights = {name.removeprefix(PREFIX): arrays.pop(name) for name in list(arrays) if name.startswith(PREFIX)}
        return TrainedSeeds(**arrays, weights=weights)
    except FileNotFoundError:
        raise InputError(f"{SEEDS_FILE} is missing; run `dvc repro`") from None
    except (ValueError, TypeError):
        raise InputError(f"{SEEDS_FILE} is not what the stage train writes; delete it and run `dvc repro`") from None
