"""The piecewise-linear encoding of the inputs (Gorishniy, Rubachev and Babenko 2022), as weights of a plain layer.

A feature becomes units, one for each of its bins: 0 below the bin, 1 above it, and between its edges the share of the
way. The edges are quantiles of the training rows. In the paper the first bin has no end below and the last none above;
here they end at the least and the greatest training value, so that a ReLU with a greatest value of 1 does for all.
"""

import numpy as np

LAYER = "encoding"  # the name of the layer, whose weights are not trained
# Narrower bins, relative to their edges or in themselves, are left out: float32 must resolve a bin, and its slope must
# be finite.
NARROWEST, LEAST_WIDTH = 1e-6, 1e-30


def encoding_weights(x: np.ndarray, bins: int, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Return the weights of the encoding by path, each float32 `[bins, n_features]`.

    A bin whose two edges are one value has no width, and its unit is always 0. So a feature of two values uses one
    unit, which is 0 at the lower and 1 at the higher value, and a constant feature uses none.

    Args:
        x: the training rows, `[n, n_features]`.
        weights: of these rows, `[n]`; None for equal ones.
    """
    # By "inverted_cdf" each edge is a value that occurs: one between the two values of a feature would waste a unit.
    edges = np.quantile(x, np.linspace(0, 1, bins + 1), axis=0, method="inverted_cdf", weights=weights).astype(float)
    lower, upper = edges[:-1], edges[1:]
    least = np.maximum(NARROWEST * np.maximum(abs(lower), abs(upper)), LEAST_WIDTH)
    slopes = np.divide(1, upper - lower, out=np.zeros_like(lower), where=upper - lower > least)
    return {f"{LAYER}/kernel": slopes.astype(np.float32), f"{LAYER}/bias": (-lower * slopes).astype(np.float32)}
