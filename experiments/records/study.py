"""The schema of `study.json`."""

from typing import Literal

from pydantic import Field

from experiments.records.arms import Arm, Overfits, PowerLaw
from experiments.records.choices import Incumbent, Optimism, OtherChoice, Recommendation
from experiments.records.model import (
    Calibration,
    ClassScores,
    DoubtfulLabels,
    Ensemble,
    FurtherScores,
    Importance,
    Threshold,
)
from experiments.records.peers import Peer
from experiments.records.record import Record, RemedyGroup, SectionName
from pipeline.choices import NewRows


class About(Record):
    """The subject of the study: its data, metrics, seeds and versions.

    Attributes:
        loss, score: the metrics' names: cross_entropy and accuracy, or rmse and r2.
        rows: how many rows each seed trains on (`train`), the pool has whose rows are held out in turn (`pool`), and
            the test set has (`test`).
        weight: the column of weights, by which all means over rows are weighted; None where all rows count alike.
        time: the column of `data.time`, by whose order rows are held out; None where they are drawn.
        folds, rings: into how many folds the pool is cut, and in how many independent ways; in time, into how many
            folds that judge, and how often with other seeds.
        knowing_nothing: the scores, by metric, of always giving the class shares or the mean of the training rows, on
            the rows that judge (`holdout`) and on `test`.
        digest: SHA-256 of each prepared split.
        epochs: the most epochs that an arm may train.
    """

    source: str
    task: Literal["classification", "regression"]
    target: str | None
    features: list[str] | None
    n_features: int
    image_shape: list[int] | None
    classes: list[str] | None
    loss: Literal["cross_entropy", "rmse"]
    score: Literal["accuracy", "r2"]
    rows: dict[Literal["train", "pool", "test"], int]
    weight: str | None = None
    time: str | None = None
    folds: int
    rings: int
    knowing_nothing: dict[NewRows, dict[str, float]]
    digest: dict[str, str]
    seeds: list[int]
    epochs: int
    versions: dict[str, str]
    warnings: list[str]


class Study(Record):
    """The whole of `study.json`; the results of a section that is switched off are None."""

    about: About
    arms: list[Arm]
    peers: list[Peer] | None = None
    overfits: Overfits
    chosen_remedy: str | None
    power_law: dict[RemedyGroup, PowerLaw] | None
    recommendation: Recommendation
    by_other_scores: list[OtherChoice] = Field(default_factory=list)
    ensemble: Ensemble | None = None
    further: FurtherScores | None = None
    calibration: Calibration | None = None
    classes: list[ClassScores] | None = None
    threshold: Threshold | None = None
    importance: list[Importance] | None = None
    doubtful_labels: DoubtfulLabels | None = None
    optimism: Optimism | None
    overtuning: list[Incumbent] | None

    def section(self, name: SectionName) -> list[Arm]:
        """Return the arms of one section, in their order."""
        return [arm for arm in self.arms if arm.section == name]
