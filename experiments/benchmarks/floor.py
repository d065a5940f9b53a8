"""A lower bound on the time of training: only the matrix products of it and of validation, in NumPy."""

import os
import time
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from experiments.benchmarks.training import read_rows
from pipeline.settings import Model, Train


def matrix_products(task: dict[str, Any]) -> dict[str, Any]:
    """Time the products of each epoch, with one thread or with all, whichever is faster; see `training`."""
    model, train = Model.model_validate(task["model"]), Train.model_validate(task["train"])
    rows, validation = read_rows(task["rows"])
    sizes = [rows.x.shape[1], *model.hidden_units, int(rows.y.max()) + 1]
    seconds = {}
    for threads in {1, os.cpu_count() or 1}:
        with threadpool_limits(threads, "blas"):
            seconds[threads] = [_epoch(rows.x, validation.x, sizes, train.batch_size) for _ in range(train.epochs)]
    threads = min(seconds, key=lambda threads: median(seconds[threads]))
    blas = next(library for library in threadpool_info() if library["user_api"] == "blas")
    kernel = f"{blas['internal_api']}, kernel {blas.get('architecture')}"
    note = f"{kernel}, {threads} thread{'s' if threads > 1 else ''}"
    return {"epochs": seconds[threads], "note": note}


def _epoch(x: np.ndarray, x_validation: np.ndarray, sizes: list[int], batch: int) -> float:
    kernels = [np.full(shape, 0.01, np.float32) for shape in pairwise(sizes)]
    began = time.perf_counter()
    for start in range(0, len(x), batch):
        _step(x[start : start + batch], kernels)
    _forward(x_validation, kernels)
    return time.perf_counter() - began


def _forward(rows: np.ndarray, kernels: list[np.ndarray]) -> list[np.ndarray]:
    values = [rows]
    for kernel in kernels:
        values.append(values[-1] @ kernel)
    return values


def _step(rows: np.ndarray, kernels: list[np.ndarray]) -> None:
    """Compute the outputs, then the gradient of each kernel and of each layer's inputs except the first layer's."""
    values = _forward(rows, kernels)
    error = values[-1]
    for place in reversed(range(len(kernels))):
        _ = values[place].T @ error
        if place:
            error = error @ kernels[place].T
