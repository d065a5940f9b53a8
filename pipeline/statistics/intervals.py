"""Means with their 95 % intervals, which contain no impossible value."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from pipeline.statistics.weights import effective_rows, linearized

CONFIDENCE = 0.95
SIGNIFICANCE = 1 - CONFIDENCE


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its 95 % interval; None for what is not known."""

    mean: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def is_known(self) -> bool:
        """Return whether the mean and both ends are known."""
        return None not in (self.mean, self.low, self.high)

    def scaled(self, factor: float) -> "Interval":
        """Return the interval with all numbers multiplied by a factor above 0."""
        return Interval(*(None if value is None else value * factor for value in (self.mean, self.low, self.high)))

    def shifted(self, distance: float) -> "Interval":
        """Return the interval with a number added to all of its numbers."""
        return Interval(*(None if value is None else value + distance for value in (self.mean, self.low, self.high)))

    def negated(self) -> "Interval":
        """Return the interval of a difference with its sign turned, without a negative 0."""
        return Interval(*(None if value is None else 0.0 - value for value in (self.mean, self.high, self.low)))

    def reaching(self, distance: float) -> "Interval":
        """Return the interval with ends at least this far from the mean; ends that are not known stay so."""
        if self.mean is None or self.low is None or self.high is None:
            return self
        return Interval(self.mean, min(self.low, self.mean - distance), max(self.high, self.mean + distance))


@dataclass(frozen=True)
class Estimate:
    """A mean, its variance over other rows and other models, and the degrees of freedom of that variance.

    Attributes:
        rows_variance: variance of the mean over other rows of the same population.
        models_variance: variance of the mean over other trainings of the same configuration.
        freedom: degrees of freedom of the standard error; 0 where the error is not known.
        n: number of independent rows, or of groups of rows, behind the mean.
    """

    mean: float
    rows_variance: float
    models_variance: float
    freedom: float
    n: int

    @property
    def error(self) -> float:
        """Return the standard error of the mean."""
        return float(np.sqrt(self.rows_variance + self.models_variance))

    @property
    def p(self) -> float | None:
        """Return the two-sided p-value of a true mean of 0; None where the error is not known."""
        if not self.freedom:
            return None
        if self.error == 0:
            return 1.0 if self.mean == 0 else 0.0
        return float(2 * stats.t.sf(abs(self.mean) / self.error, self.freedom))

    def interval(self, comparisons: int = 1) -> Interval:
        """Return Student's interval; the intervals of several comparisons hold together (Bonferroni)."""
        if not self.freedom:
            return Interval(self.mean)
        half = self.error * self._critical(comparisons)
        return Interval(self.mean, self.mean - half, self.mean + half)

    def detectable(self, comparisons: int = 1, power: float = 0.8) -> float | None:
        """Return the smallest true mean that such a study detects with this power, among so many comparisons."""
        return self.error * self._reach(comparisons, power) if self.freedom else None

    def times_as_many(self, comparisons: int = 1, power: float = 0.8) -> tuple[float | None, float | None]:
        """Return by which factors more rows, or more models, would detect a true mean of the observed size.

        A factor is None where no number of them alone would do.
        """
        if not self.freedom or self.mean == 0:
            return None, None
        allowed = (self.mean / self._reach(comparisons, power)) ** 2
        rows = self.rows_variance / (allowed - self.models_variance) if allowed > self.models_variance else None
        models = self.models_variance / (allowed - self.rows_variance) if allowed > self.rows_variance else None
        return rows, models

    def _critical(self, comparisons: int) -> float:
        return float(stats.t.isf(SIGNIFICANCE / 2 / comparisons, self.freedom))

    def _reach(self, comparisons: int, power: float) -> float:
        return self._critical(comparisons) + float(stats.t.ppf(power, self.freedom))


def over_seeds(values: ArrayLike) -> Interval:
    """Return the mean over seeds with Student's interval; values that are not finite are left out.

    `low` and `high` are None for fewer than two seeds, `mean` too for none.
    """
    known = finite(values)
    if len(known) < 2:
        return Interval(float(known[0]) if len(known) else None)
    if np.ptp(known) == 0:  # rounding would give equal numbers a variance
        return Interval(*[float(known[0])] * 3)
    low, high = stats.t.interval(CONFIDENCE, len(known) - 1, known.mean(), stats.sem(known))
    return Interval(float(known.mean()), float(low), float(high))


def finite(values: ArrayLike) -> np.ndarray:
    """Return the values that are finite, float64 `[k]`."""
    numbers = np.asarray(values, np.float64)
    return numbers[np.isfinite(numbers)]


