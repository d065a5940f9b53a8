"""The trainings of a study, and how their results are kept.

A training is kept under a digest of all that its result depends on, so an arm that several questions share is trained
once, and a study that was interrupted, or is asked for more, trains just what is missing.
"""

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.study.arms import Arm
from experiments.study.rows import Labels
from pipeline.data.splits import Summary
from pipeline.files import read_arrays, read_kept, under, write_arrays
from pipeline.settings import Model, Train, flat
from pipeline.training.fitted import Fitted, arrays_of, fitted_of
from pipeline.training.structure import effort, source_digest, structure, together

CACHE = Path("models/study")
ROOT = Path(__file__).parent.parent.parent
# The code, by folders and files, that the numbers of a training depend on.
CODE = (
    "pipeline/data",
    "pipeline/training",
    "pipeline/statistics/ensembles.py",
    "pipeline/statistics/floor.py",
    "pipeline/statistics/metrics.py",
    "pipeline/statistics/ring.py",
    "pipeline/statistics/scores.py",
    "pipeline/statistics/weights.py",
    "experiments/study/outputs.py",
    "experiments/study/rows.py",
    "experiments/study/worker.py",
)


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
    def together(self) -> tuple[object, ...]:
        """Return a key; jobs that have the same can train side by side."""
        return (self.rows, self.labels, *together(self.model, self.train))

    @property
    def effort(self) -> float:
        """Return the cost, relative to that of other jobs."""
        return effort(self.model, self.train)


@dataclass(frozen=True, eq=False)
class Result:
    """The result of a training, and what each row scored.

    Attributes:
        fitted: the trained seeds. Each was stopped, and its epoch chosen, on the second fold that it holds out; for
            `by_holdout` on the first one.
        row_scores: by the names of `scores.ROW_SCORES`, `[rings, 2, n]`: the score of each row by the seed that holds
            it out in that role, stopped on its other fold, or in time on its second. A seed without sound weights
            scores what knowing nothing does. NaN where no seed holds the row out, and in the second role with the
            schedule `plateau`, since these rows cut the learning rate.
        sound: which seeds have weights that can predict, in each role, bool `[2, R]`.
        seconds: that the training took, its share where it trained beside others.
    """

    fitted: Fitted
    row_scores: dict[str, np.ndarray]
    sound: np.ndarray
    seconds: float

    @property
    def best_epochs(self) -> np.ndarray:
        """Return the best epoch of each seed as the fold of each role judges it, which chose on the other, `[2, R]`."""
        assert self.fitted.by_holdout is not None  # every seed of a ring holds out two folds
        return np.stack([self.fitted.best_epoch, self.fitted.by_holdout.best_epoch])


def context(seeds: list[int], summary: Summary) -> str:
    """Return a digest of what all trainings of a study depend on."""
    code = {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in code_files()}
    versions = {name: version(name) for name in ("keras", "tensorflow", "numpy")}
    digests = {name: summary.digest[name] for name in ("train", "validation")}
    # The digests are of the scaled target, and the kept scores in its unit.
    images = summary.image_shape, summary.image_blank
    everything = [code, versions, digests, summary.target_scale, images, summary.time, summary.time_range, seeds]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def code_files() -> list[Path]:
    """Return the files of `CODE`, in the order of their names."""
    paths = [ROOT / name for name in CODE]
    return sorted(file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path]))


def cache_path(job: Job, study_digest: str) -> Path:
    """Return the path of a job's result.

    Args:
        study_digest: the study's `context`.
    """
    return CACHE / f"{hashlib.sha256((study_digest + job.content).encode()).hexdigest()[:32]}.npz"


def write_result(path: Path, result: Result) -> None:
    """Keep a result."""
    history = {f"history/{name}": column.to_numpy() for name, column in result.fitted.history.items()}
    row_scores = {f"row_scores/{name}": value for name, value in result.row_scores.items()}
    facts = {"sound": result.sound, "seconds": np.array(result.seconds)}
    write_arrays(path, arrays_of(result.fitted) | history | row_scores | facts)


def read_result(path: Path) -> Result | None:
    """Return a result that is kept; None where there is none, or with a note a damaged one.

    Raises:
        InputError: the file cannot be opened.
    """
    return read_kept(path, lambda path: _result(read_arrays(path)))


def _result(arrays: dict[str, np.ndarray]) -> Result:
    fitted = fitted_of(arrays, pd.DataFrame(under("history/", arrays)))
    return Result(fitted, under("row_scores/", arrays), arrays["sound"], float(arrays["seconds"]))
