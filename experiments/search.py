"""Stage search: Optuna over optimizers and regularization, several seeds in every trial, on one machine or many.

`python -m experiments.search --worker --storage URL --study NAME` works at a search that runs elsewhere.
"""

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from experiments import search_results as results
from experiments import search_space as space
from experiments import search_storage as storage
from pipeline import store, tracking
from pipeline.errors import InputError, run_stage
from pipeline.params import Settings, flat, read_settings
from pipeline.splits import Summary, read_summary

SECONDS_BETWEEN_LOOKS = 0.2
SECONDS_BETWEEN_LINES = 15.0


def trial_settings(settings: Settings) -> Settings:
    """The settings as trials start from them: `search.epochs` instead of `train.epochs`, where it is given."""
    if settings.search.epochs is None:
        return settings
    return space.with_values(settings, {"train.epochs": settings.search.epochs}, "search.epochs")


def study_name(settings: Settings, digests: dict[str, str]) -> str:
    """A name that tells the data, what is searched and how a trial is judged; another of these is another study."""
    search = settings.search.model_dump(include={"seeds", "objectives", "balance", "space"})
    asked = [digests, search, settings.model.model_dump(), settings.train.model_dump(exclude={"seeds"})]
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return f"{Path(settings.data.source).stem}-{digest[:12]}"


def turns(settings: Settings) -> list[str]:
    """The optimizers in the order in which the trials take them, the configured one first; none if not balanced.

    Raises:
        InputError: balanced by the optimizer, and the space has no choice of it.
    """
    dimension = settings.search.space.get(space.OPTIMIZER)
    if settings.search.balance == "none":
        return []
    if dimension is None or not dimension.choices:
        return []
    first = settings.train.optimizer
    return [first, *(name for name in dimension.choices if name != first)]


