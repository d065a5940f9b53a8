"""Benchmark of the default study on digits against the same trainings through `Model.fit`, and its share of graphs.

The trainings are those in `study.json`. Trainings with the same layers, optimizer, batch size, kinds of regularizers
and number of rows are an architecture class. One training of each class is sampled, for `SAMPLED_EPOCHS` after the
first epoch, which compiles. Each training and seed then costs the first epoch of its class, and for its other epochs
the median of the sampled ones.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

from experiments.benchmarks.fresh import fresh_together
from experiments.benchmarks.peers import Peer, measure
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
# These settings do not change the cost of an epoch.
IRRELEVANT = ("epochs", "seeds", "early_stopping", "schedule")


@dataclass(frozen=True)
class Training:
    """A training of the study with all its seeds; `epochs` is the mean number of epochs of a seed."""

    settings: dict[str, dict[str, Any]]
    rows: int
    labels: str
    epochs: float

    @property
    def alike(self) -> str:
        """Return the key of the architecture class, in which trainings differ only in rates and strengths."""
        return json.dumps([_without_strengths(self.settings), self.rows], sort_keys=True)

    @property
    def graph(self) -> Hashable:
        """Return the key of the graph; the study trains those of one graph together in a worker."""
        model, train = Model.model_validate(self.settings["model"]), Train.model_validate(self.settings["train"])
        return Job(model, train, self.rows, "true").graph


def _without_strengths(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_strengths(item) for name, item in value.items() if name not in IRRELEVANT}
    return bool(value) if value is None or isinstance(value, float) else value


def trainings(study: dict[str, Any]) -> list[Training]:
    """Return the different trainings in a `study.json`, sorted by architecture class."""
    distinct: dict[str, Training] = {}
    for arm in study["arms"]:
        settings = {"model": arm["settings"]["model"], "train": arm["settings"]["train"]}
        labels = arm["name"] if arm["factor"] == "labels" and arm["name"] != "true labels" else ""
        training = Training(settings, arm["train_rows"], labels, arm["epochs"]["mean"])
        train = {name: value for name, value in settings["train"].items() if name != "seeds"}
        distinct.setdefault(json.dumps([settings["model"], train, training.rows, labels], sort_keys=True), training)
    return sorted(distinct.values(), key=lambda training: training.alike)


def total(all_trainings: Sequence[Training], seconds: dict[str, list[float]], seeds: int) -> float:
    """Return the seconds of all trainings, one after another, from the epochs of the sample of each class."""
    first = {alike: epochs[0] for alike, epochs in seconds.items()}
    later = {alike: median(epochs[1:]) for alike, epochs in seconds.items()}
    return seeds * sum(first[one.alike] + (one.epochs - 1) * later[one.alike] for one in all_trainings)


def shares(
    all_trainings: Sequence[Training], processes: int, kind: Callable[[Training], Hashable]
) -> list[list[Training]]:
    """Share the trainings between processes, so that those of one kind are together."""
    kinds: dict[Hashable, list[Training]] = {}
    for training in all_trainings:
        kinds.setdefault(kind(training), []).append(training)
    groups = list(kinds.values())
    return [list(chain.from_iterable(groups[place::processes])) for place in range(processes)]


@dataclass
class Ours:
    """The stage study as a command; the results of its trainings are removed before each turn."""

    project: Project
    seeds: int
    name: str = OURS

    def run(self, turn: int) -> Measured:
        """Time the study."""
        shutil.rmtree(self.project.folder / "models" / "study", ignore_errors=True)
        seconds = self.project.stage("experiments.study")
        return Measured([seconds], note=f"{len(self.trainings())} trainings of {self.seeds} seeds")

    def trainings(self) -> list[Training]:
        """Return the study's trainings."""
        return trainings(self.results())

    def results(self) -> dict[str, Any]:
        """Read the study's results."""
        return read_json(self.project.folder / "experiments" / "results" / "study.json")


@dataclass(frozen=True)
class Plain:
    """The same trainings by `Model.fit`, in one or several processes, extrapolated."""

    name: str
    ours: Ours
    processes: int
    seeds: int = 1

    def run(self, turn: int) -> Measured:
        """Sample the classes, of which each process does its share."""
        all_trainings = self.ours.trainings()
        classes = list({training.alike: training for training in all_trainings}.values())
        samples = shares(classes, self.processes, lambda training: training.alike)
        tasks = [
            {"configurations": [one.settings | {"rows": one.rows} for one in sample], "epochs": SAMPLED_EPOCHS}
            for sample in samples
        ]
        answers = fresh_together("plain.sample", tasks, self.ours.project.folder)
        seconds = {
            training.alike: epochs
            for sample, answer in zip(samples, answers, strict=True)
            for training, epochs in zip(sample, answer.value["epochs"], strict=True)
        }
        note = f"extrapolated from 1 + {SAMPLED_EPOCHS} epochs of each of {len(classes)} architecture classes"
        return Measured([total(all_trainings, seconds, self.ours.seeds) / self.processes], note=note)


def graphs(ours: Ours, workers: int) -> Record:
    """Measure the share of graphs in the time of all trainings, which are done once more; see `profile.graphs`."""
    all_trainings, seeds = ours.trainings(), ours.results()["about"]["seeds"]
    tasks = [
        {"seeds": seeds, "trainings": [one.settings | {"rows": one.rows, "labels": one.labels} for one in share]}
        for share in shares(all_trainings, workers, lambda training: training.graph)
    ]
    answers = [answer.value for answer in fresh_together("profile.graphs", tasks, ours.project.folder)]
    spent, seconds, epochs = (sum(answer[name] for answer in answers) for name in ("graphs", "seconds", "compiled"))
    note = (
        f"{spent:.1f} s of {seconds:.1f} s in {workers} processes, for {len(all_trainings)} trainings: "
        f"what {epochs} epochs, those that exceed their training's median by {LEAST} s, take over it; "
        "the building of the first included"
    )
    return record(PART, GRAPHS_WORK, GRAPHS, ours.seeds, "share", [Measured([spent / seconds], note=note)])


def run(quick: bool) -> list[Record]:
    """Measure this project and `Model.fit`, and the share of graphs."""
    with tempfile.TemporaryDirectory() as folder:
        changes: dict[str, Any] = {"data": {"source": "digits"}}
        if quick:
            changes |= {"train": {"epochs": 3}, "search": {"trials": 2}, "study": QUICK_STUDY}
        project = Project(Path(folder), **changes)
        project.stage("pipeline.source", "pipeline.prepare", "experiments.search")
        settings = read_json(Path(folder) / "params.yaml")
        ours = Ours(project, settings["study"]["seeds"])
        peers: list[Peer] = [ours, Plain(PLAIN, ours, 1), Plain(TWO, ours, 2)]
        work = "the quick study on digits" if quick else "the default study on digits"
        records = measure(PART, work, "s", peers, 1 if quick else REPETITIONS, stock=PLAIN)
        return [*records, graphs(ours, settings["engine"]["workers"])]
