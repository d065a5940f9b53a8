"""The inside of a study's worker: trains jobs, and scores every row by the seeds that held it out."""

import time
from dataclasses import replace

import numpy as np

from experiments.engine.abandoned import ends_when_abandoned
from experiments.study.jobs import Job, Result
from experiments.study.rows import Rows
from pipeline.training.fitted import Chosen, Fitted
from pipeline.training.predict import predict
from pipeline.training.trainer import fit_together


def train(jobs: list[Job], rows: Rows, seeds: list[int]) -> list[Result]:
    """Train jobs side by side, and score every row by the seeds that held it out."""
    began = time.perf_counter()
    configurations = [(job.model, job.train) for job in jobs]
    ends = [ends_when_abandoned] * len(jobs)
    fitted = fit_together(rows.examples(jobs[0].rows, jobs[0].labels), configurations, seeds, ends)
    results = [_result(job, rows, of_job) for job, of_job in zip(jobs, fitted, strict=True)]
    seconds = (time.perf_counter() - began) / len(jobs)
    return [replace(result, seconds=seconds) for result in results]


def _result(job: Job, rows: Rows, fitted: Fitted) -> Result:
    if rows.ring.is_in_time:  # the later fold has no say in what the earlier one, which only chooses, scores
        fitted = replace(fitted, by_holdout=Chosen(fitted.weights, fitted.best_epoch))
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
            by_row[name][seed // rows.ring.turns, part] = values[seed, : len(part)]
    return by_row
