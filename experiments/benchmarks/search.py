"""Searches on digits: trials of 3 seeds, early stopping, nothing pruned, tracked; imports included.

One is short; the other is as long as the one in `params.yaml`, of which a smaller share goes to compiling.

What takes minutes is extrapolated: a peer does a sample of the trials, and its seconds, those of starting left out,
count as many times as the sample is smaller than the search.
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
    """How large a search is; what takes minutes does `sample` of its trials."""

    trials: int
    epochs: int
    sample: int

    @property
    def work(self) -> str:
        """How it is named."""
        return f"search on digits: {self.trials} trials, {SEEDS} seeds, up to {self.epochs} epochs, {WORKERS} workers"

    @property
    def quick(self) -> "Size":
        """The same with little work, to see that it runs."""
        return Size(self.trials // 10, self.epochs // 10, 2)


SHORT, DEFAULT = Size(trials=30, epochs=30, sample=6), Size(trials=40, epochs=100, sample=8)


def extrapolated(answers: Sequence[Answer], times: float) -> float:
    """Seconds of the whole: to start, and what processes side by side did, evenly shared, so many times."""
    starting = min(answer.seconds - answer.value["seconds"] for answer in answers)
    return starting + times * sum(answer.value["seconds"] for answer in answers) / len(answers)


@dataclass(frozen=True)
class Trial:
    """The sections `model` and `train` of a trial's settings, and how many epochs its seeds trained in all."""

    settings: dict[str, Any]
    seed_epochs: int


@dataclass
class Ours:
    """The stage search as a command; each turn in a new copy of a project with prepared data."""

    prepared: Project
    seeds: int = SEEDS
    name: str = OURS
    last: Project | None = field(default=None, init=False)

    def run(self, turn: int) -> Measured:
        """Search."""
        self.last = self.prepared.copy(self.prepared.folder.with_name(f"search-{turn}"))
        return Measured([self.last.stage("experiments.search")])

    def trials(self) -> list[Trial]:
        """The last turn's trials, in their order."""
        return [
            Trial(attributes["settings"], attributes["facts"]["seed_epochs"])
            for attributes in (trial.user_attrs for trial in self.last.trials())
            if "facts" in attributes
        ]


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
    """Both searches; the libraries, which draw trials of their own, do the short one."""
    short, default = (SHORT.quick, DEFAULT.quick) if quick else (SHORT, DEFAULT)
    repetitions = 1 if quick else REPETITIONS
    return [*compare(short, repetitions, libraries), *compare(default, repetitions)]


def compare(
    size: Size, repetitions: int, others: Callable[[Project, Size], Iterable[Peer]] = lambda *_: ()
) -> list[Record]:
    """This project has its turn first, since the plain ones repeat its trials."""
    with tempfile.TemporaryDirectory() as folder:
        search = {"trials": size.trials, "seeds": SEEDS, "epochs": None, "pruner": "none", "workers": WORKERS}
        prepared = Project(
            Path(folder) / "prepared",
            data={"source": "digits"},
            train={"epochs": size.epochs, "early_stopping": {"patience": PATIENCE}},
            search=search | {"storage": None, "dask": None},
        )
        prepared.stage("pipeline.source", "pipeline.prepare")
        ours = Ours(prepared)
        plain = [Plain(name, ours, processes, size.sample) for name, processes in ((TWO, WORKERS), (PLAIN, 1))]
        return measure(PART, size.work, "s", [ours, *plain, *others(prepared, size)], repetitions, stock=TWO)


def libraries(prepared: Project, size: Size) -> list[Library]:
    """KerasTuner and scikit-learn."""
    task = {"trials": size.trials, "seeds": SEEDS, "epochs": size.epochs, "patience": PATIENCE, "workers": WORKERS}
    few = task | {"trials": size.sample}
    return [
        Library(TUNER, "tuners.keras_tuner", prepared, few, size.trials, note="one process"),
        Library(SCIKIT, "tuners.randomized_search", prepared, task, size.trials, note="3 folds stand for the seeds"),
    ]
