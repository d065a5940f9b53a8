"""Whether a search slows down as its trials add up: what a trial costs beside its training, early and late in 500.

The search is on digits, over the default space, with two workers, and trains little: with TPE, which looks at all
trials before each, and with random ones, which leave what this project itself costs.
"""

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.benchmarks.project import Project
from experiments.benchmarks.records import Measured, Record, record

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

PART, TPE, RANDOM = "overhead", "this project, TPE", "this project, random trials"
TRIALS, WINDOW, WORKERS = 500, 50, 2
EARLY, LATE = "a trial beside its training, early", "a trial beside its training, at the end"


def overheads(trials: list["FrozenTrial"]) -> dict[int, float]:
    """Seconds from the end of a worker's trial to the end of its next, without the training, by the trial's number."""
    by_worker: dict[str, list[FrozenTrial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.datetime_complete):
        by_worker.setdefault(trial.user_attrs["worker"], []).append(trial)
    return {
        trial.number: (trial.datetime_complete - before.datetime_complete).total_seconds()
        - trial.user_attrs["training_seconds"]
        for own in by_worker.values()
        for before, trial in pairwise(own)
    }


def run(quick: bool) -> list[Record]:
    """The early and the late trials of a search with each sampler."""
    asked, window = (60, 15) if quick else (TRIALS, WINDOW)
    return [*of_search(TPE, "tpe", asked, window), *of_search(RANDOM, "random", asked, window)]


def of_search(name: str, sampler: str, asked: int, window: int) -> list[Record]:
    """The early and the late trials of one search, the very first left out, which compile."""
    print(f"{PART}: a search of {asked} trials: {name}", flush=True)
    search = {"trials": asked, "pruner": "none", "sampler": sampler, "workers": WORKERS}
    train = {"epochs": 2, "batch_size": 256, "early_stopping": {"patience": 2}}
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder), data={"source": "digits"}, train=train, search=search)
        project.stage("pipeline.source", "pipeline.prepare", "experiments.search")
        found = overheads(project.trials())
    records: list[Record] = []
    for work, first in ((EARLY, window), (LATE, asked - window)):
        note = f"trials {first} to {first + window - 1} of {asked}, {WORKERS} workers"
        numbers = range(first, first + window)
        measured = [Measured([found[number]], note=note) for number in numbers if number in found]
        records.append(record(PART, work, name, 3, "s", measured, records[0].median if records else None))
    return records
