"""A worker process of a study: trains the jobs that it is given and keeps their results."""

# ruff: noqa: E402 (the process is configured before anything imports TensorFlow)
from pipeline.training.fast.process import compile_for, configure

configure()

import multiprocessing
import os
import signal
import threading
import time
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np

from experiments.study.jobs import Job, Result, write_result
from experiments.study.rows import Rows, read_rows
from pipeline.data.splits import read_summary
from pipeline.training.fitted import Fitted
from pipeline.training.predict import predict
from pipeline.training.structure import together
from pipeline.training.trainer import fit_together

# More configurations in a graph gain little, and a study that is interrupted loses those that are not finished.
AT_ONCE = 6

_rows: Rows
_seeds: list[int]


def begin(seeds: list[int], epochs: int) -> None:
    """Read the rows, once for all jobs of this process; `epochs` are those of most of them."""
    global _rows, _seeds
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the study, which ends its workers
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    _rows, _seeds = read_rows(seeds, read_summary()), seeds
    compile_for(_rows.train.shape[1] * epochs)


def _end_with(study: BaseProcess) -> None:
    # A pool's worker waits for jobs for ever when the study is killed.
    study.join()
    os._exit(1)


def work(jobs: list[tuple[Job, Path]]) -> None:
    """Train jobs that share a graph, side by side where they can be."""
    paths = dict(jobs)
    for group in side_by_side(list(paths)):
        for job, result in zip(group, train(group, _rows, _seeds), strict=True):
            write_result(paths[job], result)


def side_by_side(jobs: list[Job]) -> list[list[Job]]:
    """Return the jobs in groups that train together."""
    groups: dict[object, list[Job]] = {}
    for job in jobs:
        groups.setdefault((job.rows, job.labels, *together(job.model, job.train)), []).append(job)
    return [group[start : start + AT_ONCE] for group in groups.values() for start in range(0, len(group), AT_ONCE)]


def train(jobs: list[Job], rows: Rows, seeds: list[int]) -> list[Result]:
    """Train jobs side by side, and score every row by the seeds that held it out."""
    began = time.perf_counter()
    configurations = [(job.model, job.train) for job in jobs]
    fitted = fit_together(rows.examples(jobs[0].rows, jobs[0].labels), configurations, seeds)
    results = [_result(job, rows, of_job) for job, of_job in zip(jobs, fitted, strict=True)]
    seconds = (time.perf_counter() - began) / len(jobs)
    return [replace(result, seconds=seconds) for result in results]


def _result(job: Job, rows: Rows, fitted: Fitted) -> Result:
    assert fitted.by_holdout is not None  # every seed of a ring holds out two folds
    by_role = [fitted, fitted.by_holdout]
    sound = np.stack([chosen.sound for chosen in by_role])
    row_scores: dict[str, np.ndarray] = {}
    for role, chosen in enumerate(by_role):
        for name, values in _scored(job, rows, role, chosen.weights, sound[role]).items():
            row_scores.setdefault(name, np.full(rows.ring.judges.shape, np.nan, np.float32))[:, role] = values
    if job.train.schedule.name == "plateau":  # the second fold has cut the learning rate, so it can judge nothing
        for values in row_scores.values():
            values[:, 1] = np.nan
    return Result(
        fitted=fitted,
        row_scores=row_scores,
        sound=sound,
        seconds=0.0,
    )


def _scored(
    job: Job, rows: Rows, role: int, weights: dict[str, np.ndarray], sound: np.ndarray
) -> dict[str, np.ndarray]:
    """Score the rows that each seed holds out in a role, `[rings, n]`; NaN for the others."""
    held_out = rows.held_out(role)
    most = max(len(part) for part in held_out)
    padded = np.stack([np.resize(part, most) for part in held_out])  # folds differ in size; what is added is left out
    outputs = predict(job.model, rows.problem, weights, rows.x[padded])
    outputs = np.where(sound[:, None, None], outputs, rows.knowing_nothing(job.rows)[:, None])
    by_row: dict[str, np.ndarray] = {}
    for name, values in rows.score(outputs, padded).items():
        by_row[name] = np.full(rows.ring.fold.shape, np.nan)
        for seed, part in enumerate(held_out):
            by_row[name][seed // rows.ring.folds, part] = values[seed, : len(part)]
    return by_row
