"""Damaged files: whatever reads one takes it, or says in one line that it cannot."""

import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import optuna
import pytest

from experiments import records
from experiments.check.search import trial_table
from experiments.report.__main__ import ARM
from experiments.search import storage
from experiments.study import jobs
from experiments.study.searched import read_search
from experiments.study.tables import Tables
from pipeline import prepare, source
from pipeline.data import splits
from pipeline.data.constants import read_preprocessing
from pipeline.errors import InputError
from pipeline.evaluation.record import run_record
from pipeline.evaluation.results import read_results
from pipeline.files import check_archive, read_arrays, read_of, read_table, write_arrays
from pipeline.params import read_settings
from pipeline.paths import CHECKPOINT_FILE, MODEL_FILE, RESULTS, SEARCH_FILE, SEEDS_FILE, STUDY_RUN_FILE
from pipeline.training import keras_file
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.fitted import read_fitted
from tests.study.test_log import written_study

ROOT = Path(__file__).parent.parent
KEPT, JOURNAL = Path("models/study/kept.npz"), Path("a.journal")
MUTATIONS = 25  # of each file


def mutations(content: bytes, seed: int) -> Iterator[bytes]:
    """Yield the content cut off, with flipped bits, zeros, other bytes, and pieces that are missing or stand twice."""
    rng = random.Random(seed)
    for number in range(MUTATIONS):
        changed, at, length = bytearray(content), rng.randrange(len(content)), rng.choice([1, 4, 16, 500])
        match number % 8:
            case 0:
                del changed[at:]
            case 1 | 2 | 3:
                changed[at] ^= 1 << rng.randrange(8)
            case 4:
                changed[at : at + length] = bytes(len(changed[at : at + length]))
            case 5:
                changed[at : at + length] = rng.randbytes(length)
            case 6:
                del changed[at : at + length]
            case 7:
                changed[at:at] = changed[at : at + length]
        yield bytes(changed)


def look_at_journal() -> None:
    study = optuna.load_study(storage=storage.open_storage(str(JOURNAL)), study_name="a study")
    storage.check_content(study)


def look_at_preparation() -> None:
    splits.read_split("train")
    read_preprocessing(splits.read_summary())


def look_at_evaluation() -> None:
    run_record(read_results(), read_settings(), splits.read_summary())


def look_at_tables() -> None:
    study, tables = records.read_study(), Tables.read()
    tables.check_arms(study)
    records.read_study_run()


def read_checkpoint() -> None:
    Checkpoint(CHECKPOINT_FILE, "the same").load()


def read_architecture() -> None:
    keras_file.read_untrained(read_settings().model, splits.read_summary().problem)


READERS: list[tuple[str | Path, Callable[[], object]]] = [
    *((splits.PREPARED / name, look_at_preparation) for name in ("train.npz", "summary.json", "preprocessing.json")),
    ("data/source.json", source.main),
    ("data/source.json", lambda: prepare._check_files_unchanged(read_settings().data)),
    ("models/architecture.json", read_architecture),
    (SEEDS_FILE, read_fitted),
    (RESULTS / "history.csv", read_fitted),
    (MODEL_FILE, lambda: read_of("train", MODEL_FILE, check_archive)),
    (CHECKPOINT_FILE, read_checkpoint),
    (KEPT, lambda: jobs.read_result(KEPT)),
    *(
        (RESULTS / name, look_at_evaluation)
        for name in (
            "evaluation.json",
            "seeds.csv",
            "history.csv",
            "curves.csv",
            "loss.csv",
            "errors.csv",
            "classes.csv",
        )
    ),
    (records.STUDY_FILE, look_at_tables),
    (STUDY_RUN_FILE, look_at_tables),
    (records.STUDY_SEEDS_FILE, look_at_tables),
    (records.STUDY_CURVES_FILE, look_at_tables),
    (records.STUDY_CURVES_FILE, lambda: read_table("study", records.STUDY_CURVES_FILE, ["epoch"], ARM)),
    (SEARCH_FILE, read_search),
    (RESULTS / "trials.csv", trial_table),
    (JOURNAL, look_at_journal),
    ("params.yaml", read_settings),
]


