"""Further scores, each as a value of every row whose mean is the score and whose variance tells its error.

A score such as the area under the ROC curve is no mean over rows, but a smooth function of their distribution. The
value of a row is the score plus the row's influence on it. Influences have the mean 0, so the mean of the values is the
score, and their variance over n is its variance for other rows: the infinitesimal jackknife (Efron 1982). For the area
under the ROC curve the values are the structural components of DeLong, DeLong and Clarke-Pearson (1988). So whatever
estimates and compares means of row scores (`intervals.crossed`, `comparisons.estimates`) does so for these scores too.
"""

from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np
from scipy import special

# The further scores of each task, reported beside those of `scores.METRICS`; and which of them are better above.
FURTHER = {
    "classification": ("balanced_accuracy", "f1", "roc_auc", "average_precision", "brier", "calibration_error"),
    "regression": ("mae",),
}
BETTER_ABOVE = {"balanced_accuracy", "f1", "roc_auc", "average_precision"}
OF_CLASS = ("precision", "recall", "f1")  # the scores of a single class
BINS = 15  # of the calibration error, of as many rows each


def further_rows(
    probabilities: np.ndarray,
    actual: np.ndarray,
    weights: np.ndarray | None = None,
    predicted: np.ndarray | None = None,
    names: Iterable[str] = FURTHER["classification"],
) -> dict[str, np.ndarray]:
    """Return further scores of a classification as values of rows, `[n]`.

    Balanced accuracy and F1 are means over the classes. So are the area under the ROC curve and the average precision,
    of each class against the rest; with two classes they are those of the second. A class without rows, or without
    other rows, is left out of these means. The Brier score is the squared distance to the true class, from 0 to 2. The
    calibration error is the mean distance between the probability of the predicted class and the share that is right,
    in bins of as many rows each (Naeini, Cooper and Hauskrecht 2015).

    Args:
        probabilities: of each class, `[n, classes]`.
        actual: class indices, `[n]`.
        weights: of the rows, `[n]`; None for equal ones.
        predicted: the classes that are said, `[n]`; None for the most likely ones.
        names: of the scores.
    """
    n, classes = probabilities.shape
    shares = _shares(n, weights)
    said = probabilities.argmax(axis=1) if predicted is None else predicted
    truth = actual[:, None] == np.arange(classes)
    present = [k for k in range(classes) if truth[:, k].any()]
    sided = [k for k in present if not truth[:, k].all()]
    positive = sided[-1:] if classes == 2 else sided
    hits = (said == actual).astype(float)
    in_question = [k for k in range(classes) if truth[:, k].any() or (said == k).any()]
    confidence = np.take_along_axis(probabilities, said[:, None], 1)[:, 0]
    scores: dict[str, Callable[[], np.ndarray]] = {
        "balanced_accuracy": lambda: _mean([_ratio(hits * truth[:, k], truth[:, k], shares) for k in present], n),
        "f1": lambda: _mean([_f1(said == k, truth[:, k], shares) for k in in_question], n),
        "roc_auc": lambda: _mean([_roc_auc(probabilities[:, k], truth[:, k], shares) for k in positive], n),
        "average_precision": lambda: _mean(
            [_average_precision(probabilities[:, k], truth[:, k], shares) for k in positive], n
        ),
        "brier": lambda: np.square(probabilities - truth).sum(axis=1),
        "calibration_error": lambda: _calibration_error(confidence, hits, shares),
    }
    return {name: scores[name]() for name in names}


