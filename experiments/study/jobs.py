"""The trainings of a study, and how their results are kept.

A training is kept under a digest of all that its result depends on, so an arm that several questions share is trained
once, and a study that was interrupted, or is asked for more, trains just what is missing.
"""

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.study.arms import Arm
from experiments.study.rows import Labels
from pipeline.data.splits import Summary
from pipeline.files import read_arrays, write_arrays
from pipeline.settings import Model, Train, flat
from pipeline.training.structure import source_digest, structure

KEPT = Path("models/study")
ROOT = Path(__file__).parent.parent.parent
# The code, by folders and files, that the numbers of a training depend on.
CODE = (
    "pipeline/data",
    "pipeline/training",
    "pipeline/statistics/floor.py",
    "pipeline/statistics/ring.py",
    "pipeline/statistics/scores.py",
    "experiments/study/rows.py",
    "experiments/study/worker.py",
)
FACTS = ("best_epoch", "best_epoch_by_holdout", "diverged", "sound", "seconds")


@dataclass(frozen=True)
class Job:
    """One configuration to be trained on all seeds of the study, whatever its own seeds; equal ones train once."""

    model: Model
    train: Train
    rows: int | None
    labels: Labels

    @classmethod
    def of(cls, arm: Arm) -> "Job":
        """Return the training that an arm needs."""
        return cls(arm.model, arm.train, arm.rows, arm.labels)

    def __post_init__(self) -> None:
        object.__setattr__(self, "train", self.train.model_copy(update={"seeds": 1}))

    @property
    def content(self) -> str:
        """Return the job as text, for a digest."""
        settings = [flat(self.model), source_digest(self.model), flat(self.train)]
        return json.dumps([*settings, self.rows, self.labels], sort_keys=True)

    @property
    def graph(self) -> tuple[object, ...]:
        """Return a key; jobs that have the same can share a compiled graph."""
        return (*structure(self.model, self.train), self.train.batch_size)

    @property
    def effort(self) -> int:
        """Return the cost, relative to that of other jobs: the weights of the hidden layers times the epochs."""
        return self.train.epochs * (1 + sum(a * b for a, b in pairwise([64, *self.model.hidden_units, 10])))


@dataclass(frozen=True, eq=False)
class Result:
    """The result of a training.

    Attributes:
        history, best_epoch, diverged, weights: see `pipeline.training.fitted.Fitted`; the second held-out fold
            has stopped and chosen.
        best_epoch_by_holdout: the best epoch where the first held-out fold does so.
        row_scores: by the names of `scores.ROW_SCORES`, `[rings, 2, n]`: each row as the seed of that role scores it,
            stopped and chosen on its other fold. A seed without sound weights scores what knowing nothing does. NaN
            where no seed judges, or where the rows had a say in the training.
        sound: which seeds have weights that can predict, in each role, bool `[2, R]`.
        seconds: that the training took.
    """

    history: pd.DataFrame
    best_epoch: np.ndarray
    best_epoch_by_holdout: np.ndarray
    diverged: np.ndarray
    weights: dict[str, np.ndarray]
    row_scores: dict[str, np.ndarray]
    sound: np.ndarray
    seconds: float


def context(seeds: list[int], summary: Summary) -> str:
    """Return a digest of what all trainings of a study depend on."""
    code = {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in code_files()}
    versions = {name: version(name) for name in ("keras", "tensorflow", "numpy")}
    digests = {name: summary.digest[name] for name in ("train", "validation")}
    # The digests are of the scaled target, and the kept scores in its unit.
    everything = [code, versions, digests, summary.target_scale, seeds]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def code_files() -> list[Path]:
    """Return the files of `CODE`, in the order of their names."""
    paths = [ROOT / name for name in CODE]
    return sorted(file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path]))


def kept_file(job: Job, study_digest: str) -> Path:
    """Return the path of a job's result.

    Args:
        study_digest: the study's `context`.
    """
    return KEPT / f"{hashlib.sha256((study_digest + job.content).encode()).hexdigest()[:32]}.npz"


def write_result(path: Path, result: Result) -> None:
    """Keep a result."""
    history = {str(name): column.to_numpy() for name, column in result.history.items()}
    parts = {"history": history, "weights": result.weights, "row_scores": result.row_scores}
    facts = {name: np.asarray(getattr(result, name)) for name in FACTS}
    write_arrays(path, facts | {f"{part}/{name}": value for part, of in parts.items() for name, value in of.items()})


def read_result(path: Path) -> Result | None:
    """Return a result that is kept; None where there is none, or a damaged one."""
    try:
        arrays = read_arrays(path)
        facts = {name: arrays.pop(name) for name in FACTS}
    except (FileNotFoundError, ValueError, KeyError):
        return None
    parts: dict[str, dict[str, np.ndarray]] = {"history": {}, "weights": {}, "row_scores": {}}
    for name, value in arrays.items():
        part, _, rest = name.partition("/")
        parts[part][rest] = value
    return Result(
        history=pd.DataFrame(parts["history"]),
        weights=parts["weights"],
        row_scores=parts["row_scores"],
        seconds=float(facts.pop("seconds")),
        **facts,
    )