@pytest.fixture(scope="module")
def finished(finished_digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a file of every kind."""
    root = shutil.copytree(finished_digits, tmp_path_factory.mktemp("damage") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        written_study()
        run = records.StudyRun(
            parent_run="0" * 32, runs={}, cost=records.Cost(runs=1, seed_epochs=1, seconds=1.0), equal_time=None,
            test_looks=records.TestLooks(looks=None, settings_changed_after_a_look=False),
        )  # fmt: skip
        records.write_study(records.read_study(), run)
        for name in ("search.json", "trials.csv"):
            shutil.copyfile(ROOT / "experiments" / "results" / name, RESULTS / name)
        arrays = {"identity": np.array("the same"), "epoch": np.array(3), "weights": np.arange(99.0)}
        write_arrays(CHECKPOINT_FILE, arrays)
        shutil.copytree(SEEDS_FILE.parent, KEPT.parent, ignore=shutil.ignore_patterns("study", ".*"))
        facts = {"history/epoch": np.arange(3), "sound": np.ones((2, 3), bool), "seconds": np.array(1.0)}
        write_arrays(KEPT, read_arrays(SEEDS_FILE) | facts)
        study = optuna.create_study(storage=storage.open_storage(str(JOURNAL)), study_name="a study")
        for value in (0.25, 0.5):
            facts = {"per_seed": [value], "diverged": 0}
            settings = read_settings().model_dump(include={"model", "train"})
            attributes = {"settings": settings, "facts": facts, "seconds": 1.0}
            study.add_trial(optuna.trial.create_trial(value=value, user_attrs=attributes))
    return root


@pytest.fixture
def project(finished: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder is that project; a test puts back what it changes."""
    monkeypatch.chdir(finished)
    return finished


@pytest.mark.parametrize("number", range(len(READERS)), ids=lambda number: f"{number}-{Path(READERS[number][0]).name}")
def test_file_with_any_damage_is_taken_or_refused_in_one_line(project, number):
    path, read = Path(READERS[number][0]), READERS[number][1]
    read()
    whole = path.read_bytes()
    try:
        for content in mutations(whole, seed=number):
            path.write_bytes(content)
            try:
                read()
            except InputError as refusal:
                assert len(str(refusal)) < 1000
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("number", range(len(READERS)), ids=lambda number: f"{number}-{Path(READERS[number][0]).name}")
def test_folder_in_a_files_place_is_named(project, number):
    path, read = Path(READERS[number][0]), READERS[number][1]
    whole = path.read_bytes()
    path.unlink()
    path.mkdir()
    try:
        with pytest.raises(InputError, match=path.name):
            read()
    finally:
        path.rmdir()
        path.write_bytes(whole)


@pytest.mark.parametrize(("path", "read"), [(KEPT, lambda: jobs.read_result(KEPT)), (CHECKPOINT_FILE, read_checkpoint)])
def test_damaged_file_that_is_kept_for_speed_is_noted(project, capsys, path, read):
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert read() is None
    path.write_bytes(whole)
    err = capsys.readouterr().err
    assert err.startswith(f"note: {path} is damaged and is made anew: ")
    assert err.count("\n") == 1


def test_damaged_journal_stays_as_it_is(project):
    whole = JOURNAL.read_bytes()
    for content in (b"no journal at all", whole[:10] + b"\0" + whole[11:], whole + b'{"op_code": \n'):
        JOURNAL.write_bytes(content)
        with pytest.raises(InputError, match=r"search\.storage a\.journal is damaged or no journal of Optuna"):
            look_at_journal()
        assert JOURNAL.read_bytes() == content
    JOURNAL.write_bytes(whole)


def test_damaged_store_costs_the_check_one_line(project):
    store = Path("mlruns/mlflow.db")
    whole = store.read_bytes()
    store.write_bytes(bytes(100) + whole[100:])
    for name in ("mlflow.db-wal", "mlflow.db-shm"):  # SQLite would take the first page from there
        store.with_name(name).unlink(missing_ok=True)
    check = "from pipeline.errors import run_stage; from experiments.check.__main__ import main; run_stage(main)"
    checked = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    store.write_bytes(whole)
    assert (checked.returncode, checked.stderr.count("\n")) == (2, 1)
    assert "mlflow.db by default, which cannot be written to (file is not a database)" in checked.stderr
