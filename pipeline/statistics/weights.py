"""Weighted means of rows as plain means of linearized rows, so that whatever compares means can compare them."""

import numpy as np


def linearized(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return values whose mean over rows is the weighted mean of the values, and whose variance gives its error.

    With m the weighted mean, z_i = m + w_i (s_i - m) / mean(w). The mean of z is m, and its standard error that of a
    ratio estimator (Cochran 1977, Sampling Techniques, chapter 6; Lumley 2010, Complex Surveys). It is linear in the
    values, so a difference of linearized scores is the linearized difference.

    Args:
        values: `[..., n]`; a row counts with the mean of its finite values, and not at all if it has none.
        weights: of the rows, `[n]`, above 0; None for equal ones, which change nothing.
    """
    by_row = over_judges(values)
    counted = np.isfinite(by_row)
    if weights is None or not counted.any():
        return values
    mean = average(by_row[counted], weights[counted])
    return mean + weights / weights[counted].mean(dtype=float) * (values - mean)


def over_judges(values: np.ndarray) -> np.ndarray:
    """Return the mean of values `[..., n]` over all models that a row judges, `[n]`; NaN where there are none."""
    is_finite = np.isfinite(values)
    models = tuple(range(np.ndim(values) - 1))
    counts = is_finite.sum(axis=models)
    return np.where(is_finite, values, 0).sum(axis=models) / np.where(counts, counts, np.nan)


def average(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return the weighted mean over the last axis, `[...]` of `[..., n]`; the plain one without weights."""
    if weights is None:
        return values.mean(axis=-1)
    return np.average(values, axis=-1, weights=np.broadcast_to(weights, values.shape).astype(float))


def variance(values: np.ndarray, weights: np.ndarray | None) -> float:
    """Return the weighted variance of values, `[n]`; the plain one without weights."""
    if weights is None:
        return float(values.var())
    return float(average(np.square(values - average(values, weights)), weights))


def effective_rows(weights: np.ndarray) -> int:
    """Return the number of equal rows that tell as much as weighted ones (Kish 1965): (sum of w)^2 / sum of w^2."""
    return max(1, int(weights.sum(dtype=float) ** 2 / np.square(weights, dtype=float).sum()))
