"""Scores of predictions: of each row, metrics over rows, and their intervals.

The outputs of R seeds are logits `[R, n, classes]` or, for regression, numbers `[R, n]`; the actual class indices or
numbers are `[n]` or `[R, n]`.
"""

from dataclasses import replace
from typing import Literal, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special

from pipeline.statistics.intervals import (
    Estimate,
    Interval,
    above_0,
    bounded_share,
    crossed,
    finite,
    on_logit_scale,
    over_seeds,
)
from pipeline.statistics.metrics import BETTER_ABOVE, further_by_seed
from pipeline.statistics.weights import average, variance

Task = Literal["classification", "regression"]
Means = TypeVar("Means", float, np.ndarray)
Scores = TypeVar("Scores", float, np.ndarray, pd.Series)

# The loss and the score of each task, as they are reported.
METRICS: dict[Task, tuple[str, str]] = {"classification": ("cross_entropy", "accuracy"), "regression": ("rmse", "r2")}
# The scores of rows whose means give the metrics; the Brier score is reported beside the cross-entropy, and the mean
# absolute error beside the RMSE.
ROW_SCORES: dict[Task, tuple[str, ...]] = {
    "classification": ("cross_entropy", "accuracy", "brier"),
    "regression": ("squared_error", "mae"),
}
HIGHER_IS_BETTER = {"accuracy", "r2", *BETTER_ABOVE}


def by_row(task: Task, outputs: np.ndarray, actual: np.ndarray) -> dict[str, np.ndarray]:
    """Score every row, `[R, n]` for each of `ROW_SCORES`.

    Cross-entropy is the negative log-likelihood of the true class, in nats; accuracy is 1 where the most likely class
    is the true one, else 0; the Brier score is the squared distance of the probabilities to the true class (Brier
    1950), from 0 to 2. The squared error is in the square of the target's unit, the absolute one in the unit itself.
    """
    outputs = outputs.astype(np.float64)
    if task == "regression":
        errors = outputs - actual
        return {"squared_error": np.square(errors), "mae": np.abs(errors)}
    shape = np.broadcast_shapes(outputs.shape[:-1], actual.shape)
    actual, log_p = np.broadcast_to(actual, shape), special.log_softmax(outputs, axis=-1)
    outputs, log_p = (np.broadcast_to(array, (*shape, outputs.shape[-1])) for array in (outputs, log_p))
    cross_entropy = -np.take_along_axis(log_p, actual[..., None], axis=-1)[..., 0]
    hits = (outputs.argmax(axis=-1) == actual).astype(float)
    brier = 1 - 2 * np.exp(-cross_entropy) + np.exp(2 * log_p).sum(axis=-1)
    return {"cross_entropy": cross_entropy, "accuracy": hits, "brier": np.where(np.isnan(log_p).any(-1), np.nan, brier)}


def row_score_of(metric: str) -> str:
    """Return the name of the row score whose mean gives the metric."""
    return "squared_error" if metric in METRICS["regression"] else metric


def from_mean(metric: str, mean: Means, variance: float = np.nan) -> Means:
    """Return the metric for a mean of its row scores.

    Args:
        variance: variance of the actual values, for R2.
    """
    if metric == "rmse":
        return np.sqrt(mean)
    return 1 - mean / variance if metric == "r2" else mean


def interval_of(metric: str, estimate: Estimate, variance: float = np.nan) -> Interval:
    """Return the interval of a metric, within its bounds, from the estimate of the mean of its row scores.

    Shares, such as the accuracy, stay within [0, 1], losses above 0, and R2, whose targets' variance is taken as known,
    below 1.
    """
    if metric == "accuracy":
        return bounded_share(estimate)
    if metric in BETTER_ABOVE or metric == "calibration_error":
        return on_logit_scale(estimate)
    inner = above_0(estimate)
    if metric != "r2":
        return Interval(*(None if value is None else float(from_mean(metric, value)) for value in vars(inner).values()))
    if not variance > 0:
        return Interval()
    low, high = (None if end is None else 1 - end / variance for end in (inner.high, inner.low))
    return Interval(1 - estimate.mean / variance, low, high)


