"""The result of a training, and the files in which the stage train hands it on."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.errors import InputError
from pipeline.files import read_arrays, read_of, read_table, under, write_arrays, written_whole
from pipeline.paths import HISTORY_FILE, SEEDS_FILE
from pipeline.training.history import DIGITS
from pipeline.training.inputs import UNTRAINED

WEIGHTS, HOLDOUT = "weights/", "by_holdout/"


@dataclass(frozen=True, eq=False)
class Chosen:
    """The epoch of each seed that some rows choose, and the weights that a training with these rows ends with.

    Attributes:
        weights: `[R, n_in, n_out]` and `[R, n_out]`, named as in `model.initial_weights`. With early stopping they are
            those of each seed's best epoch, else those of its last; NaN for a seed that has no such epoch or diverged
            before the last.
        best_epoch: epoch of the lowest cross-entropy (RMSE) on these rows, or of the best `train.monitor`, counted from
            1; one for all seeds where these stop together; the last one without such rows; 0 where no epoch had a
            finite score.
    """

    weights: dict[str, np.ndarray]
    best_epoch: np.ndarray

    @property
    def sound(self) -> np.ndarray:
        """Return which seeds have weights to score, bool `[R]`."""
        return is_sound(self.weights)

    @property
    def weight_count(self) -> int:
        """Return how many weights a seed has, without those of the inputs' layers, which are not trained."""
        return sum(value[0].size for path, value in self.weights.items() if path.partition("/")[0] not in UNTRAINED)


@dataclass(frozen=True, eq=False)
class Fitted(Chosen):
    """R trained seeds, as the validation rows choose them.

    Attributes:
        history: a row per seed and epoch: training, validation and holdout cross-entropy (nats; dropout off, penalties
            out) and accuracy, or RMSE (target's unit) and R2, and the learning rate of the epoch's last step.
        diverged: seeds that were stopped because their loss was not finite.
        by_holdout: what the holdout rows choose in place of the validation rows; None where there are none.
    """

    seeds: list[int]
    diverged: np.ndarray
    history: pd.DataFrame
    by_holdout: Chosen | None = None

    @property
    def warnings(self) -> list[str]:
        """Return a line that names the seeds that diverged; nothing where none did."""
        names = ", ".join(str(seed) for seed, diverged in zip(self.seeds, self.diverged, strict=True) if diverged)
        return [f"the loss of seed {names} stopped being finite, and its training with it"] if names else []

    @property
    def first_sound(self) -> dict[str, np.ndarray]:
        """Return the weights of the first seed that can be scored, `[n_in, n_out]` and `[n_out]`.

        Raises:
            InputError: there is none.
        """
        sound = self.sound
        if not sound.any():
            raise InputError("train.learning_rate is too high: no seed's loss stayed finite; try a tenth of it")
        return {name: value[sound.argmax()] for name, value in self.weights.items()}


def is_sound(weights: dict[str, np.ndarray]) -> np.ndarray:
    """Return which seeds have finite weights, bool `[R]`."""
    return np.logical_and.reduce([np.isfinite(v).all(axis=tuple(range(1, v.ndim))) for v in weights.values()])


def arrays_of(fitted: Fitted) -> dict[str, np.ndarray]:
    """Return all of a training's result but the history, as arrays under unique names."""
    arrays = {"seeds": np.array(fitted.seeds), "diverged": fitted.diverged}
    arrays |= _chosen_arrays(fitted)
    if fitted.by_holdout is not None:
        arrays |= {f"{HOLDOUT}{name}": value for name, value in _chosen_arrays(fitted.by_holdout).items()}
    return arrays


def _chosen_arrays(chosen: Chosen) -> dict[str, np.ndarray]:
    weights = {f"{WEIGHTS}{name}": value for name, value in chosen.weights.items()}
    return {"best_epoch": chosen.best_epoch} | weights


def fitted_of(arrays: dict[str, np.ndarray], history: pd.DataFrame) -> Fitted:
    """Return the result of a training from what `arrays_of` returned, and its history.

    Raises:
        KeyError: an array is missing.
        ValueError: the arrays do not fit each other.
    """
    holdout, weights = under(HOLDOUT, arrays), under(WEIGHTS, arrays)
    if not weights or any(len(value) != len(arrays["seeds"]) for value in weights.values()):
        raise ValueError("there are not as many weights as seeds")
    return Fitted(
        weights=weights,
        best_epoch=arrays["best_epoch"],
        seeds=arrays["seeds"].tolist(),
        diverged=arrays["diverged"],
        history=history,
        by_holdout=Chosen(under(WEIGHTS, holdout), holdout["best_epoch"]) if holdout else None,
    )


def write_fitted(fitted: Fitted) -> None:
    """Write `models/seeds.npz` and, its numbers with seven digits, the history as `experiments/results/history.csv`."""
    write_arrays(SEEDS_FILE, arrays_of(fitted))
    with written_whole(HISTORY_FILE) as beside:
        fitted.history.to_csv(beside, index=False, float_format=DIGITS)


def read_fitted() -> Fitted:
    """Read what `write_fitted` has written; the history has no more than its seven digits.

    Raises:
        InputError: a file is missing or not what the stage train writes.
    """
    history = read_history()
    return read_of("train", SEEDS_FILE, lambda path: fitted_of(read_arrays(path), history))


def read_history() -> pd.DataFrame:
    """Read `experiments/results/history.csv`.

    Raises:
        InputError: the file is missing or not what the stage train writes.
    """
    return read_table("train", HISTORY_FILE, ["seed", "epoch"])
