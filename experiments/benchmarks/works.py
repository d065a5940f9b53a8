"""The trainings that peers are compared on, and the file of rows that every peer reads."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.load import load
from pipeline.data.prepare import prepare
from pipeline.files import write_arrays
from pipeline.settings import Data, Model, Train

QUICK_ROWS = 2000


@dataclass(frozen=True)
class Work:
    """A training; each turn times `epochs` epochs with validation, after a first one that compiles.

    Attributes:
        seeds: the numbers of seeds that the trainer is measured with.
        rows: the most rows to train on; None for all.
    """

    name: str
    data: Data
    model: Model
    batch_size: int
    epochs: int
    seeds: tuple[int, ...]
    rows: int | None = None

    @property
    def train(self) -> Train:
        """Return the training settings, without scoring of training rows, which no peer does."""
        return Train(batch_size=self.batch_size, epochs=1 + self.epochs, train_score_rows=0)

    @property
    def quick(self) -> "Work":
        """Return the work with few rows, to see that the benchmark runs."""
        return replace(self, epochs=2, seeds=self.seeds[:2], rows=QUICK_ROWS)

    def task(self, rows: Path) -> dict[str, Any]:
        """Return the task for a peer's process; `rows` is the file of `write_rows`."""
        return {"model": self.model.model_dump(), "train": self.train.model_dump(), "rows": str(rows)}


MNIST, DIGITS = Data(source="mnist", val_fraction=1 / 6), Data(source="digits", test_fraction=0.0)
TEXTBOOK = Work("MNIST 784-32-10, batch 128", MNIST, Model(hidden_units=(32,)), 128, 5, (1, 3, 10, 30))
WIDE = Work("MNIST 784-512-512-10, batch 128", MNIST, Model(hidden_units=(512, 512)), 128, 2, (1, 3))
SMALL = Work("digits 64-128-10, batch 32", DIGITS, Model(hidden_units=(128,)), 32, 20, (1, 3, 10, 30))
REGULARIZED = replace(
    SMALL, name=f"{SMALL.name}, dropout and L2", model=Model(hidden_units=(128,), dropout=0.2, l2=1e-4)
)
WORKS = (TEXTBOOK, WIDE, SMALL, REGULARIZED)


def write_rows(work: Work, folder: Path) -> Path:
    """Prepare the work's rows as the stage does, and write the training and the validation part."""
    prepared = prepare(load(work.data), work.data)
    arrays = {
        f"{name}/{axis}": getattr(prepared.splits[name], axis) for name in ("train", "validation") for axis in "xy"
    }
    path = folder / f"{work.data.source}.npz"
    write_arrays(path, {name: np.ascontiguousarray(array[: work.rows]) for name, array in arrays.items()})
    return path
