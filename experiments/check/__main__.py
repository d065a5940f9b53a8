"""Compare what DVC, Optuna and MLflow say of the last run, number by number, and name whatever differs.

Exit status 1 where something differs, 2 where something is missing.
"""

# ruff: noqa: E402 (interrupts are told in a line from here on)
from pipeline.interrupts import listen

listen(__name__)

import hashlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from experiments.check import search as check_search
from experiments.check.comparison import Comparison, printed
from experiments.records import RUN_ID, STUDY_FILE, STUDY_SEEDS_FILE, read_study, read_study_run
from experiments.search.output import TRIALS_FILE
from experiments.study.log import arm_key, arm_numbers, headline_numbers, peer_key, peer_numbers
from experiments.study.tables import ARM
from pipeline.data.splits import SPLITS
from pipeline.errors import InputError, run_stage
from pipeline.evaluation.recorded import read_curves, read_evaluation, read_seed_scores
from pipeline.files import UNEXPECTED, read_json, read_of, read_table
from pipeline.params import parse_settings, read_settings
from pipeline.paths import (
    CURVES_FILE,
    EVALUATE_RUN_FILE,
    EVALUATION_FILE,
    SEARCH_FILE,
    SEARCH_RUN_FILE,
    SEED_SCORES_FILE,
    STUDY_RUN_FILE,
)
from pipeline.settings import flat
from pipeline.statistics import scores
from pipeline.tracking.client import TrackingLost
from pipeline.tracking.entities import param_text
from pipeline.tracking.read import LoggedRun, read_children, read_run
from pipeline.tracking.store import check_reachable, sqlite_path, tracking_uri

LOCK_FILE = Path("dvc.lock")
# Settings that a stage depends on and its run does not log: Optuna keeps the search space, and the storage may hold a
# password.
NOT_LOGGED = {"evaluate": (), "search": ("search.space", "search.storage"), "study": ("search.",)}


def lock_and_files() -> Iterator[Comparison]:
    """Compare the digest that DVC locked for each result file, metrics included, with the file."""
    locked = {out.path: out.md5 for stage in _locked_stages().values() for out in stage.outs}
    digests = {path: hashlib.md5(_content(Path(path))).hexdigest() for path in locked}
    yield Comparison("dvc.lock", "the files", "digests of results", locked, digests)


def evaluation_and_mlflow() -> Iterator[Comparison]:
    """Compare the evaluation's means, deviations and last epoch with those that MLflow logged."""
    run = logged_run(EVALUATE_RUN_FILE, "evaluate", "dvc repro --force --single-item evaluate")
    evaluation = read_evaluation()
    table = read_seed_scores(evaluation)
    metrics = {
        f"{group}.{metric}": (interval["mean"], table[f"{group}_{metric}"])
        for group in (*SPLITS, "gap")
        for metric, interval in evaluation.get(group, {}).items()
    }
    best_epoch = table["best_epoch"].where(table["best_epoch"] > 0)
    metrics["best_epoch"] = evaluation["best_epoch"]["mean"], best_epoch
    means = {name: mean for name, (mean, _) in metrics.items()}
    deviations = {f"{name}_sd": scores.spread(values) for name, (_, values) in metrics.items()}
    last_epoch = read_curves().iloc[-1]
    last = {str(name): value for name, value in last_epoch.items()}
    numbers_of: dict[Path, Mapping[str, object]]
    numbers_of = {EVALUATION_FILE: means, SEED_SCORES_FILE: deviations, CURVES_FILE: last}
    for file, numbers in numbers_of.items():
        yield _with_metrics(file.name, numbers, run)
    yield from settings_and_mlflow("evaluate", run)


def search_and_others() -> Iterator[Comparison]:
    """Compare the search's files with Optuna's study and with MLflow's runs."""
    for file in (SEARCH_FILE, TRIALS_FILE):
        _content(file)
    yield from check_search.against_optuna(read_settings())
    run = logged_run(SEARCH_RUN_FILE, "search", "dvc repro --force --single-item search")
    yield from check_search.against_mlflow(run, read_children(run.run_id))
    yield from settings_and_mlflow("search", run)


