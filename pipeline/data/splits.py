"""Reading of the stage prepare's results: the three splits and their summary."""

from pathlib import Path
from typing import Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict

from pipeline.data.examples import Problem, Split, Task
from pipeline.files import read_arrays, read_of

SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[SplitName, ...] = get_args(SplitName)

PREPARED = Path("data/prepared")
SUMMARY_FILE = PREPARED / "summary.json"
CHECKS_FILE = PREPARED / "checks.json"  # see `pipeline.data.checkup`
PREPROCESSING_FILE = PREPARED / "preprocessing.json"


class Summary(BaseModel):
    """The content of the splits; values of a split are under its name, null where the split has no rows.

    `name` is that of `data.name`, or the source's without its folder and suffix.

    `target_mean` and `target_scale` are in the target's own units: target = y * target_scale + target_mean.
    The scores to beat: `majority_share` is the accuracy of always predicting the most frequent class of the training
    part, `mean_rmse` the root mean squared error, in the target's units, of always predicting its mean.
    Where rows have weights, those of the column `weight`, both are weighted; `rows` and `class_counts` count rows.
    `time` is the column of `data.time`, by which the rows were split, and `time_range` its first and last value.
    `image_blank` is what the network sees of a pixel of 0: one number, or one for each feature.
    `findings` are the codes of the check-up's findings that are not accepted, each once.
    `duplicates` counts, for "a_b", the rows of b whose prepared features are also those of a row of a.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    name: str
    task: Task
    target: str | None
    features: list[str] | None
    n_features: int
    classes: list[str] | None
    target_mean: float | None
    target_scale: float | None
    image_shape: list[int] | None
    rows: dict[SplitName, int]
    class_counts: dict[SplitName, dict[str, int]] | None
    majority_share: dict[SplitName, float | None] | None
    mean_rmse: dict[SplitName, float | None] | None
    digest: dict[SplitName, str]
    duplicates: dict[str, int]
    warnings: list[str]
    findings: list[str]
    image_blank: list[float] | None = None
    weight: str | None = None
    time: str | None = None
    time_range: dict[SplitName, tuple[str, str] | None] | None = None

    @property
    def problem(self) -> Problem:
        """Return the problem that the prepared data poses to a model."""
        classes = tuple(self.classes or ())
        mean, scale = self.target_mean or 0.0, self.target_scale or 1.0
        shape, blank = tuple(self.image_shape or ()), tuple(self.image_blank or (0.0,))
        return Problem(self.task, self.n_features, len(classes) or 1, mean, scale, classes, shape, blank)


def split_file(name: SplitName) -> Path:
    """Return the path of a split."""
    return PREPARED / f"{name}.npz"


def read_summary() -> Summary:
    """Read `data/prepared/summary.json`.

    Raises:
        InputError: it is missing or not what the stage prepare writes.
    """
    return read_of("prepare", SUMMARY_FILE, lambda path: Summary.model_validate_json(path.read_bytes()))


def read_split(name: SplitName) -> Split:
    """Read one split; it may have 0 rows.

    Raises:
        InputError: it is missing or not what the stage prepare writes.
    """
    return read_of("prepare", split_file(name), lambda path: _split(read_arrays(path)))


def _split(arrays: dict[str, np.ndarray]) -> Split:
    split = Split(**arrays)
    if split.x.ndim != 2 or any(len(array) != len(split) for array in split.arrays.values()):
        raise ValueError("the arrays do not fit each other")
    return split
