"""Benchmark of the peak memory in MB, of the whole process, of training the textbook model on MNIST."""

import tempfile
from pathlib import Path
from typing import Any

from experiments.benchmarks.epochs import OURS, STOCK, Training
from experiments.benchmarks.peers import measure
from experiments.benchmarks.records import Measured, Record
from experiments.benchmarks.works import TEXTBOOK, write_rows

PART, REPETITIONS = "memory", 3
SEEDS = (1, 10, 30)


def peak(answer: dict[str, Any], seeds: int) -> Measured:
    """Return the memory of all seeds together."""
    return Measured([answer["peak"]], accuracy=answer["accuracy"])


def run(quick: bool) -> list[Record]:
    """Measure `Model.fit`, and the trainer with several numbers of seeds."""
    work = TEXTBOOK.quick if quick else TEXTBOOK
    with tempfile.TemporaryDirectory() as folder:
        task = work.task(write_rows(work, Path(folder)))
        peers = [
            Training(STOCK, "training.model_fit", task, read=peak),
            *(Training(OURS, "training.trainer", task, seeds, read=peak) for seeds in SEEDS),
        ]
        return measure(PART, work.name, "MB", peers, 1 if quick else REPETITIONS)
