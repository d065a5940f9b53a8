"""Benchmark of searches on digits, with 3 seeds, early stopping, tracking and no pruning; imports count.

One search is short; the other is longer, and spends a smaller share on compiling.

Slow peers are extrapolated: they do a sample of the trials, and the seconds after the start are multiplied by the ratio
of all trials to the sample.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.benchmarks.fresh import Answer, fresh, fresh_together
from experiments.benchmarks.peers import Peer, measure
from experiments.benchmarks.project import Project
from experiments.benchmarks.records import Measured, Record

PART, REPETITIONS = "search", 3
OURS, PLAIN, TUNER, SCIKIT = (
    "this project", "Optuna + Model.fit + MLflow", "KerasTuner RandomSearch", "RandomizedSearchCV, MLPClassifier",
)  # fmt: skip
TWO = f"{PLAIN}, two processes"
SEEDS, PATIENCE, WORKERS = 3, 10, min(2, os.cpu_count() or 1)


@dataclass(frozen=True)
class Size:
    """The size of a search; slow peers only do `sample` of its trials."""

    trials: int
    epochs: int
    sample: int

    @property
    def work(self) -> str:
        """Return the name of the work."""
        return f"search on digits: {self.trials} trials, {SEEDS} seeds, up to {self.epochs} epochs, {WORKERS} workers"

    @property
    def quick(self) -> "Size":
        """Return a small size, to see that the benchmark runs."""
        return Size(self.trials // 10, self.epochs // 10, 2)


SHORT, LONG = Size(trials=30, epochs=30, sample=6), Size(trials=40, epochs=100, sample=8)


def extrapolated(answers: Sequence[Answer], times: float) -> float:
    """Return the time to start, plus the mean time of the processes multiplied by `times`, in seconds."""
    starting = min(answer.seconds - answer.value["seconds"] for answer in answers)
    return starting + times * sum(answer.value["seconds"] for answer in answers) / len(answers)


@dataclass(frozen=True)
class Trial:
    """A trial's sections `model` and `train` of the settings, and the number of epochs of all its seeds."""

    settings: dict[str, Any]
    seed_epochs: int


@dataclass
class Ours:
    """The stage search as a command, each turn in a new copy of a project with prepared data; `last` is the latest."""

    prepared: Project
    seeds: int = SEEDS
    name: str = OURS
    last: Project = field(init=False)

    def run(self, turn: int) -> Measured:
        """Time the search."""
        self.last = self.prepared.copy(self.prepared.folder.with_name(f"search-{turn}"))
        return Measured([self.last.stage("experiments.search")])

    def trials(self) -> list[Trial]:
        """Return the last turn's trials, in order."""
        return [
            Trial(attributes["settings"], attributes["facts"]["seed_epochs"])
            for attributes in (trial.user_attrs for trial in self.last.trials())
            if "facts" in attributes
        ]


@dataclass(frozen=True)
class Plain:
    """A sample of the trials of this project's last turn, by one `Model.fit` after another, in some processes."""

    name: str
    ours: Ours
    processes: int
    sample: int
    seeds: int = 1

    def run(self, turn: int) -> Measured:
        """Time the sample, of which each process does its share."""
        trials = self.ours.trials()
        sample = trials[:: max(1, len(trials) // self.sample)][: self.sample]
        tasks = [
            {
                "name": f"plain-{turn}-{self.processes}-{place}",
                "trials": [trial.settings for trial in sample[place :: self.processes]],
                "seeds": list(range(self.ours.seeds)),
            }
            for place in range(self.processes)
        ]
        answers = fresh_together("plain.search", tasks, self.ours.last.folder)
        epochs, ours = sum(answer.value["epochs"] for answer in answers), sum(trial.seed_epochs for trial in sample)
        note = (
            f"extrapolated from {len(sample)} of the {len(trials)} trials, evenly spaced, "
            f"{epochs} epochs of a seed ({OURS}: {ours})"
        )
        return Measured([extrapolated(answers, len(trials) / len(sample))], note=note)


@dataclass(frozen=True)
class Library:
    """The search of a library, by a `function` of `tuners`."""

    name: str
    function: str
    prepared: Project
    task: dict[str, Any]
    trials: int
    seeds: int = SEEDS
    note: str = ""

    def run(self, turn: int) -> Measured:
        """Time the search, or its first trials."""
        answer = fresh(self.function, self.task | {"turn": turn}, self.prepared.folder)
        done = self.task["trials"]
        note = self.note if done == self.trials else f"{self.note}; extrapolated from its first {done} trials"
        return Measured([extrapolated([answer], self.trials / done)], note=note)


def run(quick: bool) -> list[Record]:
    """Measure both searches; the libraries, which draw trials of their own, only do the short one."""
    short, long = (SHORT.quick, LONG.quick) if quick else (SHORT, LONG)
    repetitions = 1 if quick else REPETITIONS
    return [*compare(short, repetitions, libraries), *compare(long, repetitions)]


def compare(
    size: Size, repetitions: int, others: Callable[[Project, Size], Iterable[Peer]] = lambda *_: ()
) -> list[Record]:
    """Measure all peers; this project has its turn first, since the plain peers repeat its trials."""
    with tempfile.TemporaryDirectory() as folder:
        search = {"trials": size.trials, "seeds": SEEDS, "epochs": None, "pruner": "none"}
        prepared = Project(
            Path(folder) / "prepared",
            data={"source": "digits"},
            train={"epochs": size.epochs, "early_stopping": {"patience": PATIENCE}},
            search=search | {"storage": None},
            engine={"workers": WORKERS, "dask": None},
        )
        prepared.stage("pipeline.source", "pipeline.prepare")
        ours = Ours(prepared)
        plain = [Plain(name, ours, processes, size.sample) for name, processes in ((TWO, WORKERS), (PLAIN, 1))]
        return measure(PART, size.work, "s", [ours, *plain, *others(prepared, size)], repetitions, stock=TWO)


def libraries(prepared: Project, size: Size) -> list[Library]:
    """Return the searches of KerasTuner and scikit-learn as peers."""
    task = {"trials": size.trials, "seeds": SEEDS, "epochs": size.epochs, "patience": PATIENCE, "workers": WORKERS}
    few = task | {"trials": size.sample}
    return [
        Library(TUNER, "tuners.keras_tuner", prepared, few, size.trials, note="one process"),
        Library(SCIKIT, "tuners.randomized_search", prepared, task, size.trials, note="3 folds stand for the seeds"),
    ]
