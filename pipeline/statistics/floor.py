"""The floor: what can be said of new rows by someone who knows nothing of their features."""

import numpy as np

from pipeline.statistics.weights import average


def knowing_nothing(labels: np.ndarray, classes: int | None, weights: np.ndarray | None = None) -> np.ndarray:
    """Return what each seed predicts for every row if it knows its training targets alone.

    Args:
        labels: the targets that each seed trains on, `[R, k]`: class indices, or standardized numbers.
        classes: how many there are; None for numbers.
        weights: of these rows, `[R, k]`, above 0; None for equal ones.

    Returns:
        For classes the logarithms of their shares, with one more row in each class so that none is 0 (Laplace's rule),
        `[R, classes]`; else the means, `[R, 1]`.
    """
    if classes is None:
        return average(labels, weights)[:, None]
    relative = np.ones(labels.shape) if weights is None else weights / weights.mean(axis=1, keepdims=True, dtype=float)
    counts = np.stack([np.bincount(*row, minlength=classes) + 1 for row in zip(labels, relative, strict=True)])
    return np.log(counts / counts.sum(axis=1, keepdims=True))
