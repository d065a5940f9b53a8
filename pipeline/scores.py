"""What is reported of predictions, and how sure it is.

Logits and labels of R seeds in, one number a seed out; the functions for classes take logits `[R, n, classes]` and
class indices `[n]`, those for regression take predictions and targets `[R, n]` and `[n]`.
"""

from collections.abc import Callable

import numpy as np
from scipy import special, stats

Interval = dict[str, float | None]

CONFIDENCE = 0.95
RESAMPLES = 200  # enough for a standard error


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean negative log-likelihood of the true class, in nats, `[R]`."""
    log_likelihood = special.log_softmax(logits.astype(np.float64), axis=-1)
    return -np.take_along_axis(log_likelihood, labels[None, :, None], axis=-1)[..., 0].mean(axis=-1)


def accuracy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Share of rows whose most likely class is the true one, `[R]`."""
    return (logits.argmax(axis=-1) == labels).mean(axis=-1)


def rmse(predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Root mean squared error, in the target's unit, `[R]`."""
    return np.sqrt(np.square(predictions.astype(np.float64) - targets).mean(axis=-1))


def r2(predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Share of the targets' variance that is explained, `[R]`; NaN where the targets do not vary."""
    variance = targets.astype(np.float64).var()
    return 1 - np.square(rmse(predictions, targets)) / (variance if variance > 0 else np.nan)


METRICS = {
    "classification": {"cross_entropy": cross_entropy, "accuracy": accuracy},
    "regression": {"rmse": rmse, "r2": r2},
}
HIGHER_IS_BETTER = {"accuracy", "r2"}


def gap(metric: str, train: np.ndarray, validation: np.ndarray) -> np.ndarray:
    """How much worse the metric is on validation than on training rows: above 0 for worse, whichever way it points."""
    return train - validation if metric in HIGHER_IS_BETTER else validation - train


def interval(values: np.ndarray, overlap: float = 0.0) -> Interval:
    """The mean over seeds and its 95 % interval: Student's t, so normal scores are assumed; seeds without one left out.

    Args:
        overlap: rows that judge, divided by those that train, where each seed has a split of its own: seeds then share
            rows, and differ less from each other than from the truth (Nadeau and Bengio 2003). 0 for one split.

    `low` and `high` are None for fewer than two seeds, all three for none.

    Raises:
        ValueError: overlap is not a number from 0.
    """
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return {"mean": None, "low": None, "high": None}
    mean = float(values.mean())
    if len(values) == 1:
        return {"mean": mean, "low": None, "high": None}
    error = standard_error(values, overlap)
    if error == 0:
        mean = float(values[0])  # whose mean may be rounded
    half = error * stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)
    return {"mean": mean, "low": float(mean - half), "high": float(mean + half)}


def interval_on_new_rows(
    metric: Callable[[np.ndarray, np.ndarray], np.ndarray], outputs: np.ndarray, actual: np.ndarray
) -> Interval:
    """The mean over seeds with a 95 % interval for other seeds and other rows of the kind: both are samples.

    The variances of the mean over seeds and over rows (bootstrap) are added, which errs on the wide side (Owen 2007);
    degrees of freedom by Welch and Satterthwaite.

    Args:
        metric: one of `METRICS`; outputs and actual values are as it takes them. Seeds with a NaN are left out.

    `low` and `high` are None for fewer than two rows, all three without a seed.
    """
    outputs = outputs[np.isfinite(outputs).all(axis=tuple(range(1, outputs.ndim)))]
    if len(outputs) == 0:
        return {"mean": None, "low": None, "high": None}
    by_seed = metric(outputs, actual)
    mean = float(by_seed.mean())
    if len(actual) < 2 or not np.isfinite(mean):
        return {"mean": mean if np.isfinite(mean) else None, "low": None, "high": None}
    over_rows = stats.bootstrap(
        (np.arange(len(actual)),),
        lambda rows: metric(outputs[:, rows], actual[rows]).mean(),
        n_resamples=RESAMPLES,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(0),
    ).standard_error
    variances = np.square([over_rows, standard_error(by_seed) if len(by_seed) > 1 else 0.0])
    if not variances.any():
        return {"mean": mean, "low": mean, "high": mean}
    freedom = variances.sum() ** 2 / (variances**2 / [len(actual) - 1, max(1, len(by_seed) - 1)]).sum()
    half = np.sqrt(variances.sum()) * stats.t.ppf((1 + CONFIDENCE) / 2, freedom)
    return {"mean": mean, "low": float(mean - half), "high": float(mean + half)}


def standard_error(values: np.ndarray, overlap: float = 0.0) -> float:
    """Of the mean of J finite values, 2 or more: sqrt(s^2 (1/J + overlap)), see `interval`; 0 if all are equal."""
    if not 0 <= overlap < np.inf:
        raise ValueError(f"overlap must be a number from 0, got {overlap!r}")
    if np.ptp(values) == 0:  # where the variance may be a rounding error above 0
        return 0.0
    return float(np.std(values, ddof=1) * np.sqrt(1 / len(values) + overlap))


def spread(values: np.ndarray) -> float | None:
    """Standard deviation over seeds; None for fewer than two."""
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    return float(values.std(ddof=1)) if len(values) > 1 else None
