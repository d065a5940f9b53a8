"""Comparisons of the search's files with Optuna's study and with MLflow's runs."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from optuna.trial import FrozenTrial

from experiments.check.comparison import Comparison, printed
from experiments.search import output, results, storage
from experiments.study.searched import read_search
from pipeline.errors import InputError
from pipeline.files import read_of
from pipeline.settings import Settings
from pipeline.tracking.read import LoggedRun

NOT_LOGGED = ("trial", "state", "error")  # columns of trials.csv that are no metrics or parameters in MLflow


def trial_table() -> dict[str, dict[str, str]]:
    """Return the rows of `trials.csv` as text, by trial.

    Raises:
        InputError: it is missing or not what the stage search writes.
    """
    return read_of("search", output.TRIALS_FILE, _trials)


def _trials(path: Path) -> dict[str, dict[str, str]]:
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if not set(table["state"]) <= {state.name for state in results.STATUS} or not table["trial"].str.isdecimal().all():
        raise ValueError("a trial has no number or no state")
    return _by_trial(table)


def _by_trial(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    rows = table.to_dict("records")
    return {str(row["trial"]): {str(name): value for name, value in row.items()} for row in rows}


def read_study(url: str | None, name: str) -> tuple[list[FrozenTrial], dict[str, Any]]:
    """Return the trials of the study in the storage with this URL, and what the study says of itself.

    Raises:
        InputError: the study or its storage is missing or damaged, or the storage was lost.
    """
    shown, path = storage.name_of(url), storage.journal_path(url)
    if path is not None and not path.exists():  # Optuna would create it
        raise InputError(f"search.storage {shown} is missing; run `dvc repro`")
    with storage.opened(url) as opened:
        try:
            study = optuna.load_study(study_name=name, storage=opened)
        except KeyError:
            raise InputError(f"search.storage {shown} has no study {name}; run `dvc repro --force search`") from None
        storage.check_content(study)
        attributes, trials = study.user_attrs, study.get_trials(deepcopy=False)
    if not {"trials", "settings"} <= set(attributes):
        raise storage.damaged(shown, f"study {name} does not say what it is")
    return trials[: attributes["trials"]], attributes  # it may have been set to more once


def against_optuna(settings: Settings) -> Iterator[Comparison]:
    """Compare `trials.csv`, and the folds, counts and described trials of `search.json`, with Optuna's study."""
    summary = read_search()
    study_title = f"Optuna's study {summary['study']}"
    trials, attributes = read_study(settings.search.storage, summary["study"])
    in_file, in_study = trial_table(), _by_trial(results.trial_rows([t for t in trials if t.state in storage.FINISHED]))
    yield Comparison("trials.csv", study_title, "numbers", *_cells(in_file, in_study))
    folds = json.loads(attributes["settings"])["search"].get("folds")
    recorded, expected = _conclusions(summary, trials, settings.search.objectives)
    recorded, expected = recorded | {"folds": summary.get("folds")}, expected | {"folds": folds}
    yield Comparison("search.json", study_title, "numbers", *map(printed, (recorded, expected)))


