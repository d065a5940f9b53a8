"""Reading of the files of an evaluation, without TensorFlow."""

from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict

from pipeline.data.splits import SPLITS
from pipeline.files import read_json, read_of, read_table
from pipeline.paths import CURVES_FILE, EVALUATION_FILE, SEED_SCORES_FILE
from pipeline.statistics.intervals import Interval

STAGE = "evaluate"
GROUPS = (*SPLITS, "gap")


Metric = Literal[
    "cross_entropy", "accuracy", "balanced_accuracy", "f1", "roc_auc", "average_precision", "brier",
    "calibration_error", "rmse", "r2", "mae",
]  # fmt: skip


class Evaluation(BaseModel):
    """The schema of `evaluation.json`; a split without rows has no scores."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: dict[Metric, Interval]
    validation: dict[Metric, Interval] = {}
    test: dict[Metric, Interval] = {}
    gap: dict[Literal["cross_entropy", "accuracy", "rmse", "r2"], Interval] = {}
    best_epoch: Interval
    seeds: int
    scored: int
    diverged: int


def read_evaluation() -> dict[str, Any]:
    """Read `evaluation.json`.

    Raises:
        InputError: it is missing or not what the stage writes.
    """

    def checked(content: dict[str, Any]) -> dict[str, Any]:
        Evaluation.model_validate(content)
        return content

    return read_of(STAGE, EVALUATION_FILE, lambda path: checked(read_json(path)))


def read_seed_scores(evaluation: dict[str, Any]) -> pd.DataFrame:
    """Read `seeds.csv`, which has the scores that the evaluation summarizes.

    Raises:
        InputError: it is missing or not what the stage writes.
    """
    columns = [f"{group}_{metric}" for group in GROUPS for metric in evaluation.get(group, {})]
    return read_table(STAGE, SEED_SCORES_FILE, ["seed", "best_epoch", "diverged", *columns])


def read_curves() -> pd.DataFrame:
    """Read `curves.csv`, with the epoch as index.

    Raises:
        InputError: it is missing or not what the stage writes.
    """
    return read_table(STAGE, CURVES_FILE, ["epoch"]).set_index("epoch")
