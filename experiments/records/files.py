"""The study's result files: their paths, reading and writing."""

from pathlib import Path
from typing import TypeVar

from experiments.records.record import Record
from experiments.records.run import StudyRun
from experiments.records.study import Study
from pipeline.files import read_of, write_json
from pipeline.paths import RESULTS, STUDY_RUN_FILE

STUDY_FILE = RESULTS / "study.json"
STUDY_SEEDS_FILE = RESULTS / "study.csv"
STUDY_CURVES_FILE = RESULTS / "study_curves.csv"

R = TypeVar("R", bound=Record)


def read_study() -> Study:
    """Read `study.json`.

    Raises:
        InputError: the file is missing or not what the stage study writes.
    """
    return _read(STUDY_FILE, Study)


def read_study_run() -> StudyRun:
    """Read `models/study_run.json`.

    Raises:
        InputError: the file is missing or not what the stage study writes.
    """
    return _read(STUDY_RUN_FILE, StudyRun)


def write_study(study: Study, run: StudyRun) -> None:
    """Write both result files."""
    write_json(STUDY_FILE, study.model_dump(mode="json"))
    write_json(STUDY_RUN_FILE, run.model_dump(mode="json"))


def _read(path: Path, kind: type[R]) -> R:
    return read_of("study", path, lambda path: kind.model_validate_json(path.read_bytes()))
