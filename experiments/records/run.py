"""The schema of `study_run.json`: what differs between two runs of one study."""

from typing import Annotated

from pydantic import Field

from experiments.records.record import RUN_ID, Record
from pipeline.statistics.intervals import Interval


class EqualTime(Record):
    """The losses of gradient descent, mini-batches and single examples after as many seconds of training each."""

    seconds: float
    losses: dict[str, Interval]
    epochs: dict[str, float]


class TestLooks(Record):
    """The number of looks at this test set that MLflow knows of; this study's look is the last."""

    looks: int | None
    settings_changed_after_a_look: bool


class Cost(Record):
    """The cost of the study; `seconds` includes the time that trainings kept from an earlier start took then."""

    runs: int
    seed_epochs: int
    seconds: float


class StudyRun(Record):
    """The results that differ between two runs of one study: times, and the MLflow runs by `section/arm`.

    Attributes:
        seconds: that the training of each arm and of each peer took, by `section/arm`.
    """

    parent_run: Annotated[str, Field(pattern=RUN_ID)] | None
    runs: dict[str, str]
    cost: Cost
    seconds: dict[str, float] = Field(default_factory=dict)
    equal_time: EqualTime | None
    test_looks: TestLooks
