"""What `make check` says of a finished project, and of one in which a number was changed."""

import hashlib
import json
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, closing
from pathlib import Path

import pytest

from experiments.check import __main__ as check
from experiments.check.comparison import Comparison, printed
from experiments.records import STUDY_FILE
from experiments.search import __main__ as command
from pipeline.errors import run_stage
from pipeline.files import write_json
from pipeline.paths import STUDY_RUN_FILE
from pipeline.tracking.store import tracking_uri
from tests.study.test_log import as_logged, log, written_study

# MLflow says so of its own classes when `mlflow.pyfunc` is imported.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning")

RESULTS = Path("experiments/results")
SEARCH = {
    "trials": 3, "seeds": 2, "epochs": 2, "pruner": "none",
    "space": {"train.optimizer": {"choices": ["momentum", "adam"]}, "model.l2": {"low": 1e-4, "high": 1e-2}},
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(finished_digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which evaluate, search and study have run."""
    root = shutil.copytree(finished_digits, tmp_path_factory.mktemp("finished") / "project")
    with chdir(root), pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        settings = json.loads(Path("params.yaml").read_text())
        Path("params.yaml").write_text(json.dumps(settings | {"search": SEARCH, "engine": {"workers": 1}}))
        patch.setattr(sys, "argv", ["search"])
        run_stage(command.main)
        study = written_study()
        write_json(STUDY_RUN_FILE, as_logged(*log(study)).model_dump(mode="json"))
        lock(settings)
    return root


def lock(settings: dict[str, object]) -> None:
    """Write what DVC would have locked."""
    files = [path for folder in (RESULTS, Path("models")) for path in sorted(folder.rglob("*")) if path.is_file()]
    outs = [{"path": str(path), "md5": hashlib.md5(path.read_bytes()).hexdigest()} for path in files]
    stages = {
        "evaluate": {"params": {"params.yaml": settings}, "outs": outs},
        "search": {"params": {"params.yaml": settings | {"search": SEARCH}}},
    }
    Path("dvc.lock").write_text(json.dumps({"stages": stages}))


@pytest.fixture
def project(finished: Path, folder: Path) -> Path:
    """The working folder is a copy of it."""
    return shutil.copytree(finished, folder, dirs_exist_ok=True)


@pytest.fixture
def checked(capsys: pytest.CaptureFixture) -> Callable[[], tuple[int, list[str], str]]:
    """Return what a check ends with and says."""

    def run() -> tuple[int, list[str], str]:
        with pytest.raises(SystemExit) as ended:
            run_stage(check.main)
        out, err = capsys.readouterr()
        return ended.value.code, out.splitlines(), err

    return run


def differing(lines: list[str]) -> Iterator[str]:
    return (line.strip() for line in lines if line.startswith("  "))


def change(name: str, old: str, new: str) -> None:
    text = (RESULTS / name).read_text()
    assert text.count(old) > 0
    (RESULTS / name).write_text(text.replace(old, new, 1))


def in_store(statement: str, *values: object) -> None:
    with closing(sqlite3.connect("mlruns/mlflow.db")) as database, database:
        assert database.execute(statement, values).rowcount > 0


def run_id(name: str) -> str:
    return json.loads((Path("models") / f"{name}_run.json").read_text())["run_id"]


def test_finished_project_agrees_line_by_line(project, checked):
    status, lines, err = checked()
    assert (status, err, list(differing(lines))) == (0, "", [])
    assert all(line.endswith(" agree") for line in lines)
    run = run_id("evaluate")[:8]
    assert f"evaluation.json and MLflow run {run}: 28 numbers agree" in lines
    told = [line.partition(" and ")[0] for line in lines]
    assert told == [
        "dvc.lock", "evaluation.json", "seeds.csv", "curves.csv", "dvc.lock, stage evaluate,", "trials.csv",
        "search.json", "trials.csv", "search.json", "dvc.lock, stage search,", "study.json", "study_run.json",
        "study.json with study.csv",
    ]  # fmt: skip


def test_number_changed_in_a_results_file_is_named_with_both_places(project, checked):
    mean = json.loads((RESULTS / "evaluation.json").read_text())["test"]["accuracy"]["mean"]
    change("evaluation.json", repr(mean), "0.123")
    status, lines, _ = checked()
    run = run_id("evaluate")[:8]
    lock, number = differing(lines)
    assert status == 1
    assert lock.startswith("experiments/results/evaluation.json: ")
    assert number == f"test.accuracy: 0.123 in evaluation.json, {mean:.7g} in MLflow run {run}"


def test_number_changed_in_a_table_is_named(project, checked):
    table = (RESULTS / "trials.csv").read_text().splitlines()
    columns, cells = table[0].split(","), table[2].split(",")
    cells[columns.index("value_0")] = "0.5"
    change("trials.csv", table[2], ",".join(cells))
    change("study.csv", "0.6", "0.7")
    status, lines, _ = checked()
    found = "\n".join(differing(lines))
    assert status == 1
    assert "trial 1 value_0: 0.5 in trials.csv, " in found
    assert found.count("trial 1 value_0") == 2  # against Optuna, and against MLflow
    assert "remedies/baseline train.cross_entropy_sd: 0.141421 in study.json with study.csv, 0.0707107 in" in found


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("evaluate", "test.accuracy: "),
        ("search", "best.value: "),
        ("study", "test.cross_entropy: 0.35 in study.json, 9"),
    ],
)
def test_number_changed_in_mlflow_is_named(project, checked, file, named):
    told = json.loads((Path("models") / f"{file}_run.json").read_text())
    key = named.partition(":")[0]
    run = told.get("run_id") or told["parent_run"]
    in_store("UPDATE latest_metrics SET value = 9 WHERE run_uuid = ? AND key = ?", run, key)
    status, lines, _ = checked()
    [found] = differing(lines)
    assert status == 1
    assert found.startswith(named)
    assert f"9 in MLflow run {run[:8]}" in found


def test_number_of_a_child_changed_in_mlflow_is_named(project, checked):
    children = "SELECT run_uuid FROM tags WHERE key = 'child.key' AND value = ?"
    update = f"UPDATE latest_metrics SET value = 9 WHERE run_uuid IN ({children}) AND key = ?"
    in_store(update, "2", "value_0")
    in_store(update, "remedies/dropout 0.3", "difference")
    trial, arm = differing(checked()[1])
    assert trial.startswith("trial 2 value_0: ")
    assert arm.startswith("remedies/dropout 0.3 difference: -0.15 in study.json with study.csv, 9 in the runs under")


def test_dropped_trial_is_named_wherever_it_is_missing(project, checked):
    rows = (RESULTS / "trials.csv").read_text().splitlines(keepends=True)
    (RESULTS / "trials.csv").write_text("".join(rows[:2] + rows[3:]))
    _, optuna, mlflow = differing(checked()[1])
    assert optuna.startswith("trial 1: nothing in trials.csv, COMPLETE in Optuna's study digits-")
    assert mlflow.startswith("trial 1: nothing in trials.csv, FINISHED in the runs under MLflow run")


def test_run_dropped_from_mlflow_is_named(project, checked):
    children = "SELECT run_uuid FROM tags WHERE key = 'child.key' AND value = '1'"
    in_store(f"UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid IN ({children})")
    [found] = differing(checked()[1])
    assert found.startswith("trial 1: FINISHED in trials.csv, nothing in the runs under MLflow run")


def test_count_and_choice_changed_in_search_json_are_named(project, checked):
    found = json.loads((RESULTS / "search.json").read_text())
    best = found["best"]["trial"]
    change("search.json", '"complete": 3', '"complete": 4')
    change("search.json", f'"trial": {best}', '"trial": 7')
    text = "\n".join(differing(checked()[1]))
    assert "counts.complete: 4 in search.json, 3 in Optuna's study" in text
    assert "trials.complete: 4 in search.json, 3 in MLflow run" in text
    assert f"best.trial: 7 in search.json, {best} in Optuna's study" in text


def test_setting_that_dvc_locked_otherwise_is_named(project, checked):
    text = Path("dvc.lock").read_text()
    Path("dvc.lock").write_text(text.replace('"learning_rate": 0.01', '"learning_rate": 0.02'))
    found = list(differing(checked()[1]))
    assert [line.partition(" in ")[0] for line in found] == ["train.learning_rate: 0.02"] * 2


def test_schedule_by_its_name_alone_is_what_mlflow_has(project, checked):
    text = Path("dvc.lock").read_text()
    Path("dvc.lock").write_text(text.replace('"learning_rate": 0.01', '"learning_rate": 0.01, "schedule": "constant"'))
    assert list(differing(checked()[1])) == []
    Path("dvc.lock").write_text(text.replace('"learning_rate": 0.01', '"learning_rate": 0.01, "schedule": "cosine"'))
    found = list(differing(checked()[1]))
    assert [line.partition(" in ")[0] for line in found] == ["train.schedule.name: cosine"] * 2


def test_search_for_more_trials_and_for_fewer_again_agrees(project, checked, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["search"])
    settings = json.loads(Path("params.yaml").read_text())
    for trials in (4, 3, 2):
        Path("params.yaml").write_text(json.dumps(settings | {"search": SEARCH | {"trials": trials}}))
        run_stage(command.main)
        locked = json.loads(Path("dvc.lock").read_text())
        locked["stages"]["search"]["params"]["params.yaml"]["search"]["trials"] = trials
        locked["stages"]["evaluate"]["outs"] = []
        Path("dvc.lock").write_text(json.dumps(locked))
        assert list(differing(checked()[1])) == []


def test_study_that_is_not_there_is_said(project, checked):
    STUDY_FILE.unlink()
    text = json.loads(Path("dvc.lock").read_text())
    outs = text["stages"]["evaluate"]["outs"]
    text["stages"]["evaluate"]["outs"] = [out for out in outs if out["path"] != str(STUDY_FILE)]
    Path("dvc.lock").write_text(json.dumps(text))
    status, lines, _ = checked()
    assert status == 0
    assert lines[0] == f"{STUDY_FILE} is not there yet, so no study is compared; `dvc repro` runs one"


@pytest.mark.parametrize(
    ("gone", "told"),
    [
        ("dvc.lock", "dvc.lock is missing; run `dvc repro`"),
        ("experiments/results/evaluation.json", "experiments/results/evaluation.json is missing; run `dvc repro`"),
        ("experiments/search.journal", "search.storage experiments/search.journal is missing; run `dvc repro`"),
        ("models/search_run.json", "models/search_run.json is missing; run `dvc repro`"),
        ("mlruns/mlflow.db", "run `dvc repro --force --single-item evaluate`"),
    ],
)
def test_missing_file_costs_one_line_that_says_what_to_run(project, checked, gone, told):
    Path(gone).unlink()
    status, _, err = checked()
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith("error: ")
    assert told in err
    assert not Path(gone).exists()


@pytest.mark.parametrize(
    "file", [*(RESULTS / name for name in ("evaluation.json", "search.json")), "models/search_run.json"]
)
def test_file_with_merge_markers_costs_one_line(project, checked, file):
    Path(file).write_text(f"<<<<<<< HEAD\n{Path(file).read_text()}=======\n")
    status, _, err = checked()
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith(f"error: {file} is not valid JSON: ")


def test_store_that_was_lost_when_the_stage_ran_says_what_to_run(project, checked):
    write_json("models/evaluate_run.json", {"run_id": None})
    write_json("models/study_run.json", as_logged(None, {}).model_dump(mode="json"))
    text = json.loads(Path("dvc.lock").read_text())
    text["stages"]["evaluate"]["outs"] = []
    Path("dvc.lock").write_text(json.dumps(text))
    status, _, err = checked()
    assert (status, err.count("\n")) == (2, 1)
    assert "models/evaluate_run.json names no MLflow run" in err
    assert tracking_uri().endswith("mlflow.db")


def test_values_are_compared_as_the_tables_print_them():
    left, right = (
        {"a": 1 / 3, "b": None, "c": True, "d": 2},
        {"a": "0.3333333", "b": float("nan"), "c": "True", "d": 2.0},
    )
    assert Comparison("here", "there", "numbers", printed(left), printed(right)).differing == []


def test_many_differences_are_not_all_shown():
    lines = list(Comparison("here", "there", "numbers", {str(n): "1" for n in range(50)}, {}).lines())
    assert lines[0] == "here and there: 50 of 50 numbers differ"
    assert (lines[1], lines[-1], len(lines)) == ("  0: 1 in here, nothing in there", "  and 30 more", 22)
