"""Whether a search slows down as its trials add up: what a trial costs beside its training, early and late in 500.

`python -m experiments.benchmark_overhead` searches on digits in a temporary folder, with two workers, TPE and a network
so small that the search itself is most of the work. It takes a few minutes and writes
`experiments/results/benchmark_overhead.json`, a list of records.
"""

import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from experiments.benchmark_search import finished_trials
from pipeline.errors import run_stage
from pipeline.files import write_json
from pipeline.paths import RESULTS

OVERHEAD_FILE = RESULTS / "benchmark_overhead.json"
TRIALS, WORKERS = 500, 2
EARLY, LATE = range(50, 100), range(TRIALS - 50, TRIALS)

SPACE = {
    "train.learning_rate": {"low": 1e-4, "high": 0.1, "log": True},
    "train.label_smoothing": {"low": 0.01, "high": 0.2},
    "train.ema": {"low": 0.9, "high": 0.999},
    "model.l1": {"low": 1e-6, "high": 1e-3, "log": True},
    "model.l2": {"low": 1e-6, "high": 1e-2, "log": True},
    "model.dropout": {"low": 0.1, "high": 0.5},
    "model.input_dropout": {"low": 0.05, "high": 0.3},
}
SETTINGS = {
    "data": {"source": "digits"},
    "model": {"hidden_units": [8]},
    "train": {"epochs": 2, "batch_size": 256, "early_stopping": {"patience": 2}},
    "search": {"trials": TRIALS, "workers": WORKERS, "pruner": "none", "balance": "none", "space": SPACE},
}


@dataclass(frozen=True)
class Record:
    """Medians over some trials, in seconds.

    Attributes:
        overhead: from the end of a worker's trial to the end of its next, without the training.
        training: of these trials; where it differs between two records, so did the load of the machine.
        ratio: how many times the overhead of the early trials.
    """

    work: str
    trials: str
    overhead: float
    training: float
    ratio: float


def run_search(folder: Path) -> None:
    """Prepare digits and search, each as its own command."""
    write_json(folder / "params.yaml", SETTINGS)  # JSON is YAML
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    for stage in ("pipeline.source", "pipeline.prepare", "experiments.search"):
        subprocess.run([sys.executable, "-m", stage], cwd=folder, env=environment, check=True)


def overheads(trials: list[Any]) -> dict[int, tuple[float, float]]:
    """Overhead and training of each trial that was not its worker's first, by its number."""
    by_worker: dict[str, list[Any]] = {}
    for trial in sorted(trials, key=lambda trial: trial.datetime_complete):
        by_worker.setdefault(trial.user_attrs["worker"], []).append(trial)
    found = {}
    for own in by_worker.values():
        for before, trial in pairwise(own):
            training = trial.user_attrs["training_seconds"]
            passed = (trial.datetime_complete - before.datetime_complete).total_seconds()
            found[trial.number] = (passed - training, training)
    return found


def measure(folder: Path) -> list[Record]:
    """The early and the late trials of one search."""
    run_search(folder)
    found = overheads(finished_trials(folder))
    windows = [[found[number] for number in window if number in found] for window in (EARLY, LATE)]
    medians = [tuple(median(column) for column in zip(*window, strict=True)) for window in windows]
    work = f"search on digits, 64-8-10, 2 epochs: {TRIALS} trials, TPE, {len(SPACE)} parameters, {WORKERS} workers"
    return [
        Record(work, f"{window.start} to {window.stop - 1}", overhead, training, overhead / medians[0][0])
        for window, (overhead, training) in zip((EARLY, LATE), medians, strict=True)
    ]


def main() -> None:
    """Measure, print and write."""
    with tempfile.TemporaryDirectory() as folder:
        records = measure(Path(folder))
    for record in records:
        beside = f"{1000 * record.overhead:.0f} ms beside {1000 * record.training:.0f} ms of training"
        print(f"trials {record.trials}: {beside}, {record.ratio:.2f} times the early ones")
    write_json(OVERHEAD_FILE, [asdict(record) for record in records])


if __name__ == "__main__":
    run_stage(main)