class Workers(AbstractContextManager):
    """The processes of this machine that work at the search; each has its share of the cores."""

    def __init__(self, count: int, name: str, url: str | None, limit: int):
        self.count, self.name, self.url, self.limit = count, name, url, limit
        self.processes: list[subprocess.Popen] = []
        self.started, self.crashes = 0, 0

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait()

    def start(self) -> None:
        """Start one more."""
        threads = str(max(1, (os.cpu_count() or 1) // self.count))
        command = [sys.executable, "-m", "experiments.search", "--worker", "--study", self.name]
        command += ["--number", str(self.started)] + (["--storage", self.url] if self.url else [])
        environment = os.environ | {"TF_NUM_INTRAOP_THREADS": threads, "TF_NUM_INTEROP_THREADS": threads}
        self.processes.append(subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL))
        self.started += 1

    def look(self, waiting: int) -> None:
        """Replace those that have died while there is work.

        Raises:
            InputError: they die one after another.
        """
        for process in [process for process in self.processes if process.poll() is not None]:
            self.processes.remove(process)
            self.crashes += process.returncode != 0
            if process.returncode == 2:
                raise InputError("a worker of the search could not start; the line above says why")
        if self.crashes > self.limit:
            raise InputError(f"{self.crashes} workers of the search died; search.max_failures allows {self.limit}")
        while waiting and len(self.processes) < min(self.count, waiting):
            self.start()


class Watch(AbstractContextManager):
    """Trials done, best so far, pruned, time left: a bar on a terminal, a line now and then in a log."""

    def __init__(self, wanted: int, console: Console | None = None):
        self.console = console or Console()
        columns = (TextColumn("trials"), MofNCompleteColumn(), BarColumn(20), TextColumn("{task.description}"))
        self.bar = Progress(*columns, TimeRemainingColumn(), console=self.console, transient=True)
        self.task = self.bar.add_task("", total=wanted)
        self.wanted, self.last_line = wanted, time.monotonic()

    def __enter__(self) -> "Watch":
        if self.console.is_terminal:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.console.is_terminal:
            self.bar.stop()

    def show(self, trials: list[optuna.trial.FrozenTrial]) -> None:
        """Show how far these trials are."""
        text = results.progress_text(trials)
        done = sum(trial.state in storage.FINISHED for trial in trials)
        if self.console.is_terminal:
            self.bar.update(self.task, completed=done, description=text)
        elif time.monotonic() - self.last_line > SECONDS_BETWEEN_LINES:
            self.last_line = time.monotonic()
            print(f"{done} of {self.wanted} trials: {text}", flush=True)


def check_failures(trials: list[optuna.trial.FrozenTrial], limit: int) -> None:
    """End a search in which every trial fails.

    Raises:
        InputError: the last trials that ended have all failed, as many as the limit.
    """
    ended = sorted((t for t in trials if t.state in storage.FINISHED), key=lambda trial: trial.datetime_complete)
    last = ended[-limit:]
    if len(last) == limit and all(trial.state == TrialState.FAIL for trial in last):
        raise InputError(f"{limit} trials in a row failed, the last with {last[-1].user_attrs.get('error')}")


def conduct(study: optuna.Study, kept: BaseStorage, settings: Settings, log: tracking.ParentRun) -> None:
    """Have the queue worked through.

    Raises:
        InputError: trials or workers fail one after another.
        KeyboardInterrupt: Ctrl-C; the workers have ended their trials.
    """
    search, deadline = settings.search, study.user_attrs.get("deadline", float("inf"))
    with (
        Workers(search.workers, study.study_name, search.storage, search.max_failures) as workers,
        Watch(search.trials) as watch,
    ):
        while True:
            storage.put_back_dead(study, kept)
            optuna.storages.fail_stale_trials(study)
            trials = list(storage.slots(study.get_trials(deepcopy=False)).values())
            watch.show(trials)
            log.add(results.trial_record(trial) for trial in trials if trial.state in storage.FINISHED)
            waiting = sum(trial.state == TrialState.WAITING for trial in trials)
            running = sum(trial.state == TrialState.RUNNING for trial in trials)
            check_failures(trials, search.max_failures)
            if not running and (not waiting or time.time() > deadline):
                return
            workers.look(0 if time.time() > deadline else waiting)
            time.sleep(SECONDS_BETWEEN_LOOKS)


def open_search(settings: Settings, summary: Summary) -> tuple[optuna.Study, BaseStorage]:
    """Make the study or go on with it, and put the trials that are asked for into its queue."""
    kept = storage.open_storage(settings.search.storage)
    digests = {name: summary.digest[name] for name in ("train", "validation")}
    start = trial_settings(settings)
    name = study_name(start, digests)
    study = storage.open_study(kept, name, start.search, start.train.epochs)
    study.set_user_attr("settings", json.dumps(start.model_dump()))
    study.set_user_attr("data", digests)
    limit = settings.search.time_limit
    study.set_user_attr("deadline", time.time() + limit if limit else float("1e18"))
    trials = storage.slots(study.get_trials(deepcopy=False))
    finished = sum(trial.state in storage.FINISHED for trial in trials.values())
    if finished:
        print(f"resuming study {name}: {finished} finished, {max(0, settings.search.trials - finished)} to go")
    else:
        print(f"study {name}: {settings.search.trials} trials")
    storage.fill_queue(study, settings.search.trials, turns(settings))
    return study, kept


def search(settings: Settings, summary: Summary) -> None:
    """Run or finish the search, then write its results."""
    began = time.monotonic()
    study, kept = open_search(settings, summary)
    log = tracking.ParentRun("search", study.study_name, study.user_attrs.get("mlflow_run"))
    log.open()
    study.set_user_attr("mlflow_run", log.run_id)
    try:
        conduct(study, kept, settings, log)
    except KeyboardInterrupt:
        trials = storage.slots(study.get_trials(deepcopy=False)).values()
        finished = sum(trial.state in storage.FINISHED for trial in trials)
        print(f"\ninterrupted with {finished} of {settings.search.trials} trials finished; ", end="", file=sys.stderr)
        print("`dvc repro` goes on from there", file=sys.stderr)
        sys.exit(130)
    summary = results.write(study, settings, time.monotonic() - began)
    finish(log, summary, settings)
    print(results.report(summary))


def finish(log: tracking.ParentRun, summary: dict[str, Any], settings: Settings) -> None:
    """Tell MLflow what the search found."""
    best = summary["best"]
    found = {"best.value": best["values"][0]} if best else {}
    counts = {f"trials.{state}": count for state, count in summary["counts"].items()}
    asked = {name: value for name, value in flat(settings).items() if not name.startswith("search.space")}
    log.finish(found | counts, asked, [results.SEARCH_FILE, results.TRIALS_FILE, *results.FIGURES.values()])


def arguments() -> argparse.Namespace:
    """The command line: nothing for the stage, `--worker` and what it works at for a worker."""
    parser = argparse.ArgumentParser(prog="python -m experiments.search", description=__doc__.splitlines()[0])
    parser.add_argument("--worker", action="store_true", help="work at a search that runs elsewhere")
    parser.add_argument("--storage", help="with --worker: its search.storage; without: the journal here")
    parser.add_argument("--study", help="with --worker: the name that the search printed")
    parser.add_argument("--number", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker != bool(given.study):
        parser.error("--worker and --study go together")
    return given


def main() -> None:
    """Run the stage, or a worker."""
    given = arguments()
    if given.worker:
        from experiments.search_worker import work  # with TensorFlow, which the search itself does not need

        return work(given.storage, given.study, given.number)
    settings, summary = read_settings(), read_summary()
    space.check_space(settings)
    if not summary.rows["validation"]:
        raise InputError("the search needs validation rows, and there are none: set data.val_fraction above 0")
    store.check_reachable()
    search(settings, summary)
    return None


if __name__ == "__main__":
    run_stage(main)
