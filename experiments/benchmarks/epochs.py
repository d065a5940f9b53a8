"""Benchmark of the seconds per epoch and seed with validation; the first epoch, which compiles, is kept apart."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

from experiments.benchmarks.fresh import fresh
from experiments.benchmarks.peers import Peer, measure
from experiments.benchmarks.records import Measured, Record
from experiments.benchmarks.works import WORKS, Work, write_rows

PART, REPETITIONS = "epochs", 3
STOCK, TUNED = "keras.Model.fit", "keras.Model.fit, best options"
OURS, WORKER = "this project", "this project, one thread"
JAX, BADDBMM, VMAP = "JAX, vmap", "PyTorch, baddbmm", "PyTorch, torch.func.vmap"
SCIKIT, FLOOR = "MLPClassifier", "matrix products alone"
# Peers that train several seeds at once, and the libraries that some of them need.
SIDE_BY_SIDE = {
    OURS: "training.trainer",
    WORKER: "training.trainer",
    JAX: "training_jax.vmapped",
    BADDBMM: "training_torch.stacked",
    VMAP: "training_torch.vmapped",
}
LIBRARIES = {"training_jax": "jax", "training_torch": "torch"}
STEPS_PER_EXECUTION, JIT_COMPILE = (1, 8, 32, 128), (True, False)


def seconds_per_seed(answer: dict[str, Any], seeds: int) -> Measured:
    """Return the seconds of each epoch but the first, per seed."""
    first, *later = answer["epochs"]
    return Measured([seconds / seeds for seconds in later], first, answer.get("accuracy"), answer.get("note", ""))


@dataclass(frozen=True)
class Training:
    """A peer that trains by a `function` of this package in a fresh process; `read` turns its answer into a result.

    Attributes:
        threads: how many TensorFlow has; None for as many as there are cores. A worker has its share of the cores.
    """

    name: str
    function: str
    task: dict[str, Any]
    seeds: int = 1
    note: str = ""
    threads: int | None = None
    read: Callable[[dict[str, Any], int], Measured] = field(default=seconds_per_seed)

    def run(self, turn: int) -> Measured:
        """Train with seeds that no other turn uses."""
        seeds = list(range(turn * self.seeds, (turn + 1) * self.seeds))
        answer = fresh(self.function, self.task | {"seeds": seeds}, threads=self.threads).value
        return self.read(answer | ({"note": self.note} if self.note else {}), self.seeds)


def best_options(task: dict[str, Any], choices: list[tuple[int, bool]]) -> dict[str, Any]:
    """Find the options of `Model.compile` with the fastest epochs."""

    def seconds(options: dict[str, Any]) -> float:
        return median(fresh("training.model_fit", task | {"compile": options, "seeds": [0]}).value["epochs"][1:])

    return min(({"steps_per_execution": steps, "jit_compile": jit} for steps, jit in choices), key=seconds)


def side_by_side() -> dict[str, str]:
    """Return the functions of the peers that train several seeds at once by their names, and say which are left out."""
    functions = {}
    for name, function in SIDE_BY_SIDE.items():
        library = LIBRARIES.get(function.partition(".")[0])
        if library is None or find_spec(library) is not None:
            functions[name] = function
        else:
            print(f"{PART}: {name} is left out, since {library} is not installed")
    return functions


def peers(work: Work, rows: Path, quick: bool) -> Iterator[Peer]:
    """Yield all peers for a work, the stock one first."""
    task = work.task(rows)
    choices = list(product(STEPS_PER_EXECUTION, JIT_COMPILE))
    choices = choices[2:4] if quick else choices
    options = best_options(task, choices)
    note = f"{', '.join(f'{name}={value}' for name, value in options.items())}: the best of {len(choices)}"
    yield Training(STOCK, "training.model_fit", task)
    yield Training(TUNED, "training.model_fit", task | {"compile": options}, note=note)
    for name, function in side_by_side().items():
        threads = 1 if name == WORKER else None
        yield from (Training(name, function, task, seeds, threads=threads) for seeds in work.seeds)
    if not work.model.dropout:  # which scikit-learn does not have
        yield Training(SCIKIT, "training.mlp_classifier", task)
    yield Training(FLOOR, "floor.matrix_products", task)


def run(quick: bool) -> list[Record]:
    """Measure all peers on every work."""
    records = []
    for work in WORKS:
        work = work.quick if quick else work
        with tempfile.TemporaryDirectory() as folder:
            rows = write_rows(work, Path(folder))
            records += measure(PART, work.name, "s", peers(work, rows, quick), 1 if quick else REPETITIONS)
    return records
