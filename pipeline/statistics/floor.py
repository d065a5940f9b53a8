"""The floor: what can be said of new rows by someone who knows nothing of their features."""

import numpy as np


def knowing_nothing(labels: np.ndarray, classes: int | None) -> np.ndarray:
    """Return what each seed predicts for every row if it knows its training targets alone.

    Args:
        labels: the targets that each seed trains on, `[R, k]`: class indices, or standardized numbers.
        classes: how many there are; None for numbers.

    Returns:
        For classes the logarithms of their shares, with one more row in each class so that none is 0 (Laplace's rule),
        `[R, classes]`; else the means, `[R, 1]`.
    """
    if classes is None:
        return labels.mean(axis=1, keepdims=True)
    counts = np.stack([np.bincount(row, minlength=classes) + 1 for row in labels])
    return np.log(counts / counts.sum(axis=1, keepdims=True))
