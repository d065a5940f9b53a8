"""A search on digits: 30 trials of 3 seeds, up to 30 epochs, early stopping, tracked; imports included.

What takes minutes is extrapolated: a peer does a sample of the trials, and its seconds, those of starting left out,
count as many times as the sample is smaller than the search.
"""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.benchmarks.fresh import Answer, fresh, fresh_together
from experiments.benchmarks.peers import measure
from experiments.benchmarks.project import Project
from experiments.benchmarks.records import Measured, Record

PART, REPETITIONS = "search", 3
OURS, PLAIN, TUNER, SCIKIT = (
    "this project", "Optuna + Model.fit + MLflow", "KerasTuner RandomSearch", "RandomizedSearchCV, MLPClassifier",
)  # fmt: skip
TWO = f"{PLAIN}, two processes"
TRIALS, SEEDS, EPOCHS, WORKERS, SAMPLE = 30, 3, 30, 2, 6


def extrapolated(answers: Sequence[Answer], times: float) -> float:
    """Seconds of the whole: to start, and what processes side by side did, evenly shared, so many times."""
    starting = min(answer.seconds - answer.value["seconds"] for answer in answers)
    return starting + times * sum(answer.value["seconds"] for answer in answers) / len(answers)


@dataclass
class Ours:
    """The stage search as a command; each turn in a new copy of a project with prepared data."""

    prepared: Project
    trials: int
    seeds: int = SEEDS
    name: str = OURS
    last: Project | None = field(default=None, init=False)

    def run(self, turn: int) -> Measured:
        """Search."""
        self.last = self.prepared.copy(self.prepared.folder.with_name(f"search-{turn}"))
        return Measured([self.last.stage("experiments.search")])

    def configurations(self) -> list[dict[str, Any]]:
        """The settings of the last turn's trials, in their order."""
        settings = [trial.user_attrs["settings"] for trial in self.last.trials() if "settings" in trial.user_attrs]
        return [{name: each[name] for name in ("model", "train")} for each in settings]


@dataclass(frozen=True)
class Plain:
    """A sample of the very trials of this project's last turn, one `Model.fit` after another, in so many processes."""

    name: str
    ours: Ours
    processes: int
    sample: int
    seeds: int = 1

    def run(self, turn: int) -> Measured:
        """Repeat the sample, each process its share."""
        trials = self.ours.configurations()
        sample = trials[:: max(1, len(trials) // self.sample)][: self.sample]
        tasks = [
            {
                "name": f"plain-{turn}-{self.processes}-{place}",
                "trials": sample[place :: self.processes],
                "seeds": list(range(self.ours.seeds)),
            }
            for place in range(self.processes)
        ]
        answers = fresh_together("plain.search", tasks, self.ours.last.folder)
        note = f"extrapolated from {len(sample)} of the {len(trials)} trials, evenly spaced"
        return Measured([extrapolated(answers, len(trials) / len(sample))], note=note)


@dataclass(frozen=True)
class Library:
    """A library's own search, by a `function` of `tuners`."""

    name: str
    function: str
    prepared: Project
    task: dict[str, Any]
    trials: int
    seeds: int = SEEDS
    note: str = ""

    def run(self, turn: int) -> Measured:
        """Search, or do the first of the trials."""
        answer = fresh(self.function, self.task | {"turn": turn}, self.prepared.folder)
        done = self.task["trials"]
        note = self.note if done == self.trials else f"{self.note}; extrapolated from its first {done} trials"
        return Measured([extrapolated([answer], self.trials / done)], note=note)


def run(quick: bool) -> list[Record]:
    """All peers; this project has its turn first, since the plain ones repeat its trials."""
    trials, sample, epochs = (4, 2, 3) if quick else (TRIALS, SAMPLE, EPOCHS)
    workers = min(WORKERS, os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as folder:
        search = {"trials": trials, "seeds": SEEDS, "epochs": None, "pruner": "none", "workers": workers}
        prepared = Project(
            Path(folder) / "prepared",
            data={"source": "digits"},
            train={"epochs": epochs, "early_stopping": {"patience": 10}},
            search=search | {"storage": None, "dask": None},
        )
        prepared.stage("pipeline.source", "pipeline.prepare")
        task = {"trials": trials, "seeds": SEEDS, "epochs": epochs, "patience": 10, "workers": workers}
        ours = Ours(prepared, trials)
        peers = [
            ours,
            Plain(TWO, ours, WORKERS, sample),
            Plain(PLAIN, ours, 1, sample),
            Library(TUNER, "tuners.keras_tuner", prepared, task | {"trials": sample}, trials, note="one process"),
            Library(SCIKIT, "tuners.randomized_search", prepared, task, trials, note="3 folds stand for the seeds"),
        ]
        work = f"search on digits: {trials} trials, {SEEDS} seeds, up to {epochs} epochs, {workers} workers"
        return measure(PART, work, "s", peers, 1 if quick else REPETITIONS, stock=TWO)