def against_mlflow(parent: LoggedRun, children: dict[str, LoggedRun]) -> Iterator[Comparison]:
    """Compare every trial's state, values and parameters, and the numbers of the search, with those in MLflow."""
    status = {state.name: status for state, status in results.STATUS.items()}
    summary = read_search()
    # A search that was once set to more trials has logged those too.
    n_trials = sum(summary["counts"].values())
    children = {number: child for number, child in children.items() if int(number) < n_trials}
    in_files: dict[str, str] = {}
    in_mlflow: dict[str, object] = {}
    for number, row in trial_table().items():
        in_files[f"trial {number}"] = status[row["state"]]
        if child := children.get(number):
            cells = {name: value for name, value in row.items() if name not in NOT_LOGGED and value}
            in_files |= {f"trial {number} {name}": value for name, value in cells.items()}
            logged = {**child.params, **child.metrics}
            in_mlflow |= {f"trial {number} {name}": logged[name] for name in cells if name in logged}
    in_mlflow |= {f"trial {number}": child.status for number, child in children.items()}
    children_name = f"the runs under MLflow run {parent.run_id[:8]}"
    yield Comparison("trials.csv", children_name, "numbers", printed(in_files), printed(in_mlflow))
    numbers = {f"trials.{state}": count for state, count in summary["counts"].items()}
    numbers |= {"best.value": summary["best"]["values"][0]} if summary["best"] else {}
    logged = {name: value for name, value in parent.metrics.items() if name in numbers}
    left, right = printed(numbers) | {"status": "FINISHED"}, printed(logged) | {"status": parent.status}
    yield Comparison("search.json", f"MLflow run {parent.run_id[:8]}", "numbers", left, right)


def _cells(*tables: Mapping[str, Mapping[str, object]]) -> Iterator[dict[str, str]]:
    """Yield the cells of each table: the state of every trial, and all cells of the trials that every table has."""
    shared = set.intersection(*map(set, tables))
    for table in tables:
        cells = {f"trial {number}": row["state"] for number, row in table.items()}
        for number in (number for number in table if number in shared):
            cells |= {f"trial {number} {name}": value for name, value in table[number].items() if name != "error"}
        yield printed(cells)


def _places(summary: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each trial that `search.json` describes, with its dotted key there."""
    for place in ("best", "default"):
        if summary[place]:
            yield place, summary[place]
    for name, trial in summary["best_of_each_optimizer"].items():
        yield f"best_of_each_optimizer.{name}", trial
    for number, trial in enumerate(summary.get("pareto_front", [])):
        yield f"pareto_front.{number}", trial


def _conclusions(
    summary: dict[str, Any], trials: list[FrozenTrial], objectives: results.Objectives
) -> tuple[dict[str, object], dict[str, object]]:
    """Return the conclusions in `search.json`, and the same as they follow from the trials."""
    names = {state: state.name.lower() for state in results.STATUS}
    recorded: dict[str, object] = {f"counts.{name}": summary["counts"][name] for name in names.values()}
    expected: dict[str, object] = {
        f"counts.{name}": sum(trial.state == state for trial in trials) for state, name in names.items()
    }
    recorded |= {f"{place}.trial": described["trial"] for place, described in _places(summary)}
    recorded["all_diverged"] = summary.get("all_diverged")
    expected["all_diverged"] = bool(results.complete(trials)) and not results.ranked(trials, objectives)
    expected |= {f"{place}.trial": number for place, number in _best(trials, objectives).items()}
    by_number = {trial.number: trial for trial in results.complete(trials)}
    for place, described in _places(summary):
        if trial := by_number.get(described["trial"]):
            recorded |= _numbers(place, described)
            # Which trial should be described is in `expected` already; the rest of the description follows from it.
            expected = _numbers(place, results.describe(trial)) | expected
    return recorded, expected


def _best(trials: list[FrozenTrial], objectives: results.Objectives) -> dict[str, int]:
    """Return the trials that should be described as the best, so that a wrong choice is noticed too."""
    ranked = results.ranked(trials, objectives)
    best = {"best": ranked[0].number} if ranked else {}
    for trial in reversed(ranked):
        best[f"best_of_each_optimizer.{results.optimizer_of(trial)}"] = trial.number
    return best


def _numbers(prefix: str, described: object) -> dict[str, object]:
    """Return all leaves of a description under dotted names."""
    parts: Iterable[tuple[object, object]]
    if isinstance(described, dict):
        parts = described.items()
    elif isinstance(described, list | tuple):
        parts = enumerate(described)
    else:
        return {prefix: described}
    return {key: leaf for name, part in parts for key, leaf in _numbers(f"{prefix}.{name}", part).items()}
