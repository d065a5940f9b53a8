"""What the search's files say, against Optuna's study and against MLflow."""

import json
from collections.abc import Iterator
from typing import Any

import optuna
import pandas as pd
from optuna.trial import FrozenTrial

from experiments.check.comparison import Comparison, printed
from experiments.search import results, storage
from experiments.search.queue import asked_for
from pipeline.errors import InputError
from pipeline.files import read_json
from pipeline.settings import Settings
from pipeline.tracking.read import LoggedRun

NOT_LOGGED = ("trial", "state", "error")  # of a row of trials.csv, as metrics or params


def trial_table() -> dict[str, dict[str, str]]:
    """The rows of `trials.csv` by trial, as they are printed there."""
    rows = pd.read_csv(results.TRIALS_FILE, dtype=str, keep_default_na=False).to_dict("records")
    return {row["trial"]: row for row in rows}


def read_study(settings: Settings, name: str) -> optuna.Study:
    """The study in its storage.

    Raises:
        InputError: it is not there.
    """
    url = settings.search.storage
    shown, path = storage.without_password(url), storage.journal_path(url)
    if path is not None and not path.exists():  # Optuna would make it
        raise InputError(f"search.storage {shown} is missing; run `dvc repro`")
    try:
        return optuna.load_study(study_name=name, storage=storage.open_storage(url))
    except KeyError:
        raise InputError(f"search.storage {shown} has no study {name}; run `dvc repro --force search`") from None
    except storage.LOST as error:
        raise InputError(f"search.storage {shown} was lost: {storage.first_line(error)}") from error


def against_optuna(settings: Settings) -> Iterator[Comparison]:
    """Every cell of `trials.csv`, and in `search.json` the folds, the counts and the trials that are described."""
    found = read_json(results.SEARCH_FILE)
    where = f"Optuna's study {found['study']}"
    study = read_study(settings, found["study"])
    trials = asked_for(study)
    table, kept = trial_table(), _as_table([trial for trial in trials if trial.state in storage.FINISHED])
    yield Comparison("trials.csv", where, "numbers", *_cells(table, kept))
    folds = json.loads(study.user_attrs["settings"])["search"].get("folds")
    told, known = _conclusions(found, trials)
    told, known = told | {"folds": found.get("folds")}, known | {"folds": folds}
    yield Comparison("search.json", where, "numbers", *map(printed, (told, known)))


def against_mlflow(parent: LoggedRun, children: dict[str, LoggedRun]) -> Iterator[Comparison]:
    """Every trial's state, values and parameters, and the numbers of the search."""
    status = {state.name: status for state, status in results.STATUS.items()}
    found = read_json(results.SEARCH_FILE)
    # A search that once was asked for more trials has logged those too.
    asked = sum(found["counts"].values())
    children = {number: child for number, child in children.items() if int(number) < asked}
    told, known = {}, {}
    for number, row in trial_table().items():
        told[f"trial {number}"] = status[row["state"]]
        if child := children.get(number):
            cells = {name: value for name, value in row.items() if name not in NOT_LOGGED and value}
            told |= {f"trial {number} {name}": value for name, value in cells.items()}
            logged = {**child.params, **child.metrics}
            known |= {f"trial {number} {name}": logged[name] for name in cells if name in logged}
    known |= {f"trial {number}": child.status for number, child in children.items()}
    where = f"the runs under MLflow run {parent.run_id[:8]}"
    yield Comparison("trials.csv", where, "numbers", printed(told), printed(known))
    told = {f"trials.{state}": count for state, count in found["counts"].items()}
    told |= {"best.value": found["best"]["values"][0]} if found["best"] else {}
    logged = {name: value for name, value in parent.metrics.items() if name in told}
    left, right = printed(told) | {"status": "FINISHED"}, printed(logged) | {"status": parent.status}
    yield Comparison("search.json", f"MLflow run {parent.run_id[:8]}", "numbers", left, right)


def _as_table(trials: list[FrozenTrial]) -> dict[str, dict[str, object]]:
    return {str(row["trial"]): row for row in results.trial_rows(trials).to_dict("records")}


def _cells(*tables: dict[str, dict[str, object]]) -> Iterator[dict[str, str]]:
    """Of each table the state of every trial, and what else stands in the rows that all of them have."""
    shared = set.intersection(*map(set, tables))
    for table in tables:
        cells = {f"trial {number}": row["state"] for number, row in table.items()}
        for number in (number for number in table if number in shared):
            cells |= {f"trial {number} {name}": value for name, value in table[number].items() if name != "error"}
        yield printed(cells)


def _places(found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where `search.json` describes a trial."""
    for place in ("best", "default"):
        if found[place]:
            yield place, found[place]
    for name, trial in found["best_of_each_optimizer"].items():
        yield f"best_of_each_optimizer.{name}", trial
    for number, trial in enumerate(found.get("pareto_front", [])):
        yield f"pareto_front.{number}", trial


def _conclusions(found: dict[str, Any], trials: list[FrozenTrial]) -> tuple[dict[str, object], dict[str, object]]:
    """Counts, which trials are described, and how: as `search.json` has it, and as it follows from the trials."""
    names = {state: state.name.lower() for state in results.STATUS}
    told = {f"counts.{name}": found["counts"][name] for name in names.values()}
    known = {f"counts.{name}": sum(trial.state == state for trial in trials) for state, name in names.items()}
    told |= {f"{place}.trial": described["trial"] for place, described in _places(found)}
    told["all_diverged"] = found.get("all_diverged")
    known["all_diverged"] = bool(results.complete(trials)) and not results.ranked(trials)
    known |= {f"{place}.trial": number for place, number in _best(trials).items()}
    by_number = {trial.number: trial for trial in results.complete(trials)}
    for place, described in _places(found):
        if trial := by_number.get(described["trial"]):
            told |= _numbers(place, described)
            # The choice of the best is known already; the rest of the description follows from the trial.
            known = _numbers(place, results.describe(trial)) | known
    return told, known


def _best(trials: list[FrozenTrial]) -> dict[str, int]:
    """The trials that should be described as the best, so that a wrong choice is noticed and not only a number."""
    ranked = results.ranked(trials)
    best = {"best": ranked[0].number} if ranked else {}
    for trial in reversed(ranked):
        best[f"best_of_each_optimizer.{results.optimizer_of(trial)}"] = trial.number
    return best


def _numbers(prefix: str, described: object) -> dict[str, object]:
    """All leaves of a description under dotted names."""
    if isinstance(described, dict):
        parts = described.items()
    elif isinstance(described, list | tuple):
        parts = enumerate(described)
    else:
        return {prefix: described}
    return {key: leaf for name, part in parts for key, leaf in _numbers(f"{prefix}.{name}", part).items()}
