"""The conductor of a search: names it, hands out its trials, watches its workers and writes its results."""

import hashlib
import json
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from experiments.processes import stop_when_asked
from experiments.search import output, queue, results, space, storage
from experiments.search.rows import data_digests
from experiments.search.workers import Workers
from pipeline.data.splits import Summary
from pipeline.errors import InputError
from pipeline.files import write_json
from pipeline.params import with_values
from pipeline.paths import SEARCH_RUN_FILE
from pipeline.progress import Bar
from pipeline.settings import Settings, flat
from pipeline.tracking.parent import ParentRun

SECONDS_BETWEEN_LOOKS = 0.2

NEVER = 1e18  # a deadline that never comes, as a number since JSON has no infinity


def trial_settings(settings: Settings, summary: Summary) -> Settings:
    """Return the settings that trials start from.

    They have `search.epochs`, where that is set, in place of `train.epochs`; for a regression the space loses the
    dimensions that are for classes alone.
    """
    if settings.search.epochs is not None:
        settings = with_values(settings, {"train.epochs": settings.search.epochs}, "search.epochs")
    if summary.task == "classification":
        return settings
    dimensions = {name: dimension for name, dimension in settings.search.space.items() if name not in space.FOR_CLASSES}
    return settings.model_copy(update={"search": settings.search.model_copy(update={"space": dimensions})})


def study_name(settings: Settings, summary: Summary) -> str:
    """Return a name that differs wherever the data, the space or the judging of trials differs."""
    digests = data_digests(summary)
    if summary.target_scale is not None:  # the digests are of the scaled target, but a trial is judged in its unit
        digests["target_scale"] = repr(summary.target_scale)
    searched = settings.search.model_dump(include={"seeds", "objectives", "balance", "space"})
    if settings.search.folds is not None:
        searched["folds"] = settings.search.folds
    # A grid fixes every trial when it is put into the queue, so it has a study of its own.
    searched["grid"] = settings.search.sampler == "grid"
    content = [digests, searched, settings.model.model_dump(), settings.train.model_dump(exclude={"seeds"})]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{Path(settings.data.source).stem}-{digest[:12]}"


def plan(settings: Settings) -> list[dict[str, Any]]:
    """Return the fixed parameters of each trial of the search; the first has none, since it is the default."""
    search = settings.search
    if search.sampler == "grid":
        return [{}, *space.grid(search.space)][: search.trials]
    optimizers = turns(settings)
    return [
        {space.OPTIMIZER: optimizers[n % len(optimizers)]} if optimizers and n else {} for n in range(search.trials)
    ]


def turns(settings: Settings) -> list[str]:
    """Return the optimizers in the order in which trials take turns, that of trial 0 first; none if not balanced."""
    dimension = settings.search.space.get(space.OPTIMIZER)
    if settings.search.balance == "none" or dimension is None or not dimension.choices:
        return []
    # A configured optimizer that is not among the choices gets the first trial and no other.
    return sorted(dimension.choices, key=lambda name: name != settings.train.optimizer)


def show(bar: Bar, wanted: int, trials: list[FrozenTrial]) -> None:
    """Show the progress of these trials: how many are done, the best so far, how many were pruned."""
    text, done = results.progress_text(trials), len(queue.finished(trials))
    bar.show(done, text, lambda: f"{done} of {wanted} trials: {text}")


class Failures:
    """A guard that ends a search in which every trial fails; trials that ended before this start do not count."""

    def __init__(self, limit: int, trials: list[FrozenTrial]):
        self.limit, self.before = limit, {trial.number for trial in queue.finished(trials)}

    def check(self, trials: list[FrozenTrial]) -> None:
        """Check the trials that ended last.

        Raises:
            InputError: as many as the limit have failed in a row.
        """
        ended = [trial for trial in queue.finished(trials) if trial.number not in self.before]
        last = sorted(ended, key=lambda trial: trial.datetime_complete or datetime.max)[-self.limit :]
        if len(last) == self.limit and all(trial.state == TrialState.FAIL for trial in last):
            raise InputError(f"{self.limit} trials in a row failed, the last with {last[-1].user_attrs.get('error')}")


def make_workers(settings: Settings, name: str) -> Workers:
    """Return workers that are processes of this machine or tasks of the Dask cluster.

    Raises:
        InputError: the cluster cannot be reached.
    """
    if settings.search.dask is None:
        return Workers(settings.search, name)
    from experiments.search.cluster import ClusterWorkers  # needs the extra `cluster`

    return ClusterWorkers(settings.search, name)


