"""The examples that a model is trained and scored on, as arrays in memory."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from pipeline.data.time_order import blocks_in_time

Task = Literal["classification", "regression"]


@dataclass(frozen=True)
class Problem:
    """The task of a model, and its inputs and outputs.

    Attributes:
        n_outputs: the number of classes, or 1 for regression.
        target_mean, target_scale: mean and standard deviation of a regression's target in the training part, in its
            own unit; 0 and 1 for classes.
        classes: their names in the data, in the order of their indices; where it is empty, they are called 0, 1, ...
        image_shape: height, width and, if there are any, channels, of which a row holds the pixels in this order;
            empty for a table.
        blank: what the network sees of a pixel of 0: one number, or one for each feature.
    """

    task: Task
    n_features: int
    n_outputs: int
    target_mean: float = 0.0
    target_scale: float = 1.0
    classes: tuple[str, ...] = field(default=(), compare=False)  # no graph depends on them
    image_shape: tuple[int, ...] = ()
    blank: tuple[float, ...] = (0.0,)

    @property
    def is_classification(self) -> bool:
        return self.task == "classification"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Return the name of each class."""
        return self.classes or tuple(map(str, range(self.n_outputs)))

    def in_unit(self, standardized: np.ndarray) -> np.ndarray:
        """Return a regression's standardized targets or predictions in the target's own unit, float64."""
        return standardized.astype(np.float64) * self.target_scale + self.target_mean


@dataclass(frozen=True, eq=False)
class Split:
    """One part of the data, as the network sees it.

    Attributes:
        x: float32 `[n, n_features]`.
        y: int32 class indices `[n]`; or float32 `[n]`, standardized by the training part's mean and standard deviation.
        groups: int32 `[n]`; rows of one group stay together when the rows are split again. None for no groups.
        numbers: int64 `[n]`, the row numbers in the source, counted from 0. None where they are not known.
        weights: float32 `[n]`, above 0: how much each row counts, in the loss and in scores. None for equal ones.
        times: int64 `[n]`, the order of the rows in time, equal for rows of one time. None for no order.
    """

    x: np.ndarray
    y: np.ndarray
    groups: np.ndarray | None = None
    numbers: np.ndarray | None = None
    weights: np.ndarray | None = None
    times: np.ndarray | None = None

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays that are not None, by name."""
        return {name: array for name, array in vars(self).items() if array is not None}

    @property
    def blocks(self) -> np.ndarray | None:
        """Return the block of each row, int `[n]`: rows near each other in time, or of a group, depend on each other.

        None where all rows are independent.
        """
        return self.groups if self.times is None else blocks_in_time(self.times)

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows, and the choice of those that each seed trains and validates on.

    Attributes:
        x, y: all rows, as in `Split`.
        train_rows, val_rows: indices of rows, `[1, k]` where all seeds share a split, else `[R, k]`; `val_rows` may be
            empty, `k = 0`.
        holdout_rows: indices of the rows that stop and choose in place of the validation rows, so that each of the
            two can judge what the other chose; most often empty.
        weights: of all rows, as in `Split`.
    """

    problem: Problem
    x: np.ndarray
    y: np.ndarray
    train_rows: np.ndarray
    val_rows: np.ndarray
    holdout_rows: np.ndarray = field(default_factory=lambda: np.empty((1, 0), int))
    weights: np.ndarray | None = None

    @property
    def has_validation(self) -> bool:
        return self.val_rows.shape[1] > 0

    @classmethod
    def of_splits(cls, problem: Problem, train: Split, validation: Split) -> "Examples":
        """Return the examples of a training and a validation part that all seeds share."""
        rows = np.arange(len(train) + len(validation))[None]
        x, y = np.concatenate([train.x, validation.x]), np.concatenate([train.y, validation.y])
        weights = None
        if train.weights is not None and validation.weights is not None:
            weights = np.concatenate([train.weights, validation.weights])
        return cls(problem, x, y, rows[:, : len(train)], rows[:, len(train) :], weights=weights)
