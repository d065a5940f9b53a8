"""The conductor of a search: it has the trials trained, logs them, and writes the results."""

import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial
from rich.console import Console

from experiments.engine.engine import Engine
from experiments.search import note, output, results, storage
from experiments.search.plan import plan, study_name, trial_settings
from experiments.search.rows import data_digests, read_examples
from experiments.search.trials import Trials
from pipeline.data.examples import Examples
from pipeline.data.splits import Summary
from pipeline.files import write_json
from pipeline.interrupts import before_the_end
from pipeline.paths import SEARCH_FILE, SEARCH_RUN_FILE
from pipeline.progress import Bar
from pipeline.settings import Settings, flat, seed_list
from pipeline.tracking.parent import ParentRun

SECONDS_BETWEEN_LOOKS = 0.2


class Observer:
    """The callbacks of a running search, of which this class makes nothing."""

    def begin(self) -> None:
        """Called once, while the workers start, which takes them seconds."""

    def recorded(self, trials: list[FrozenTrial]) -> None:
        """Called again and again with all trials that have been recorded so far."""

    def nearly_done(self) -> None:
        """Called while the last trials run and none waits, so that a core may be idle."""


class StageObserver(Observer):
    """Logs the trials in MLflow while they are trained."""

    def __init__(self, log: ParentRun, study: optuna.Study):
        self.log, self.study = log, study

    def begin(self) -> None:
        """Open the MLflow run."""
        self.log.open()
        self.study.set_user_attr("mlflow_run", self.log.run_id)

    def recorded(self, trials: list[FrozenTrial]) -> None:
        """Log the trials that are not in MLflow yet."""
        log_trials(self.log, trials)

    def nearly_done(self) -> None:
        """Import what draws the pictures."""
        output.get_ready()


def conduct(trials: Trials, load: Callable[[], Examples], observer: Observer, console: Console | None = None) -> None:
    """Have the trials trained that are missing, until all are recorded or time is up.

    Args:
        load: see `Engine`.
        console: where progress is shown; None for standard output.

    Raises:
        InputError: trials fail one after another, or the cluster cannot be reached.
    """
    settings, before = trials.settings, len(trials.recorded)
    deadline = time.monotonic() + (settings.search.time_limit or float("inf"))
    with Engine(settings.engine, load) as engine, Bar("trials", len(trials.plan), console) as bar:
        _submit(engine, trials)
        observer.begin()
        observer.recorded(trials.recorded)
        while not trials.all_recorded and time.monotonic() < deadline:
            for task, ended in engine.finished(SECONDS_BETWEEN_LOOKS):
                trials.end(task.label, ended)
            trials.check_failures(len(trials.recorded) - before)
            _submit(engine, trials)
            observer.recorded(trials.recorded)  # after the workers have something to do
            show(bar, len(trials.plan), trials.recorded, settings.search.objectives)
            if trials.all_proposed and not engine.waiting:
                observer.nearly_done()


def _submit(engine: Engine, trials: Trials) -> None:
    for task in trials.ask():
        engine.submit(task)


def show(bar: Bar, wanted: int, trials: list[FrozenTrial], objectives: results.Objectives) -> None:
    """Show the progress of these trials: how many are done, the best so far, how many were pruned."""
    text, done = results.progress_text(trials, objectives), len(trials)
    bar.show(done, text, lambda: f"{done} of {wanted} trials: {text}")


def log_trials(log: ParentRun, trials: list[FrozenTrial]) -> None:
    """Log the trials that are not in MLflow yet."""
    log.add(results.trial_record(trial) for trial in trials if str(trial.number) not in log.logged)


def describe_search(study: optuna.Study, settings: Settings) -> None:
    """Store in the study what this search is, without the storage's URL, which may hold a password."""
    search_settings = settings.search.model_copy(update={"storage": None})
    content = settings.model_copy(update={"search": search_settings}).model_dump(exclude={"engine"})
    for name, value in (("settings", json.dumps(content)), ("trials", len(plan(settings)))):
        if study.user_attrs.get(name) != value:
            study.set_user_attr(name, value)


def search(settings: Settings, summary: Summary, opened: BaseStorage) -> None:
    """Run or finish the search that this storage keeps, then write its results."""
    began, start = time.monotonic(), trial_settings(settings, summary)
    study = storage.open_study(opened, study_name(start, summary), start.search)
    describe_search(study, start)
    note.name_objectives(study, start.search.objectives)
    trials = Trials(study, start)
    wanted, done = len(trials.plan), len(trials.recorded)
    if done:
        print(f"resuming study {study.study_name}: {done} finished, {wanted - done} to go", flush=True)
    else:
        print(f"study {study.study_name}: {wanted} trials", flush=True)
    log = ParentRun("search", study.study_name, study.user_attrs.get("mlflow_run"))
    try:
        with before_the_end(partial(log.end, "KILLED")):
            load = partial(read_examples, data_digests(summary), settings.search)
            conduct(trials, load, StageObserver(log, study))
    except Exception:
        log.end("FAILED")
        raise
    seconds = time.monotonic() - began
    outcome = output.write(study, trials.recorded, settings)
    log_outcome(log, outcome, settings, [SEARCH_FILE, output.TRIALS_FILE, *output.FIGURES.values()])
    write_json(SEARCH_RUN_FILE, {"run_id": log.run_id, "seconds": round(seconds, 2)})
    report = results.report(outcome, seconds)
    note.write_note(study, start.search.objectives, len(seed_list(start.search.seeds)), report, log.run_id)
    print(report)


def log_outcome(log: ParentRun, outcome: dict[str, Any], settings: Settings, files: Sequence[Path] = ()) -> None:
    """Log the outcome of the search with its settings and files, and end the MLflow run."""
    best = outcome["best"]
    numbers = {"best.value": best["values"][0]} if best else {}
    numbers |= {f"trials.{state}": count for state, count in outcome["counts"].items()}
    logged_settings = {name: value for name, value in flat(settings).items() if not name.startswith("search.space")}
    logged_settings["search.storage"] = storage.name_of(settings.search.storage)
    log.finish(numbers, logged_settings, files)