def conduct(
    study: optuna.Study, study_storage: BaseStorage, settings: Settings, log: ParentRun, asked_to_stop: Callable
) -> None:
    """Have workers train the trials until all are done, time is up or someone asks to stop; running trials may end.

    Raises:
        InputError: trials or workers fail one after another.
    """
    deadline, watchman = study.user_attrs["deadline"], queue.Watchman(study, study_storage, settings.search.storage)
    failures = Failures(settings.search.max_failures, queue.asked_for(study))
    try:
        with make_workers(settings, study.study_name) as workers, Bar("trials", study.user_attrs["trials"]) as bar:
            over, planned = False, plan(settings)
            log.open()  # takes seconds, in which the workers get ready
            study.set_user_attr("mlflow_run", log.run_id)
            while True:
                watchman.look()
                if not over:
                    queue.fill(study, planned)
                trials = queue.asked_for(study)
                show(bar, study.user_attrs["trials"], trials)
                log_trials(log, trials)
                failures.check(trials)
                waiting = count(trials, TrialState.WAITING)
                running = count(trials, TrialState.RUNNING)
                if not over and (asked_to_stop() or time.time() > deadline):
                    over = True
                    close(study)
                    workers.stop()
                if not running and (over or not waiting):
                    break
                if not over:
                    start_workers(workers, trials)
                if not waiting:
                    output.get_ready()
                time.sleep(SECONDS_BETWEEN_LOOKS)
    finally:
        close(study)
    watchman.look()
    log_trials(log, queue.asked_for(study))


def count(trials: list[FrozenTrial], state: TrialState) -> int:
    """Return how many of the trials are in this state."""
    return sum(trial.state == state for trial in trials)


def start_workers(workers: Workers, trials: list[FrozenTrial]) -> None:
    """Start as many workers as there is work for; see `Workers.look`."""
    workers.look(count(trials, TrialState.WAITING), len(queue.finished(trials)))


def close(study: optuna.Study) -> None:
    """Tell the workers, wherever they are, that the search is over."""
    study.set_user_attr("open", False)


def log_trials(log: ParentRun, trials: list[FrozenTrial]) -> None:
    """Log the trials that have ended and are not in MLflow yet."""
    new = [trial for trial in queue.finished(trials) if str(trial.number) not in log.logged]
    log.add(results.trial_record(trial) for trial in new)


def open_study(study_storage: BaseStorage, settings: Settings, summary: Summary) -> optuna.Study:
    """Create the study or go on with it."""
    start = trial_settings(settings, summary)
    return storage.open_study(study_storage, study_name(start, summary), start.search, start.train.epochs)


def tell_workers(study: optuna.Study, settings: Settings, summary: Summary) -> None:
    """Put the trials into the queue, and store in the study what the workers need to know."""
    start = trial_settings(settings, summary)
    # Workers know the storage already, and its URL may hold a password, which a study must not keep.
    search_settings = start.search.model_copy(update={"storage": None, "dask": None})
    study.set_user_attr("settings", json.dumps(start.model_copy(update={"search": search_settings}).model_dump()))
    study.set_user_attr("data", data_digests(summary))
    limit = settings.search.time_limit
    study.set_user_attr("deadline", time.time() + limit if limit else NEVER)
    planned = plan(start)
    study.set_user_attr("trials", len(planned))
    queue.fill(study, planned)
    study.set_user_attr("open", True)


def search(settings: Settings, summary: Summary) -> None:
    """Run or finish the search, then write its results."""
    began, asked_to_stop = time.monotonic(), stop_when_asked()
    study_storage = storage.open_storage(settings.search.storage)
    study = open_study(study_storage, settings, summary)
    with queue.conducting(study_storage, settings.search.storage, study.study_name):
        tell_workers(study, settings, summary)
        wanted, done = study.user_attrs["trials"], len(queue.finished(queue.asked_for(study)))
        if done:
            print(f"resuming study {study.study_name}: {done} finished, {wanted - done} to go", flush=True)
        else:
            print(f"study {study.study_name}: {wanted} trials", flush=True)
        log = ParentRun("search", study.study_name, study.user_attrs.get("mlflow_run"))
        try:
            conduct(study, study_storage, trial_settings(settings, summary), log, asked_to_stop)
        except (InputError, *storage.LOST):
            log.end("FAILED")
            raise
        except KeyboardInterrupt:  # the second Ctrl-C; the first sets `asked_to_stop`
            log.end("KILLED")
            interrupted(study)
        if asked_to_stop():
            log.end("KILLED")
            interrupted(study)
        outcome = output.write(study, queue.asked_for(study), settings, time.monotonic() - began)
        finish(log, outcome, settings)
    print(results.report(outcome))


def interrupted(study: optuna.Study) -> None:
    """Print how to go on, and exit with status 130, as is usual after Ctrl-C."""
    done = f"{len(queue.finished(queue.asked_for(study)))} of {study.user_attrs['trials']} trials finished"
    print(f"interrupted with {done}; `dvc repro` goes on from there", file=sys.stderr)
    sys.exit(130)


def finish(log: ParentRun, outcome: dict[str, Any], settings: Settings) -> None:
    """Log the outcome of the search with its settings and files, end the MLflow run and record its id."""
    best = outcome["best"]
    numbers = {"best.value": best["values"][0]} if best else {}
    numbers |= {f"trials.{state}": count for state, count in outcome["counts"].items()}
    logged_settings = {name: value for name, value in flat(settings).items() if not name.startswith("search.space")}
    logged_settings["search.storage"] = storage.name_of(settings.search.storage)
    log.finish(numbers, logged_settings, [output.SEARCH_FILE, output.TRIALS_FILE, *output.FIGURES.values()])
    write_json(SEARCH_RUN_FILE, {"run_id": log.run_id})
