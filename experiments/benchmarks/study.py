"""The default study on digits, trained anew, against the same trainings through `Model.fit`; and where its time goes.

The trainings are those that `study.json` names. Of each architecture class (the same layers, optimizer, batch size,
regularizers and number of rows) one is sampled: `SAMPLED_EPOCHS` after the one that compiles. A class costs its first
epoch for each of its trainings and seeds, and its other epochs as many times as they were trained.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from experiments.benchmarks.fresh import fresh_together
from experiments.benchmarks.peers import measure
from experiments.benchmarks.profile import LEAST
from experiments.benchmarks.project import Project
from experiments.benchmarks.records import Measured, Record, record
from experiments.study.jobs import Job
from pipeline.files import read_json
from pipeline.settings import Model, Train

PART, REPETITIONS = "study", 2
OURS, PLAIN = "this project", "keras.Model.fit, one after another"
TWO = "keras.Model.fit, two processes"
GRAPHS, GRAPHS_WORK = "share of training time", "tracing and compiling graphs in the default study"
SAMPLED_EPOCHS = 3
QUICK_STUDY = {
    "seeds": 2, "epochs": 3, "sections": ["remedies"], "remedies": {"model.l2": [1e-4, 1e-3]}, "half_width": False,
}  # fmt: skip
# Of no influence on what an epoch costs.
APART = ("epochs", "seeds", "early_stopping", "schedule")


@dataclass(frozen=True)
class Training:
    """One training of the study, for all of its seeds; `epochs` are those of a seed, on average."""

    settings: dict[str, dict[str, Any]]
    rows: int
    labels: str
    epochs: float

    @property
    def alike(self) -> str:
        """Trainings of the same text are of one architecture class: they differ in rates and strengths at most."""
        return json.dumps([_without_strengths(self.settings), self.rows], sort_keys=True)

    @property
    def graph(self) -> str:
        """Those of the same text come to a worker of the study together."""
        model, train = (kind.model_validate(self.settings[kind.__name__.lower()]) for kind in (Model, Train))
        return Job(model, train, self.rows, "true").graph


def _without_strengths(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_strengths(each) for name, each in value.items() if name not in APART}
    return bool(value) if value is None or isinstance(value, float) else value


def trainings(study: dict[str, Any]) -> list[Training]:
    """What a `study.json` says was trained, each once, those of a class together."""
    found = {}
    for arm in study["arms"]:
        settings = {"model": arm["settings"]["model"], "train": arm["settings"]["train"]}
        labels = arm["name"] if arm["factor"] == "labels" and arm["name"] != "true labels" else ""
        training = Training(settings, arm["train_rows"], labels, arm["epochs"]["mean"])
        apart = {name: value for name, value in settings["train"].items() if name != "seeds"}
        found.setdefault(json.dumps([settings["model"], apart, training.rows, labels], sort_keys=True), training)
    return sorted(found.values(), key=lambda training: training.alike)


def total(every: Sequence[Training], seconds: dict[str, list[float]], seeds: int) -> float:
    """Seconds of all trainings, one after another, from those of each epoch of a sample of each class."""
    first = {alike: epochs[0] for alike, epochs in seconds.items()}
    later = {alike: median(epochs[1:]) for alike, epochs in seconds.items()}
    return seeds * sum(first[each.alike] + (each.epochs - 1) * later[each.alike] for each in every)


def shares(every: Sequence[Training], processes: int, kind: Callable[[Training], str]) -> list[list[Training]]:
    """The trainings for each process; those of a kind come together."""
    kinds = list(dict.fromkeys(map(kind, every)))
    return [
        [each for own in kinds[place::processes] for each in every if kind(each) == own] for place in range(processes)
    ]


@dataclass
class Ours:
    """The stage study as a command; its trainings are removed before each turn."""

    project: Project
    seeds: int
    name: str = OURS

    def run(self, turn: int) -> Measured:
        """Study."""
        shutil.rmtree(self.project.folder / "models" / "study", ignore_errors=True)
        seconds = self.project.stage("experiments.study")
        return Measured([seconds], note=f"{len(self.trainings())} trainings of {self.seeds} seeds")

    def trainings(self) -> list[Training]:
        """What was trained."""
        return trainings(self.found())

    def found(self) -> dict[str, Any]:
        """The study's results."""
        return read_json(self.project.folder / "experiments" / "results" / "study.json")


@dataclass(frozen=True)
class Plain:
    """The same trainings through `Model.fit`, in one or several processes, extrapolated."""

    name: str
    ours: Ours
    processes: int
    seeds: int = 1

    def run(self, turn: int) -> Measured:
        """Sample every class, each process its share of them."""
        every = self.ours.trainings()
        classes = list({each.alike: each for each in every}.values())
        parts = shares(classes, self.processes, lambda each: each.alike)
        tasks = [
            {"configurations": [each.settings | {"rows": each.rows} for each in part], "epochs": SAMPLED_EPOCHS}
            for part in parts
        ]
        answers = fresh_together("plain.sample", tasks, self.ours.project.folder)
        seconds = {
            each.alike: epochs
            for part, answer in zip(parts, answers, strict=True)
            for each, epochs in zip(part, answer.value["epochs"], strict=True)
        }
        note = f"extrapolated from 1 + {SAMPLED_EPOCHS} epochs of each of {len(classes)} architecture classes"
        return Measured([total(every, seconds, self.ours.seeds) / self.processes], note=note)


def graphs(ours: Ours, workers: int) -> Record:
    """The share of graphs in the time of the trainings, which are all done once more; see `profile.graphs`."""
    every, seeds = ours.trainings(), ours.found()["about"]["seeds"]
    tasks = [
        {"seeds": seeds, "trainings": [each.settings | {"rows": each.rows, "labels": each.labels} for each in part]}
        for part in shares(every, workers, lambda each: each.graph)
    ]
    answers = [answer.value for answer in fresh_together("profile.graphs", tasks, ours.project.folder)]
    spent, seconds, epochs = (sum(each[name] for each in answers) for name in ("graphs", "seconds", "compiled"))
    note = (
        f"{spent:.1f} s of {seconds:.1f} s in {workers} processes, for {len(every)} trainings: what {epochs} epochs, "
        f"those that exceed their training's median by {LEAST} s, take over it; the building of the first included"
    )
    return record(PART, GRAPHS_WORK, GRAPHS, ours.seeds, "share", [Measured([spent / seconds], note=note)])


def run(quick: bool) -> list[Record]:
    """This project, `Model.fit`, and the profile."""
    with tempfile.TemporaryDirectory() as folder:
        changes: dict[str, Any] = {"data": {"source": "digits"}}
        if quick:
            changes |= {"train": {"epochs": 3}, "search": {"trials": 2}, "study": QUICK_STUDY}
        project = Project(Path(folder), **changes)
        project.stage("pipeline.source", "pipeline.prepare", "experiments.search")
        settings = read_json(Path(folder) / "params.yaml")["study"]
        ours = Ours(project, settings["seeds"])
        peers = [ours, Plain(PLAIN, ours, 1), Plain(TWO, ours, 2)]
        work = "the quick study on digits" if quick else "the default study on digits"
        records = measure(PART, work, "s", peers, 1 if quick else REPETITIONS, stock=PLAIN)
        return [*records, graphs(ours, settings["workers"])]