def interval_on_rows(
    metric: str,
    task: Task,
    outputs: np.ndarray,
    actual: np.ndarray,
    weights: np.ndarray | None = None,
    blocks: np.ndarray | None = None,
) -> Interval:
    """Return a metric's mean over seeds with a 95 % interval that treats seeds and rows as samples.

    Seeds whose outputs are not finite are left out; if none is left, the interval is unknown.

    Args:
        weights: of the rows, `[n]`; None for equal ones.
        blocks: see `intervals.crossed`.
    """
    outputs = outputs[np.isfinite(outputs).all(axis=tuple(range(1, outputs.ndim)))]
    if not len(outputs):
        return Interval()
    rows = by_row(task, outputs, actual)[row_score_of(metric)]
    return interval_of(metric, crossed(rows, weights, blocks), variance(actual.astype(np.float64), weights))


def further_on_rows(
    task: Task,
    outputs: np.ndarray,
    actual: np.ndarray,
    weights: np.ndarray | None = None,
    blocks: np.ndarray | None = None,
) -> dict[str, Interval]:
    """Return the further scores that are defined, with 95 % intervals that treat seeds and rows as samples.

    Args: see `metrics.further_by_seed` and `intervals.crossed`; seeds whose outputs are not finite are left out.
    """
    outputs = outputs[np.isfinite(outputs).all(axis=tuple(range(1, outputs.ndim)))]
    if not len(outputs):
        return {}
    rarest = int(np.bincount(actual).min()) if task == "classification" else len(actual)
    further = further_by_seed(task, outputs, actual, weights)
    estimates = {name: crossed(rows, weights, blocks) for name, rows in further.items()}
    # A score of 1 is known no better than the rarest class allows.
    return {
        name: interval_of(name, replace(estimate, n=max(1, min(rarest, estimate.n))))
        for name, estimate in estimates.items()
    }


def intervals_on_rows(
    task: Task,
    outputs: np.ndarray,
    actual: np.ndarray,
    weights: np.ndarray | None = None,
    blocks: np.ndarray | None = None,
) -> dict[str, Interval]:
    """Return the metrics of a task and its further scores, see `interval_on_rows` and `further_on_rows`."""
    metrics = {name: interval_on_rows(name, task, outputs, actual, weights, blocks) for name in METRICS[task]}
    return metrics | further_on_rows(task, outputs, actual, weights, blocks)


def interval_over_seeds(metric: str, values: ArrayLike, n: int) -> Interval:
    """Return the mean of a metric over seeds, `[R]`, with its interval over seeds, within the metric's bounds.

    Args:
        n: the number of rows that each seed is scored on.
    """
    known = finite(values)
    if len(known) < 2:
        return over_seeds(known)
    row_scores = {"rmse": np.square(known), "r2": 1 - known}.get(metric, known)
    variance = float(row_scores.var(ddof=1) / len(known))
    return interval_of(metric, Estimate(float(row_scores.mean()), 0.0, variance, len(known) - 1.0, n), 1.0)


def score_seeds(
    metric: str, task: Task, outputs: np.ndarray, actual: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Score each seed by a metric or a further score, `[R]`; NaN where it is not defined, as R2 of equal targets.

    Args:
        weights: of the rows, `[n]`; None for equal ones.
    """
    if row_score_of(metric) not in ROW_SCORES[task]:
        further = further_by_seed(task, outputs, actual, weights, [metric])
        return average(further[metric], weights) if metric in further else np.full(len(outputs), np.nan)
    mean = average(by_row(task, outputs, actual)[row_score_of(metric)], weights)
    return from_mean(metric, mean, variance(actual.astype(np.float64), weights) or np.nan)


def gap(metric: str, train: Scores, validation: Scores) -> Scores:
    """Return how much worse the metric is on validation than on training rows; above 0 is worse for every metric."""
    return train - validation if metric in HIGHER_IS_BETTER else validation - train


def spread(values: ArrayLike) -> float | None:
    """Return the standard deviation over seeds; None for fewer than two."""
    known = finite(values)
    return float(known.std(ddof=1)) if len(known) > 1 else None
