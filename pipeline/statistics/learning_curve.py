"""Prediction of the loss with more rows, by a power law through the losses at several numbers of training rows."""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from pipeline.statistics.intervals import CONFIDENCE, Interval

FEWEST_SIZES = 3  # a power law with a floor has three parameters
STEEPEST = 2.0
RESAMPLES = 2000


@dataclass(frozen=True)
class PowerLaw:
    """The law loss(n) = floor + scale * n ** -exponent (Hestness et al. 2017, Deep Learning Scaling is Predictable)."""

    floor: float
    scale: float
    exponent: float

    def predict(self, n: float | np.ndarray) -> float | np.ndarray:
        """Return the mean loss with n training rows."""
        return self.floor + self.scale * np.asarray(n, np.float64)[()] ** -self.exponent


def fit_power_law(sizes: np.ndarray, losses: np.ndarray) -> PowerLaw | None:
    """Fit the mean over seeds of the losses `[R, S]` at `sizes` `[S]`, by least squares of the relative errors.

    For a given exponent the law is linear in the other parameters, so only the exponent is searched for (variable
    projection, Golub and Pereyra 1973). Floor and scale are at least 0, the exponent is between 0 and 2; a loss that
    does not fall with more rows has scale and exponent 0. Losses that are not finite are left out.

    Return None for fewer than three different sizes, for mean losses that are not above 0, and where the fit fails.

    Raises:
        ValueError: the losses are not `[R, S]`, or a size is not above 0.
    """
    sizes, losses = _checked(sizes, losses)
    return _fit(sizes, _means(losses))


@dataclass(frozen=True)
class Prediction:
    """A power law's prediction for twice the rows, and a test of such a law on the largest number of rows.

    Attributes:
        law: None where the points determine no law; then only `rows` is known.
        rows: the largest number of rows.
        change: the loss at twice the rows minus that at `rows`; below 0 more rows help.
        predicted_before, seen: the loss at `rows` as a law without that point predicts it, and as observed; None where
            the other points determine no law.
    """

    law: PowerLaw | None
    rows: int
    change: Interval
    predicted_before: float | None = None
    seen: float | None = None


def what_twice_the_data_brings(sizes: np.ndarray, losses: np.ndarray, n: int) -> Prediction:
    """Predict the change of the loss from n to 2n rows by the power law, with its 95 % interval.

    The interval comes from a bootstrap over whole seeds: the law is fitted again to the mean curves of resampled seeds,
    with floors below 0 too, since a bootstrap fails where the truth may be on a bound (Andrews 2000). The means of few
    resampled seeds vary too little, so their relative deviations are stretched by Student's t (compare the expanded
    percentile interval of Hesterberg 2015). This interval assumes that the law holds. To test that, a law fitted
    without the largest size predicts the loss there, and the interval is made to reach at least as far from the mean as
    that prediction is off.

    Args:
        sizes, losses: see `fit_power_law`.
        n: the largest of the sizes.

    Raises:
        ValueError: see `fit_power_law`.
    """
    sizes, losses = _checked(sizes, losses)
    law = _fit(sizes, _means(losses))
    if law is None:
        return Prediction(None, n, Interval())
    change = _interval_of_change(sizes, losses, law, n)
    smaller = sizes < n
    law_before, seen = _fit(sizes[smaller], _means(losses)[smaller]), float(_means(losses)[~smaller].mean())
    if law_before is None or not np.isfinite(seen):
        return Prediction(law, n, change)
    predicted = float(law_before.predict(n))
    return Prediction(law, n, change.reaching(abs(predicted - seen)), predicted, seen)


def _checked(sizes: np.ndarray, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sizes, losses = np.asarray(sizes, np.float64), np.asarray(losses, np.float64)
    if sizes.ndim != 1 or losses.ndim != 2 or losses.shape[1] != len(sizes):
        raise ValueError(f"losses must be [R, S] for sizes [S]; got {losses.shape} and {sizes.shape}")
    if not (sizes > 0).all():
        raise ValueError(f"sizes must be above 0, got {sizes.min():g}")
    return sizes, losses


def _means(losses: np.ndarray) -> np.ndarray:
    """Return the means of the finite losses over the second to last axis; NaN where there are none."""
    finite = np.isfinite(losses)
    count = finite.sum(axis=-2)
    return np.where(finite, losses, 0).sum(axis=-2) / np.where(count > 0, count, np.nan)


def _fit(sizes: np.ndarray, means: np.ndarray, floor_below_0: bool = False) -> PowerLaw | None:
    is_finite = np.isfinite(means)
    sizes, means = sizes[is_finite], means[is_finite]
    if len(np.unique(sizes)) < FEWEST_SIZES or not (means > 0).all():
        return None
    largest, ones = sizes.max(), np.ones(len(sizes))
    floors = [ones, -ones] if floor_below_0 else [ones]  # nnls allows no negative coefficients

    def linear(exponent: float) -> tuple[np.ndarray, float]:
        terms = np.stack([*floors, (sizes / largest) ** -exponent], axis=1)
        return optimize.nnls(terms / means[:, None], ones)

    try:
        exponent = optimize.minimize_scalar(
            lambda exponent: linear(exponent)[1], bounds=(0, STEEPEST), method="bounded", options={"xatol": 1e-6}
        ).x
        (*floor, scale), _ = linear(exponent)
    except RuntimeError:  # nnls found no solution within its iterations
        return None
    if scale == 0:
        exponent = 0.0
    return PowerLaw(float(floor[0] - sum(floor[1:])), float(scale * largest**exponent), float(exponent))


def _interval_of_change(sizes: np.ndarray, losses: np.ndarray, law: PowerLaw, n: int) -> Interval:
    def change(law: PowerLaw) -> float:
        return float(law.predict(2 * n) - law.predict(n))

    mean, seeds = change(law), len(losses)
    if seeds < 2:
        return Interval(mean)
    upper = (1 + CONFIDENCE) / 2
    stretch = stats.t.ppf(upper, seeds - 1) / stats.norm.ppf(upper) * np.sqrt(seeds / (seeds - 1))
    means = _means(losses)
    resampled = np.random.default_rng(0).integers(seeds, size=(RESAMPLES, seeds))
    curves = means * (_means(losses[resampled]) / means) ** stretch
    laws = [_fit(sizes, curve, floor_below_0=True) for curve in curves]
    changes = [change(law) for law in laws if law is not None]
    if not changes:
        return Interval(mean)
    low, high = np.quantile(changes, [1 - upper, upper])
    # Only the resamples allow floors below 0, so the mean may be outside of their quantiles.
    return Interval(mean, float(min(low, mean)), float(max(high, mean)))
