"""The inside of a study's worker: trains jobs, and scores every row by the seeds that held it out."""

import time
from dataclasses import replace

import numpy as np

from experiments.engine.abandoned import ends_when_abandoned
from experiments.study.jobs import Job, Result
from experiments.study.outputs import held_out_outputs
from experiments.study.rows import Rows
from pipeline.training.fitted import Chosen, Fitted
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
    sound = np.stack([chosen.sound for chosen in (fitted, fitted.by_holdout)])
    outputs = held_out_outputs(job.model, rows, fitted, job.rows)
    row_scores = {name: values.astype(np.float32) for name, values in rows.score_held_out(outputs).items()}
    if job.train.schedule.name == "plateau":  # the second fold has cut the learning rate, so it can judge nothing
        for values in row_scores.values():
            values[:, 1] = np.nan
    return Result(fitted=fitted, row_scores=row_scores, sound=sound, seconds=0.0)