def study_and_mlflow() -> Iterator[Comparison]:
    """Compare every number of every arm, and the headline numbers, with those that MLflow logged."""
    study, table, record = read_study(), read_table("study", STUDY_SEEDS_FILE, ["seed"], ARM), read_study_run()
    if record.parent_run is None:
        raise InputError("the study is in no MLflow run; run `python -m experiments.study --log-only`")
    run = _known_run(record.parent_run, "python -m experiments.study --log-only")
    yield _with_metrics("study.json", headline_numbers(study, table), run)
    by_seed = dict(list(table.groupby(["section", "arm"])))
    children = read_children(run.run_id)
    yield Comparison(
        STUDY_RUN_FILE.name, _name(run), "arms", record.runs, {key: child.run_id for key, child in children.items()}
    )
    left: dict[str, object] = {}
    right: dict[str, object] = {}
    rows_of, none = by_seed.get, table.head(0)
    numbers_of = {arm_key(arm): arm_numbers(arm, rows_of((arm.section, arm.name), none)) for arm in study.arms}
    for peer in study.peers or []:
        numbers_of[peer_key(peer)] = peer_numbers(peer, rows_of(("peers", peer.name), none), study.about.loss)
    for key, numbers in numbers_of.items():
        logged = children[key].metrics if key in children else {}
        left |= {f"{key} {name}": value for name, value in numbers.items()}
        right |= {f"{key} {name}": logged[name] for name in numbers if name in logged}
    children_name = f"the runs under {_name(run)}"
    yield Comparison("study.json with study.csv", children_name, "numbers", printed(left), printed(right))
    yield from settings_and_mlflow("study", run)


def settings_and_mlflow(stage: str, run: LoggedRun) -> Iterator[Comparison]:
    """Compare the settings that DVC locked for a stage with those that its run logged."""
    locked = _locked_stages().get(stage, LockedStage()).params.get("params.yaml", {})
    # Parsed as the stage parses them, so that defaults and short forms are resolved.
    settings = flat(parse_settings(locked, str(LOCK_FILE)))
    expected = {
        name: param_text(value)
        for name, value in settings.items()
        if name.split(".")[0] in locked and not name.startswith(NOT_LOGGED[stage])
    }
    # A setting that changed between two starts of the run is logged as a tag, since MLflow cannot change a parameter.
    logged = {name: run.tags.get(name, run.params[name]) for name in expected if name in run.params}
    if expected:
        yield Comparison(f"dvc.lock, stage {stage},", _name(run), "settings", printed(expected), printed(logged))


def logged_run(file: Path, stage: str, remedy: str) -> LoggedRun:
    """Return the run that a stage's file names.

    Raises:
        InputError: the file is missing or damaged, or there is no such run.
    """
    run_id = read_of(stage, file, lambda path: _run_id(read_json(path)))
    if run_id is None:
        raise InputError(f"{file} names no MLflow run, since the store was lost; run `{remedy}`")
    return _known_run(run_id, remedy)


def _run_id(content: dict[str, Any]) -> str | None:
    run_id = content["run_id"]
    if run_id is not None and not re.fullmatch(RUN_ID, run_id):
        raise ValueError("it is no id of a run")
    return run_id


def _known_run(run_id: str, remedy: str) -> LoggedRun:
    path = sqlite_path(tracking_uri())
    run = None if path is not None and not path.exists() else read_run(run_id)
    if run is None:
        raise InputError(f"MLflow has no run {run_id}; run `{remedy}`")
    return run


def _with_metrics(place: str, numbers: Mapping[str, object], run: LoggedRun) -> Comparison:
    logged = {name: run.metrics[name] for name in numbers if name in run.metrics}
    left = printed(numbers) | {"status": "FINISHED"}
    return Comparison(place, _name(run), "numbers", left, printed(logged) | {"status": run.status})


def _name(run: LoggedRun) -> str:
    return f"MLflow run {run.run_id[:8]}"


class LockedOut(BaseModel):
    """A result file as DVC locked it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    path: str
    md5: str


class LockedStage(BaseModel):
    """A stage as DVC locked it; `params` by file and section."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    outs: list[LockedOut] = []
    params: dict[str, dict[str, Any]] = {}


class Lock(BaseModel):
    """The part of `dvc.lock` that is compared."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    stages: dict[str, LockedStage]


def _locked_stages() -> dict[str, LockedStage]:
    content = _content(LOCK_FILE)
    try:
        return Lock.model_validate(YAML(typ="safe").load(content.decode())).stages
    except (YAMLError, *UNEXPECTED):
        raise InputError(
            f"{LOCK_FILE} is not what DVC writes; bring it back from git, or delete it and run `dvc repro`"
        ) from None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run `dvc repro`") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None


def differ(groups: list[Callable[[], Iterator[Comparison]]]) -> bool:
    """Print the result of each comparison and return whether anything differs."""
    any_differs = False
    for comparison in (comparison for group in groups for comparison in group()):
        print("\n".join(comparison.lines()), flush=True)
        any_differs = any_differs or bool(comparison.differing)
    return any_differs


def main() -> None:
    """Compare the results of every stage that has run; the exit status tells whether anything differs."""
    groups = [lock_and_files, evaluation_and_mlflow, search_and_others]
    if STUDY_FILE.exists():
        groups.append(study_and_mlflow)
    else:
        print(f"{STUDY_FILE} is not there yet, so no study is compared; `dvc repro` runs one")
    check_reachable()  # where it cannot be opened MLflow would try for minutes
    try:
        any_differs = differ(groups)
    except TrackingLost as lost:
        raise InputError(str(lost)) from lost
    sys.exit(1 if any_differs else 0)


if __name__ == "__main__":
    run_stage(main)
