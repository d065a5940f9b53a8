"""Transformations of the inputs, as weights of plain layers that come from the training rows.

`robust` is the scaling of RealMLP with a smooth clip (Holzmüller, Grinsztajn and Steinwart 2024): a feature less its
median, over the distance of its quartiles, then x / sqrt(1 + (x / 3)^2), which stays between -3 and 3. `quantile` makes
the distribution of a feature normal, as scikit-learn's `QuantileTransformer` does: the share of the training rows below
a value, linear between quantiles, goes through the inverse of the normal distribution function. The weights are not
trained, and the saved network has them.
"""

from typing import Literal

import numpy as np
from scipy.special import ndtr

from pipeline.settings import Inputs
from pipeline.training.encoding import LAYER as ENCODING

SCALE, SHARE = "inputs", "inputs_share"  # the layers that have weights
UNTRAINED = (ENCODING, SCALE, SHARE)
SMOOTH_CLIP = 3.0
QUANTILES = 65  # of a feature, its least and its greatest value among them
LEAST_SHARE = 1e-7  # shares are clipped to [1e-7, 1 - 1e-7], as in scikit-learn, so that their scores are finite
# A value that fills a bin alone is a step of this width, relative to it. Narrower ones are lost in float32.
STEP, LEAST_STEP = 1e-4, 1e-30


def input_weights(x: np.ndarray, inputs: Inputs, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Return the weights of the layers by path, float32.

    Args:
        x: the training rows, `[n, n_features]`.
        weights: of these rows, `[n]`; None for equal ones.
    """
    layers = _robust(x, weights) if inputs == "robust" else _quantile(x, weights)
    return {
        f"{layer}/{name}": value.astype(np.float32)
        for layer, pair in layers.items()
        for name, value in zip(("kernel", "bias"), pair, strict=True)
    }


Layers = dict[str, tuple[np.ndarray, np.ndarray]]  # kernel and bias by the layer's name


def _robust(x: np.ndarray, weights: np.ndarray | None) -> Layers:
    """Return the scaling; a feature whose quartiles are equal is scaled by half its range, a constant one is 0."""
    low, median, high = _quantiles(x, [0.25, 0.5, 0.75], weights)
    spread, half_range = high - low, np.ptp(x, axis=0).astype(float) / 2
    spread = np.where(spread > 0, spread, half_range)
    scale = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
    return {SCALE: (scale, -median * scale)}


def _quantile(x: np.ndarray, weights: np.ndarray | None) -> Layers:
    """Return the bins between quantiles and their shares.

    A value that several quantiles share is a narrow step around it, as in scikit-learn; the step of the least value
    lies above it, that of the greatest below it. A feature of two values, such as an indicator, stays as it is: its
    values get the shares that the normal distribution function gives them.
    """
    edges = _quantiles(x, np.linspace(0, 1, QUANTILES), weights)
    lower, upper = edges[:-1], edges[1:]
    step = np.maximum(STEP * np.maximum(abs(lower), abs(upper)), LEAST_STEP)
    is_step, is_least, is_greatest = upper - lower < step, upper == edges[0], lower == edges[-1]
    middle = (lower + upper) / 2
    start = np.where(is_least, lower, np.where(is_greatest, upper - step, middle - step / 2))
    start, width = np.where(is_step, start, lower), np.where(is_step, step, upper - lower)
    slopes, shares, first = 1 / width, np.full(width.shape, 1 / len(width)), np.zeros(x.shape[1])
    least, greatest = (end.astype(float) for end in (x.min(axis=0), x.max(axis=0)))
    stays = ((x == least) | (x == greatest)).all(axis=0)
    distance = greatest - least
    slopes[0, stays] = np.divide(1, distance, out=np.zeros_like(distance), where=distance > 0)[stays]
    start[0, stays], shares[:, stays], first[stays] = least[stays], 0, ndtr(least[stays])
    shares[0, stays] = (ndtr(greatest) - ndtr(least))[stays]
    return {SCALE: (slopes, -start * slopes), SHARE: (shares, first)}


def _quantiles(x: np.ndarray, shares: np.ndarray | list[float], weights: np.ndarray | None) -> np.ndarray:
    """Return quantiles of each feature, float64 `[len(shares), n_features]`; of weighted rows, values that occur."""
    method: Literal["linear", "inverted_cdf"] = "linear" if weights is None else "inverted_cdf"
    return np.quantile(x.astype(float), shares, axis=0, method=method, weights=weights)
