"""A worker process of a study: trains the jobs that it is given and keeps their results."""

import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

from experiments.study_data import Rows, read_rows
from experiments.study_jobs import Job, Result, write_result
from pipeline.params import Study
from pipeline.splits import read_summary
from pipeline.trainer import fit

_state: dict[str, object] = {}


def begin(study: Study, seeds: list[int]) -> None:
    """Read the rows, once for all jobs of this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the study, which ends its workers
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    _state.update(rows=read_rows(study, seeds, read_summary()), seeds=seeds)


def _end_with(study: BaseProcess) -> None:
    # A pool's worker waits for jobs for ever when the study is killed.
    study.join()
    os._exit(1)


def work(jobs: list[tuple[Job, Path]]) -> None:
    """Train jobs one after another; those that share a graph come together."""
    for job, path in jobs:
        write_result(path, train(job, _state["rows"], _state["seeds"]))


def train(job: Job, rows: Rows, seeds: list[int]) -> Result:
    """Train one job."""
    began = time.perf_counter()
    fitted = fit(rows.examples(job.rows, job.labels), job.model, job.train, seeds)
    seconds = time.perf_counter() - began
    return Result(fitted.history, fitted.best_epoch, fitted.diverged, fitted.weights, seconds)