def variance_of_mean(values: np.ndarray, groups: np.ndarray | None) -> float:
    """Return the variance of a mean over rows, of which each row, or each group of rows, is independent."""
    n = len(values)
    if n < 2 or np.ptp(values) == 0:
        return 0.0
    if groups is None:
        return float(values.var(ddof=1) / n)
    names, of_row = np.unique(groups, return_inverse=True)
    sums = np.bincount(of_row, weights=values - values.mean())
    return float(len(names) / max(1, len(names) - 1) * np.square(sums).sum() / n**2)


def crossed(values: np.ndarray, weights: np.ndarray | None = None, blocks: np.ndarray | None = None) -> Estimate:
    """Estimate a mean over seeds and rows, `[R, n]`, where all seeds are scored on the same rows.

    The variances over rows and over seeds are added, which errs on the wide side (Owen 2007); the degrees of freedom
    are those of Welch and Satterthwaite.

    Args:
        weights: of the rows, `[n]`; None for equal ones.
        blocks: of rows that depend on each other, as those of a group or near in time do, int `[n]`; None for
            independent rows. The blocks then are the sample, as are the folds of a study in time; see
            `ring.ring_in_time`.
    """
    values = linearized(np.asarray(values, np.float64), weights)
    seeds, n = values.shape
    units = n if blocks is None else len(np.unique(blocks))
    if units < 2:
        return Estimate(float(values.mean()), 0.0, 0.0, 0.0, n)
    by_row, by_seed = values.mean(axis=0), values.mean(axis=1)
    rows = variance_of_mean(by_row, blocks)
    models = float(by_seed.var(ddof=1) / seeds) if seeds > 1 and np.ptp(by_seed) else 0.0
    freedom = float(units - 1)
    if models:
        freedom = (rows + models) ** 2 / (rows**2 / (units - 1) + models**2 / (seeds - 1))
    effective = n if weights is None else effective_rows(weights)
    if not rows:  # where all rows score alike, nothing tells that those of a block are independent
        effective = min(effective, units)
    return Estimate(float(values.mean()), rows, models, freedom, effective)


def of_share(share: float, n: float) -> Interval:
    """Return the exact interval of a share of n (Clopper and Pearson 1934); n need not be a whole number."""
    if not n:
        return Interval()
    successes = share * n
    low = stats.beta.ppf(SIGNIFICANCE / 2, successes, n - successes + 1) if successes > 0 else 0.0
    high = stats.beta.isf(SIGNIFICANCE / 2, successes + 1, n - successes) if successes < n else 1.0
    return Interval(float(share), float(low), float(high))


def bounded_share(estimate: Estimate) -> Interval:
    """Return the interval of a share within [0, 1]: the exact one for its effective number of rows.

    That number is the size of a simple random sample with the same error (Korn and Graubard 1998); it is at most the
    number of rows, also where all predictions are right and the error seems to be 0.
    """
    share = min(1.0, max(0.0, estimate.mean))
    if not estimate.freedom:
        return Interval(share)
    variance = estimate.rows_variance + estimate.models_variance
    effective = float(estimate.n)
    if variance > 0:
        upper = (1 + CONFIDENCE) / 2
        smaller = (stats.norm.ppf(upper) / stats.t.ppf(upper, estimate.freedom)) ** 2
        effective = min(effective, share * (1 - share) / variance * smaller)
    return of_share(share, max(effective, 1.0))


def on_logit_scale(estimate: Estimate) -> Interval:
    """Return the interval of a score within [0, 1], symmetric on the scale of log(p / (1 - p)).

    It is recommended for the area under the ROC curve (Pepe 2003, The Statistical Evaluation of Medical Tests, 5.2). A
    score of 0 or 1, whose error seems to be 0, has the exact interval of a share of as many rows.
    """
    score, error = min(1.0, max(0.0, estimate.mean)), estimate.error
    if not estimate.freedom:
        return Interval(score)
    if not error or score in (0.0, 1.0):
        return of_share(score, estimate.n)
    half = error / (score * (1 - score)) * stats.t.ppf((1 + CONFIDENCE) / 2, estimate.freedom)
    low, high = special.expit(special.logit(score) + np.array([-half, half]))
    return Interval(score, float(low), float(high))


def above_0(estimate: Estimate) -> Interval:
    """Return the interval of a loss, which is symmetric on a logarithmic scale and so never below 0."""
    if not estimate.freedom or estimate.mean <= 0:
        return Interval(estimate.mean)
    spread = np.exp(estimate.error / estimate.mean * stats.t.ppf((1 + CONFIDENCE) / 2, estimate.freedom))
    return Interval(estimate.mean, float(estimate.mean / spread), float(estimate.mean * spread))
