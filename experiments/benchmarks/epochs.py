"""Seconds per epoch and seed, validation on; the first epoch, which traces and compiles, told apart."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

from experiments.benchmarks.fresh import fresh
from experiments.benchmarks.peers import Peer, measure
from experiments.benchmarks.records import Measured, Record
from experiments.benchmarks.works import WORKS, Work, write_rows

PART, REPETITIONS = "epochs", 3
STOCK, TUNED, OURS, SCIKIT, FLOOR = (
    "keras.Model.fit", "keras.Model.fit, best options", "this project", "MLPClassifier", "matrix products alone",
)  # fmt: skip
STEPS_PER_EXECUTION, JIT_COMPILE = (1, 8, 32, 128), (True, False)


def seconds_per_seed(answer: dict[str, Any], seeds: int) -> Measured:
    """What an epoch took for each seed."""
    first, *others = answer["epochs"]
    return Measured([seconds / seeds for seconds in others], first, answer.get("accuracy"), answer.get("note", ""))


@dataclass(frozen=True)
class Training:
    """A peer that trains in a fresh process by a `function` of this package; `read` says what of its answer counts."""

    name: str
    function: str
    task: dict[str, Any]
    seeds: int = 1
    note: str = ""
    read: Callable[[dict[str, Any], int], Measured] = field(default=seconds_per_seed)

    def run(self, turn: int) -> Measured:
        """Train with seeds that no other turn has."""
        seeds = list(range(turn * self.seeds, (turn + 1) * self.seeds))
        answer = fresh(self.function, self.task | {"seeds": seeds}).value
        return self.read(answer | ({"note": self.note} if self.note else {}), self.seeds)


def best_options(task: dict[str, Any], choices: list[tuple[int, bool]]) -> dict[str, Any]:
    """The options of `Model.compile` that make an epoch fastest."""

    def seconds(options: dict[str, Any]) -> float:
        return median(fresh("training.model_fit", task | {"compile": options, "seeds": [0]}).value["epochs"][1:])

    return min(({"steps_per_execution": steps, "jit_compile": jit} for steps, jit in choices), key=seconds)


def peers(work: Work, rows: Path, quick: bool) -> Iterator[Peer]:
    """All that do one work, the stock one first."""
    task = work.task(rows)
    choices = list(product(STEPS_PER_EXECUTION, JIT_COMPILE))
    choices = choices[2:4] if quick else choices
    options = best_options(task, choices)
    note = f"{', '.join(f'{name}={value}' for name, value in options.items())}: the best of {len(choices)}"
    yield Training(STOCK, "training.model_fit", task)
    yield Training(TUNED, "training.model_fit", task | {"compile": options}, note=note)
    yield from (Training(OURS, "training.trainer", task, seeds) for seeds in work.seeds)
    yield Training(SCIKIT, "training.mlp_classifier", task)
    yield Training(FLOOR, "floor.matrix_products", task)


def run(quick: bool) -> list[Record]:
    """Every work."""
    records = []
    for work in WORKS:
        work = work.quick if quick else work
        with tempfile.TemporaryDirectory() as folder:
            rows = write_rows(work, Path(folder))
            records += measure(PART, work.name, "s", peers(work, rows, quick), 1 if quick else REPETITIONS)
    return records
