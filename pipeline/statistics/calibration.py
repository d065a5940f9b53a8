"""Calibration of probabilities: one temperature for all logits, fitted on rows that it does not judge."""

import numpy as np
from scipy import optimize, special

LARGEST = np.log(100.0)  # a temperature lies between 0.01 and 100


def temperature(logits: np.ndarray, actual: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return the temperature that makes the cross-entropy of logits / temperature lowest (Guo et al. 2017).

    Above 1 the logits are too confident.

    Args:
        logits: `[n, classes]`.
        actual: class indices, `[n]`.
        weights: of the rows, `[n]`; None for equal ones.
    """
    rows = np.arange(len(actual))

    def cross_entropy(log_temperature: float) -> float:
        log_p = special.log_softmax(logits / np.exp(log_temperature), axis=-1)
        return float(-np.average(log_p[rows, actual], weights=weights))

    found = optimize.minimize_scalar(cross_entropy, bounds=(-LARGEST, LARGEST), method="bounded")
    return float(np.exp(found.x))
