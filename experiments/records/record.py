"""The base of all records of a study, and the names that several of them share."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

SectionName = Literal[
    "remedies", "learning_curve", "capacity", "optimizers", "activations", "memorization", "winner"
]  # fmt: skip
RUN_ID = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,255}$"  # as MLflow takes one
OtherScore = Literal["accuracy", "brier", "mae"]  # beside the loss
RemedyGroup = Literal["without", "with"]  # the chosen remedy


class Record(BaseModel):
    """A part of a result file, which refuses unknown keys and cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
