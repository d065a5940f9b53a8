"""Benchmark of a search's overhead, the time in which a worker trains nothing, early and late in 1,000 trials.

The search is on digits, over the default space, with two workers and short trainings. Before each trial, TPE looks at
all earlier ones; with random trials only the overhead of this project itself is left.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.benchmarks.project import Project
from experiments.benchmarks.records import Measured, Record, record

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

PART, TPE, RANDOM = "overhead", "this project, TPE", "this project, random trials"
TRIALS, WINDOW, WORKERS = 1000, 50, 2
EARLY, LATE = "a trial beside its training, early", "a trial beside its training, at the end"


def overhead(trials: list["FrozenTrial"]) -> float:
    """Return the seconds in which a worker trains nothing, for each of these successive trials."""
    began = min(trial.datetime_start.timestamp() for trial in trials if trial.datetime_start)
    ended = max(trial.datetime_complete.timestamp() for trial in trials if trial.datetime_complete)
    training = sum(trial.user_attrs["seconds"] for trial in trials)
    return (WORKERS * (ended - began) - training) / len(trials)


def run(quick: bool) -> list[Record]:
    """Measure early and late trials of a search with each sampler."""
    n_trials, window = (60, 15) if quick else (TRIALS, WINDOW)
    return [*of_search(TPE, "tpe", n_trials, window), *of_search(RANDOM, "random", n_trials, window)]


def of_search(name: str, sampler: str, n_trials: int, window: int) -> list[Record]:
    """Measure early and late trials of one search, without the very first ones, which compile."""
    print(f"{PART}: a search of {n_trials} trials: {name}", flush=True)
    search = {"trials": n_trials, "pruner": "none", "sampler": sampler}
    train = {"epochs": 2, "batch_size": 256, "early_stopping": {"patience": 2}}
    with tempfile.TemporaryDirectory() as folder:
        project = Project(
            Path(folder), data={"source": "digits"}, train=train, search=search, engine={"workers": WORKERS}
        )
        project.stage("pipeline.source", "pipeline.prepare", "experiments.search")
        trials = project.trials()
    records: list[Record] = []
    for work, first in ((EARLY, window), (LATE, n_trials - window)):
        note = f"trials {first} to {first + window - 1} of {n_trials}, {WORKERS} workers"
        measured = [Measured([overhead(trials[first : first + window])], note=note)]
        records.append(record(PART, work, name, 3, "s", measured, records[0].median if records else None))
    return records
