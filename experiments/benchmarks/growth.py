"""Benchmark of growth: the seconds and the peak memory as one size grows and the others stay, and their exponents.

The rows are drawn (`sklearn.datasets.make_classification`). A time of `c * size ** exponent` is a line in a plot with
two logarithmic axes, and the exponent is its slope. It is measured over the largest sizes, since the smallest have a
time that does not grow: imports, compiling, files.
"""

import resource
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import make_classification

from experiments.benchmarks.epochs import OURS, STOCK, Training
from experiments.benchmarks.fresh import fresh
from experiments.benchmarks.project import Project
from experiments.benchmarks.records import Measured, Record, record
from pipeline.files import write_arrays
from pipeline.settings import Model, Train

PART = "growth"
LARGEST = 3  # sizes over which an exponent is measured
ROWS, FEATURES, CLASSES, BATCH = 10_000, 20, 5, 256
MEMORY = "peak memory, "  # before the name of a work: the other measurement of the same runs
# Strengths of these make the arms of a study; one remedy can have a hundred.
REMEDIES = (
    "model.l2", "model.l1", "train.weight_decay", "train.label_smoothing", "model.dropout", "model.gaussian_noise",
    "model.input_dropout", "train.mixup", "train.ema", "train.swa",
)  # fmt: skip
STRENGTHS = 100

Run = Callable[[int], tuple[float, float]]  # of a size; returns seconds and MB


@dataclass(frozen=True)
class Growth:
    """The growth of one work of one peer with one size."""

    work: str
    peer: str
    sizes: tuple[int, ...]
    run: Run

    def records(self) -> Iterator[Record]:
        """Measure every size once, and yield a record of the seconds and one of the memory."""
        for size in self.sizes:
            print(f"{PART}: {self.work}: {self.peer}, {size:,}", flush=True)
            for work, unit, value in zip((self.work, MEMORY + self.work), ("s", "MB"), self.run(size), strict=True):
                yield replace(record(PART, work, self.peer, 1, unit, [Measured([value])]), size=size)


def by_work(records: Iterable[Record]) -> dict[tuple[str, str], list[Record]]:
    """Return the records of growth by work and peer, the smallest size first."""
    growing: dict[tuple[str, str], list[Record]] = {}
    for one in sorted((one for one in records if one.size), key=lambda one: one.size):
        growing.setdefault((one.work, one.peer), []).append(one)
    return dict(sorted(growing.items()))


def exponent(records: Sequence[Record]) -> float:
    """Return the slope of the logarithm of the medians on that of the sizes, for the largest sizes."""
    last = sorted(records, key=lambda one: one.size)[-LARGEST:]
    slope, _ = np.polyfit(np.log([one.size for one in last]), np.log([one.median for one in last]), 1)
    return float(slope)


def write_drawn(folder: Path, rows: int, features: int) -> Path:
    """Write drawn rows as `works.write_rows` writes prepared ones, four fifths of them for training."""
    x, y = make_classification(rows, features, n_informative=5, n_redundant=0, n_classes=CLASSES, random_state=0)
    arrays: dict[str, np.ndarray] = {}
    for name, part in (("train", slice(0, rows * 4 // 5)), ("validation", slice(rows * 4 // 5, None))):
        arrays |= {f"{name}/x": x[part].astype(np.float32), f"{name}/y": y[part].astype(np.int32)}
    path = folder / f"drawn-{rows}-{features}.npz"
    write_arrays(path, arrays)
    return path


def an_epoch(function: str, folder: Path, size: int, rows: int = ROWS, features: int = FEATURES, seeds: int = 1,
             of: str = "rows") -> tuple[float, float]:  # fmt: skip
    """Return the seconds of an epoch of all seeds, and the peak memory, with `of` at this size."""
    sizes = {"rows": rows, "features": features, "seeds": seeds} | {of: size}
    task: dict[str, Any] = {
        "model": Model(hidden_units=(128,)).model_dump(),
        "train": Train(batch_size=BATCH, epochs=4, train_score_rows=0).model_dump(),
        "rows": str(write_drawn(folder, sizes["rows"], sizes["features"])),
    }
    peaks: list[float] = []

    def read(answer: dict[str, Any], _: int) -> Measured:
        peaks.append(answer["peak"])
        return Measured(answer["epochs"][1:])

    measured = Training(OURS, function, task, sizes["seeds"], read=read).run(0)
    return float(np.median(measured.values)), peaks[0]


def a_stage(task: dict[str, Any]) -> dict[str, float]:
    """Run a stage in a project; return its seconds and the memory of its largest process in MB; see `fresh`."""
    project = Project(Path(task["folder"]), **task["sections"])
    project.stage("pipeline.source", "pipeline.prepare")
    seconds = project.stage(task["stage"])
    kilobytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # on macOS bytes
    return {"seconds": seconds, "memory": kilobytes / (2**20 if sys.platform == "darwin" else 2**10)}


def _stage(stage: str, sections: Callable[[int], dict[str, Any]], folder: Path, size: int) -> tuple[float, float]:
    name = stage.rpartition(".")[2]
    shared = {"data": {"source": "iris"}, "train": {"epochs": 2, "early_stopping": None}, "engine": {"workers": 2}}
    task = {"folder": str(folder / f"{name}-{size}"), "stage": stage, "sections": shared | sections(size)}
    answer = fresh("growth.a_stage", task).value
    return answer["seconds"], answer["memory"]


def _trials(size: int) -> dict[str, Any]:
    return {"search": {"trials": size, "pruner": "none"}}


def _arms(size: int) -> dict[str, Any]:
    """Return a study of as many arms, but for two or so, spread over as few remedies as can have them."""
    names = REMEDIES[: -(-size // STRENGTHS)]
    strengths = {name: np.geomspace(1e-4, 0.4, len(range(place, size, len(names)))) for place, name in enumerate(names)}
    remedies = {name: values.tolist() for name, values in strengths.items()}
    return {"study": {"seeds": 4, "sections": ["remedies"], "half_width": False, "remedies": remedies}}


def growths(folder: Path, quick: bool) -> Iterator[Growth]:
    """Yield what is measured; `Model.fit` where it can be waited for."""
    ours, stock = "training.trainer", "training.model_fit"
    for work, peer, sizes, run in (
        ("an epoch, by rows", OURS, (1_000, 10_000, 100_000, 1_000_000), partial(an_epoch, ours, folder)),
        ("an epoch, by rows", STOCK, (1_000, 10_000, 100_000), partial(an_epoch, stock, folder)),
        ("an epoch, by features", OURS, (10, 100, 1_000, 3_000), partial(an_epoch, ours, folder, of="features")),
        ("an epoch, by features", STOCK, (10, 100, 1_000, 3_000), partial(an_epoch, stock, folder, of="features")),
        ("an epoch, by seeds", OURS, (1, 3, 10, 30, 100), partial(an_epoch, ours, folder, of="seeds")),
        ("a search, by trials", OURS, (10, 100, 1_000), partial(_stage, "experiments.search", _trials, folder)),
        ("a study, by arms", OURS, (10, 100, 1_000), partial(_stage, "experiments.study", _arms, folder)),
    ):
        yield Growth(work, peer, sizes[:2] if quick else sizes, run)


def run(quick: bool) -> list[Record]:
    """Measure all growths."""
    with tempfile.TemporaryDirectory() as folder:
        return [one for growth in growths(Path(folder), quick) for one in growth.records()]