def class_rows(
    said: np.ndarray, actual: np.ndarray, k: int, weights: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Return each of `OF_CLASS` for one class as values of rows, `[n]`; NaN where there is nothing to divide by.

    Args:
        said, actual: class indices, `[n]`.
        k: the class.
        weights: of the rows, `[n]`; None for equal ones.
    """
    shares, is_said, truth = _shares(len(actual), weights), said == k, actual == k
    hits, unknown = (is_said & truth).astype(float), np.full(len(actual), np.nan)
    return {
        "precision": _ratio(hits, is_said, shares) if is_said.any() else unknown,
        "recall": _ratio(hits, truth, shares) if truth.any() else unknown,
        "f1": _f1(is_said, truth, shares) if (is_said | truth).any() else unknown,
    }


def further_by_seed(
    task: Literal["classification", "regression"],
    outputs: np.ndarray,
    actual: np.ndarray,
    weights: np.ndarray | None = None,
    names: Iterable[str] | None = None,
) -> dict[str, np.ndarray]:
    """Return further scores as values of rows for every seed, `[R, n]`; without those that are not defined.

    Args:
        outputs: logits `[R, n, classes]`, or numbers `[R, n]`.
        actual: class indices, or numbers, `[n]`.
        weights: of the rows, `[n]`; None for equal ones.
        names: of the scores; None for all of the task.
    """
    names = FURTHER[task] if names is None else names
    if task == "regression":
        return {"mae": np.abs(outputs.astype(np.float64) - actual)}
    probabilities = special.softmax(outputs.astype(np.float64), axis=-1)
    by_seed = [further_rows(of_seed, actual, weights, names=names) for of_seed in probabilities]
    values = {name: np.stack([of_seed[name] for of_seed in by_seed]) for name in names}
    return {name: of_rows for name, of_rows in values.items() if np.isfinite(of_rows).all()}


def _shares(n: int, weights: np.ndarray | None) -> np.ndarray:
    return np.full(n, 1 / n) if weights is None else weights / weights.sum(dtype=float)


def _mean(parts: list[np.ndarray], n: int) -> np.ndarray:
    return np.mean(parts, axis=0) if parts else np.full(n, np.nan)


def _ratio(above: np.ndarray, below: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the values of a ratio of two means: r + (a_i - r b_i) / mean(b)."""
    mean = float(shares @ below)
    ratio = float(shares @ above) / mean
    return ratio + (above - ratio * below) / mean


def _f1(said: np.ndarray, truth: np.ndarray, shares: np.ndarray) -> np.ndarray:
    return _ratio(2.0 * (said & truth), said.astype(float) + truth, shares)


def _roc_auc(scores: np.ndarray, truth: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the values of the probability that a positive row scores more than a negative one, ties counting half."""
    positive, negative = float(shares @ truth), float(shares @ ~truth)
    below = _share_below(scores, np.where(truth, 0.0, shares)) / negative  # of the negative rows, for each row
    above = 1 - _share_below(scores, np.where(truth, shares, 0.0)) / positive  # of the positive rows
    area = float(shares @ np.where(truth, below, 0.0)) / positive
    return area + np.where(truth, (below - area) / positive, (above - area) / negative)


def _share_below(scores: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return for each row the sum of the shares of rows with a lower score, and half of those with the same."""
    _, place = np.unique(scores, return_inverse=True)
    at = np.bincount(place, shares)
    return (np.cumsum(at) - at / 2)[place]


def _average_precision(scores: np.ndarray, truth: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the values of the mean precision over the positive rows, each at its own score as the threshold.

    With A(s) and B(s) the shares of positive and of all rows that score s or more, p that of the positive ones and T
    the result, the influence of a row with the score s and truth y is (y (A/B + G - T) - H) / p, where G(s) and H(s)
    are the sums of 1/B and A/B^2 over the shares of positive rows that score s or less.
    """
    _, place = np.unique(scores, return_inverse=True)
    positives, all_rows = np.bincount(place, shares * truth), np.bincount(place, shares)
    a, b = (np.cumsum(at[::-1])[::-1] for at in (positives, all_rows))
    precision, share = a / b, float(positives.sum())
    score = float(positives @ precision) / share
    g, h = np.cumsum(positives / b), np.cumsum(positives * precision / b)
    return score + (truth * (precision + g - score)[place] - h[place]) / share


def _calibration_error(confidence: np.ndarray, hits: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the values sign_b (confidence - hit), with the sign that the mean of the row's bin has."""
    over = confidence - hits
    signs = np.empty(len(over))
    for rows in np.array_split(np.argsort(confidence, kind="stable"), min(BINS, len(over))):
        signs[rows] = 1.0 if shares[rows] @ over[rows] >= 0 else -1.0
    return signs * over


def further_of_nothing(actual: np.ndarray, weights: np.ndarray | None = None) -> dict[str, float]:
    """Return the further scores of always giving the class shares of these rows, without the calibration error."""
    shares = np.bincount(actual, weights) / (len(actual) if weights is None else weights.sum(dtype=float))
    rows = further_rows(np.broadcast_to(shares, (len(actual), len(shares))), actual, weights)
    means = {name: float(np.average(values, weights=weights)) for name, values in rows.items()}
    return {name: mean for name, mean in means.items() if name != "calibration_error"}


def best_threshold(probability: np.ndarray, actual: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return the threshold of the second class's probability, `[n]`, with the highest balanced accuracy (Youden 1950).

    It lies in the middle between two probabilities. Where a class has no rows it is 0.5.
    """
    if len(np.unique(actual)) < 2:
        return 0.5
    levels, place = np.unique(probability, return_inverse=True)
    shares = np.ones(len(actual)) if weights is None else weights
    second, first = (np.bincount(place, shares * (actual == k), len(levels)) for k in (1, 0))
    # At the threshold levels[i], the rows from there on are said to be of the second class.
    right = second[::-1].cumsum()[::-1] / second.sum() + (first.cumsum() - first) / first.sum()
    best = int(right.argmax())
    return float(levels[best] if best == 0 else (levels[best - 1] + levels[best]) / 2)


def in_bins(levels: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Return the means of both in bins of as many rows each, by level, `[bins, 2]`; see the calibration error."""
    bins = np.array_split(np.argsort(levels, kind="stable"), min(BINS, len(levels)))
    return np.array([[levels[rows].mean(), observed[rows].mean()] for rows in bins])
