"""Precision, recall and F1 of each class on the rows that a study holds out."""

from dataclasses import replace

import numpy as np

from experiments import records as record
from experiments.study.held_out import HeldOut
from pipeline.statistics.comparisons import estimates
from pipeline.statistics.intervals import Interval, on_logit_scale
from pipeline.statistics.metrics import OF_CLASS, class_rows
from pipeline.statistics.weights import average


def class_scores(held_out: HeldOut, outputs: np.ndarray, classes: list[str]) -> list[record.ClassScores]:
    """Return the scores of every class, those of rows of both roles together.

    Args:
        held_out: says which rows judge.
        outputs: of every row by the seeds that hold it out, `[rings, 2, n, classes]`.
    """
    ring, y = held_out.rows.ring, held_out.rows.y
    judged = np.isfinite(outputs).all(axis=-1) & (ring.judges >= 0) & held_out.judging
    some = judged.any(axis=(0, 1))
    if not some.any():
        return []
    said, weights = outputs.argmax(axis=-1), ring.weights
    table = []
    for k, name in enumerate(classes):
        values = {score: np.full(judged.shape, np.nan) for score in OF_CLASS}
        for place in np.ndindex(judged.shape[:2]):
            rows = judged[place]
            of_rows = None if weights is None else weights[rows]
            for score, of_score in (class_rows(said[place][rows], y[rows], k, of_rows) if rows.any() else {}).items():
                values[score][place][rows] = of_score
        count = int((y[some] == k).sum())
        share = float(average(y[some] == k, None if weights is None else weights[some]))
        intervals = {score: _interval(of_score, held_out, count) for score, of_score in values.items()}
        table.append(record.ClassScores(name=name, rows=count, share=share, **intervals))
    return table


def _interval(values: np.ndarray, held_out: HeldOut, count: int) -> Interval:
    if not np.isfinite(values).any():
        return Interval()
    [estimate] = estimates([values], held_out.rows.ring)
    # A score of 1 is known no better than the rows of the class allow.
    return on_logit_scale(replace(estimate, n=min(estimate.n, max(1, count))))
