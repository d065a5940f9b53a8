"""Measurement of the time that a study's trainings spend in tracing and compiling graphs, from outside.

The trainings go through `trainer.fit` in processes like the study's workers: trainings that can share a graph are in
the same process, with a worker's part of the cores. A callback takes the time at the end of each epoch; the first epoch
begins with the call of `fit`. An epoch that takes much longer than the median of its training has built, traced or
compiled something.
"""

import time
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from experiments.study.rows import Labels, read_rows

# In seconds over the median. Tracing and compiling a graph takes longer, and epochs on digits vary less.
LEAST = 0.1
LABELS: dict[str, Labels] = {"": "true", "shuffled labels": "shuffled"}


def over_median(epochs: list[float], least: float = LEAST) -> list[float]:
    """Return the seconds over the median of all epochs that exceed it by more than `least`."""
    middle = median(epochs)
    return [seconds - middle for seconds in epochs if seconds - middle > least]


def _stamp(stamps: list[float], _: object) -> None:
    stamps.append(time.perf_counter())


def graphs(task: dict[str, Any]) -> dict[str, float]:
    """Train in a process of its own; return the seconds of all trainings and of graphs, and the number of graphs."""
    from pipeline.data.splits import read_summary
    from pipeline.settings import Model, Train
    from pipeline.training.trainer import fit

    rows, seeds = read_rows(task["seeds"], read_summary()), task["seeds"]
    seconds, excesses = 0.0, []
    for training in task["trainings"]:
        model, train = Model.model_validate(training["model"]), Train.model_validate(training["train"])
        examples = rows.examples(training["rows"], LABELS.get(training["labels"], "wrong"))
        stamps = [time.perf_counter()]
        fit(examples, model, train, seeds, [partial(_stamp, stamps)])
        seconds += time.perf_counter() - stamps[0]
        excesses += over_median(np.diff(stamps).tolist())
    return {"seconds": seconds, "graphs": sum(excesses), "compiled": len(excesses)}
