"""Seconds per epoch and seed: `keras.Model.fit` against this project's trainer, in one run on the same work.

`python -m experiments.benchmark` prints a table and writes `experiments/results/benchmark.json`, a list of records.
Validation is on for both, after every epoch. The first epoch, in which both compile, is told apart.
"""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from pipeline.backend import keras
from pipeline.datasets import load
from pipeline.errors import run_stage
from pipeline.examples import Examples, Split
from pipeline.files import write_json
from pipeline.model import build_keras
from pipeline.optimizers import make_optimizer
from pipeline.params import Data, Model, Train
from pipeline.paths import RESULTS
from pipeline.prepare import prepare
from pipeline.splits import SplitName
from pipeline.trainer import fit

BENCHMARK_FILE = RESULTS / "benchmark.json"
REPLICAS = (1, 10)
REPETITIONS = 3

REGULARIZED = {"dropout": 0.3, "l2": 1e-4}


@dataclass(frozen=True)
class Work:
    """One job that both peers do; `epochs` are timed in each repetition, after the one that compiles."""

    name: str
    data: Data
    model: Model
    batch_size: int
    epochs: int

    @property
    def train(self) -> Train:
        return Train(batch_size=self.batch_size, epochs=1 + self.epochs, train_score_rows=0)


MNIST, DIGITS = Data(source="mnist", val_fraction=1 / 6), Data(source="digits", test_fraction=0.0)
WORKS = [
    Work("MNIST 784-32-10, batch 128", MNIST, Model(hidden_units=[32]), 128, 3),
    Work("MNIST 784-32-10, batch 128, dropout and L2", MNIST, Model(hidden_units=[32], **REGULARIZED), 128, 3),
    Work("digits 64-128-10, batch 32", DIGITS, Model(hidden_units=[128]), 32, 10),
    Work("digits 64-128-10, batch 32, dropout and L2", DIGITS, Model(hidden_units=[128], **REGULARIZED), 32, 10),
]


@dataclass(frozen=True)
class Record:
    """What one peer took.

    Attributes:
        seconds: per epoch and seed, the median over all epochs but each repetition's first; `low` and `high` of them.
        first_epoch: seconds of the first epoch of the first repetition, tracing and compiling included, for all seeds.
        ratio: how many times faster per seed than `Model.fit` on the same work.
        accuracy: on the validation rows after the last epoch, mean over the seeds; both peers learn the same.
    """

    work: str
    peer: str
    replicas: int
    seconds: float
    low: float
    high: float
    first_epoch: float
    ratio: float
    accuracy: float


def keras_seconds(work: Work, splits: dict[SplitName, Split], examples: Examples, seed: int) -> tuple[list, float]:
    """Seconds of each epoch of stock `Model.fit`, and the last validation accuracy."""
    keras.utils.set_random_seed(seed)
    plain = build_keras(work.model, examples.problem)
    plain.compile(make_optimizer(work.train), "sparse_categorical_crossentropy", metrics=["accuracy"])
    stamps = [time.perf_counter()]
    stamp = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: stamps.append(time.perf_counter()))
    history = plain.fit(
        splits["train"].x,
        splits["train"].y,
        batch_size=work.batch_size,
        epochs=work.train.epochs,
        validation_data=(splits["validation"].x, splits["validation"].y),
        callbacks=[stamp],
        verbose=0,
    ).history
    return np.diff(stamps).tolist(), history["val_accuracy"][-1]


def trainer_seconds(work: Work, examples: Examples, seeds: list[int]) -> tuple[list, float]:
    """Seconds of each epoch of the trainer, for all seeds together, and the last mean validation accuracy."""
    stamps = [time.perf_counter()]
    fitted = fit(examples, work.model, work.train, seeds, [lambda epoch: stamps.append(time.perf_counter())])
    last = fitted.history.groupby("seed").tail(1)
    return np.diff(stamps).tolist(), float(last["val_accuracy"].mean())


def measure(work: Work) -> list[Record]:
    """Every peer on one job, taking turns, so that a busy moment of the machine hits all of them."""
    prepared = prepare(load(work.data), work.data)
    splits = prepared.splits
    examples = Examples.of_splits(prepared.summary.problem, splits["train"], splits["validation"])
    peers: dict[tuple[str, int], Callable[[int], tuple[list, float]]] = {
        ("keras.Model.fit", 1): lambda turn: keras_seconds(work, splits, examples, turn)
    }
    for replicas in REPLICAS:
        peers["trainer", replicas] = lambda turn, replicas=replicas: trainer_seconds(
            work, examples, list(range(turn * replicas, (turn + 1) * replicas))
        )
    turns = {peer: [] for peer in peers}
    for turn in range(REPETITIONS):
        for peer, run in peers.items():
            turns[peer].append(run(turn))
    stock = median(_steady(turns["keras.Model.fit", 1]))
    return [_record(work, *peer, runs, stock) for peer, runs in turns.items()]


def _steady(runs: list[tuple[list, float]]) -> list[float]:
    return [seconds for epochs, _ in runs for seconds in epochs[1:]]


def _record(work: Work, peer: str, replicas: int, runs: list[tuple[list, float]], stock: float) -> Record:
    per_seed = [seconds / replicas for seconds in _steady(runs)]
    seconds = median(per_seed)
    accuracy = float(np.mean([accuracy for _, accuracy in runs]))
    first = runs[0][0][0]
    return Record(work.name, peer, replicas, seconds, min(per_seed), max(per_seed), first, stock / seconds, accuracy)


def machine() -> str:
    """What the figures were measured on."""
    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    tools = ", ".join(f"{name} {version(name)}" for name in ("tensorflow", "keras"))
    return f"{cpu}, {os.cpu_count()} cores, Python {platform.python_version()}, {tools}"


def show(records: list[Record]) -> None:
    """Print the records as a table."""
    table = Table(title=f"seconds per epoch and seed on {machine()}", title_justify="left")
    for column in ("work", "peer"):
        table.add_column(column)
    for column in ("seeds", "ms", "from", "to", "times faster", "first epoch (s)", "accuracy"):
        table.add_column(column, justify="right")
    for r in records:
        milliseconds = [f"{value * 1000:.2f}" for value in (r.seconds, r.low, r.high)]
        ratio, first, accuracy = f"{r.ratio:.1f}", f"{r.first_epoch:.2f}", f"{r.accuracy:.4f}"
        table.add_row(r.work, r.peer, str(r.replicas), *milliseconds, ratio, first, accuracy)
    Console(width=160).print(table)


def main() -> None:
    """Measure, print and write."""
    records = []
    for work in WORKS:
        print(f"measuring {work.name} ...", flush=True)
        records += measure(work)
    show(records)
    write_json(BENCHMARK_FILE, [asdict(record) for record in records])


if __name__ == "__main__":
    run_stage(main)
