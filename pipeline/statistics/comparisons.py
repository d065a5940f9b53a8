"""Paired comparisons of a study's arms: differences with their errors, verdicts, and influential rows.

Each arm is given by the differences of row losses, arm minus reference, `[rings, 2, n]` (see
`pipeline.statistics.ring`); below 0 the arm is better. A difference is NaN where a row judges no seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import optimize, special

from pipeline.statistics.intervals import SIGNIFICANCE, Estimate, Interval, of_share, variance_of_mean
from pipeline.statistics.ring import Ring
from pipeline.statistics.weights import average, effective_rows, linearized, over_judges

Finding = Literal["helps", "hurts", "no detectable difference", "neither beats knowing nothing"]

FEWEST_NEIGHBOURS = 3  # the number of arms that a common design effect can be estimated from
INFLUENTIAL_ROWS = 10


@dataclass(frozen=True)
class Verdict:
    """The verdict on one of the arms that answer a question.

    Attributes:
        difference: the mean difference, with an interval that excludes 0 exactly if a difference is found.
        p, p_adjusted: two-sided, for no difference; alone, and adjusted by Holm (1979) for the arms of the question.
        finding: None where nothing can be said, as with one seed; this is not "no detectable difference".
        detectable: the difference that four of five such studies would find.
        times_rows, times_rings: the factors by which more rows, or rings of seeds, would detect a difference of the
            observed size; None where it is found, or where no number of them alone would do.
    """

    difference: Interval
    p: float | None
    p_adjusted: float | None
    finding: Finding | None
    detectable: float | None
    times_rows: float | None = None
    times_rings: float | None = None

    def scaled(self, factor: float) -> "Verdict":
        """Return the verdict in another unit of the loss."""
        detectable = None if self.detectable is None else self.detectable * factor
        return Verdict(
            self.difference.scaled(factor), self.p, self.p_adjusted, self.finding, detectable, self.times_rows,
            self.times_rings,
        )  # fmt: skip


@dataclass(frozen=True)
class Influence:
    """The rows that contribute most to a difference.

    Attributes:
        rows: row numbers in the pool, the most influential one first.
        differences: the mean difference of each of these rows.
        without: the mean difference of all other rows.
    """

    rows: list[int]
    differences: list[float]
    without: float


@dataclass(frozen=True)
class _Spread:
    """Statistics of one arm, see `estimates`.

    Attributes:
        by_row: the mean difference of each row, `[n]`.
        rows_variance: variance of the mean over new rows.
        unit: variance of the mean with one independent difference per row; the design effect multiplies it.
        effect: the design effect of the models, before it is moderated.
        freedom: degrees of freedom of the design effect.
    """

    by_row: np.ndarray
    rows_variance: float
    unit: float
    effect: float
    freedom: float


def estimates(differences: Sequence[np.ndarray], ring: Ring) -> list[Estimate]:
    """Estimate the mean difference of each arm of one question, with the error of other rows and other models.

    With d_i the mean of the differences of row i, and s^2 the variance of a single difference per row,

        SE^2 = var(d) / n + (D - 1) s^2 / n

    The first term is the variance over new rows (Bayle et al. 2020). It takes the models as given, and alone it makes a
    comparison of algorithms too certain (Bayle, Janson and Mackey 2025). So the second term adds the variance over new
    models, whose chance is shared by all rows that judge the same model. The design effect D (Kish 1965), at least 1,
    is the variance of the mean of fold means over that of the mean of as many independent rows. Ten folds estimate it
    poorly, so an arm's D is raised to the common one of the question's arms (Smyth 2004), but never lowered, since an
    arm can be less stable than its neighbours. Where whole groups are drawn, both variances are of sums over groups.
    In time the folds are the groups, so the first term has the chance of the models in it and D is 1. With weights the
    mean is weighted and the error that of a ratio estimator, see `weights.linearized`.

    An arm equal to its reference has an error of 0. With fewer than two seeds the error is not known.

    Args:
        differences: for each arm, `[rings, 2, n]`, NaN where a row judges no seed. The losses of an arm in place of
            differences give the error of its mean loss.

    Raises:
        ValueError: an arm has an infinite difference, or no row that judges.
    """
    spreads = [_spread(linearized(np.asarray(values, float), ring.weights), ring) for values in differences]
    varied = [place for place, spread in enumerate(spreads) if spread.unit > 0 and spread.freedom > 0]
    effects = [spread.effect for spread in spreads]
    freedoms = [spread.freedom for spread in spreads]
    if len(varied) >= FEWEST_NEIGHBOURS and not ring.is_in_time:
        by_row = np.stack([spreads[place].by_row for place in varied])
        varied_effects = np.array([effects[place] for place in varied])
        common, freedom = _moderated(varied_effects, by_row[:, np.isfinite(by_row).all(axis=0)], freedoms[varied[0]])
        for place, effect in zip(varied, np.maximum(varied_effects, common), strict=True):
            effects[place], freedoms[place] = float(effect), freedom
    results = []
    for spread, effect, freedom in zip(spreads, effects, freedoms, strict=True):
        judged = np.isfinite(spread.by_row)
        independent = int(judged.sum()) if ring.groups is None else len(np.unique(ring.groups[judged]))
        models = (max(1.0, effect) - 1) * spread.unit
        mean = float(spread.by_row[judged].mean())
        # The effective size of a share is told by its variance; the few folds of rows in time do not bound it.
        n = int(judged.sum()) if ring.is_in_time else independent
        n = n if ring.weights is None else min(n, effective_rows(ring.weights[judged]))
        results.append(Estimate(mean, spread.rows_variance, models, min(freedom, independent - 1.0), n))
    return results


def _spread(values: np.ndarray, ring: Ring) -> _Spread:
    is_known = np.isfinite(values)
    if not is_known.any() or (np.isinf(values)).any():
        raise ValueError("an arm has no row that judges, or one whose loss is infinite")
    by_row = over_judges(values)
    judged = np.isfinite(by_row)
    groups = None if ring.groups is None else ring.groups[judged]
    unit = between = within = freedom = 0.0
    total = is_known.sum()
    for fold, in_ring, judging in zip(ring.fold, values, is_known, strict=True):
        roles = [_by_fold(role[rows], fold[rows], ring, rows) for role, rows in zip(in_ring, judging, strict=True)]
        roles = [role for role in roles if role is not None]
        if not roles:
            continue
        row_variances, fold_variances, folds = zip(*roles, strict=True)
        row_variance, steps = np.mean(row_variances), max(folds) - 1
        unit += (judging.sum() / total) ** 2 * row_variance
        between += steps * np.mean(fold_variances)
        within += steps * row_variance
        freedom += steps
    rows_variance = variance_of_mean(by_row[judged], groups)
    return _Spread(by_row, rows_variance, float(unit), between / within if within > 0 else 1.0, freedom)


def _by_fold(values: np.ndarray, fold: np.ndarray, ring: Ring, judged: np.ndarray) -> tuple[float, float, int] | None:
    """Return the variance of the mean of a role's rows, that of the mean of its fold means, and the number of folds."""
    sizes = np.bincount(fold, minlength=ring.folds)
    present = sizes > 0
    folds = int(present.sum())
    if folds < 2:
        return None
    sums = np.bincount(fold, weights=values - values.mean(), minlength=ring.folds)
    centred = sums[present] / len(values) * folds
    groups = None if ring.groups is None else ring.groups[judged]
    return variance_of_mean(values, groups), float(np.square(centred).sum() / (folds - 1) / folds), folds


def _moderated(effects: np.ndarray, differences: np.ndarray, freedom: float) -> tuple[np.ndarray, float]:
    """Shrink design effects towards their common one; return them and their new degrees of freedom.

    The prior is fitted to the moments of their logarithms (Smyth 2004, section 6.2). The degrees of freedom are at most
    those of a mean of m variances that correlate as their arms do.

    Args:
        effects: of the arms, `[m]`.
        differences: of the arms' rows, `[m, n]`.
        freedom: degrees of freedom of each effect.
    """
    m = len(effects)
    correlation = np.square(np.corrcoef(differences)[~np.eye(m, dtype=bool)]).mean()
    most = freedom * m / (1 + (m - 1) * correlation)
    logs = np.log(np.maximum(effects, 1e-6)) - special.digamma(freedom / 2) + np.log(freedom / 2)
    beyond = logs.var(ddof=1) - special.polygamma(1, freedom / 2) * (1 - correlation)
    if beyond <= 2e-6:
        return np.full(m, np.exp(logs.mean())), most
    half = optimize.brentq(lambda half: special.polygamma(1, half) - beyond, 1e-3, 1e6)
    common = np.exp(logs.mean() + special.digamma(half) - np.log(half))
    return (2 * half * common + freedom * effects) / (2 * half + freedom), max(freedom, min(2 * half + freedom, most))


def choose(losses: np.ndarray, ring: Ring) -> np.ndarray:
    """Choose an option for each row, int `[rings, n]`: the best one on the rows of the other folds.

    So the rows that judge an option had no say in choosing it. In time only earlier folds choose.

    Args:
        losses: of each option, `[options, rings, 2, n]`, NaN where a row judges no seed. What is NaN for one option
            counts for none.
    """
    totals = np.where(np.isfinite(losses).all(axis=0), losses, 0).sum(axis=2)  # [options, rings, n]
    totals = totals if ring.weights is None else totals * ring.weights
    picks = np.empty(ring.fold.shape, int)
    for number, fold in enumerate(ring.fold):
        sums = np.stack([np.bincount(fold, weights=option, minlength=ring.folds) for option in totals[:, number]])
        # The folds of rows in time begin with the latest.
        upto = sums[:, ::-1].cumsum(axis=1)[:, ::-1] if ring.is_in_time else sums.sum(axis=1, keepdims=True)
        picks[number] = (upto - sums).argmin(axis=0)[fold]
    return picks


def judge(differences: Sequence[Estimate], over_nothing: Sequence[Estimate | None]) -> list[Verdict]:
    """Judge for each arm of one question whether it helps or hurts; a wrong claim has a chance of at most 5 % (Holm).

    A smaller loss is no help among models that are worse than knowing nothing: an arm or its reference can only help if
    the better of the two is also found to be better than knowing nothing.

    The intervals hold together (Bonferroni). An arm that only a less strict step of Holm's method finds gets an
    interval of that step's level, so that intervals exclude 0 exactly if a difference is found. Arms that are the same
    computation as their reference are no comparison and are not counted.

    Args:
        over_nothing: for each arm, the loss of the better of it and its reference minus that of knowing nothing; None
            to leave out this check.
    """
    is_same = [estimate.mean == 0 and estimate.error == 0 for estimate in differences]
    alone = [None if same else estimate.p for estimate, same in zip(differences, is_same, strict=True)]
    counted = sum(p is not None for p in alone)
    adjusted = holm(alone)
    p_nothing = holm([None if estimate is None else estimate.p for estimate in over_nothing])
    verdicts = []
    for place, (estimate, p, p_adjusted) in enumerate(zip(differences, alone, adjusted, strict=True)):
        if is_same[place]:
            verdicts.append(Verdict(Interval(0.0, 0.0, 0.0), 1.0, 1.0, "no detectable difference", None))
            continue
        if p is None or p_adjusted is None:
            verdicts.append(Verdict(estimate.interval(), None, None, None, None))
            continue
        is_found = p_adjusted < SIGNIFICANCE
        stricter = sum(other is not None and other < p for other in alone)
        level = counted if not is_found or p * counted < SIGNIFICANCE else counted - stricter
        nothing = over_nothing[place]
        is_useless = nothing is not None and not (nothing.mean < 0 and (p_nothing[place] or 0) < SIGNIFICANCE)
        verdicts.append(
            Verdict(
                estimate.interval(level),
                p,
                p_adjusted,
                _finding(estimate.mean, is_found, is_useless),
                estimate.detectable(counted),
                *((None, None) if is_found else estimate.times_as_many(counted)),
            )
        )
    return verdicts


def _finding(mean: float, is_found: bool, is_useless: bool) -> Finding:
    if not is_found:
        return "no detectable difference"
    if is_useless:
        return "neither beats knowing nothing"
    return "helps" if mean < 0 else "hurts"


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values adjusted for their number (Holm 1979), in the same order; None stays None and is not counted."""
    ranked = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(ranked):
        highest = max(highest, min(1.0, (len(ranked) - rank) * p))
        adjusted[place] = highest
    return adjusted


def probability_better(arm: np.ndarray, reference: np.ndarray) -> Interval:
    """Return how often a seed of the arm has a lower loss than the same seed of its reference, ties counting half.

    This is P(A > B) of Bouthillier et al. (2021), with the exact interval of a share.

    Args:
        arm, reference: the losses of the same seeds, `[R]`; pairs without two finite losses are left out.
    """
    differences = np.asarray(arm, float) - np.asarray(reference, float)
    better = np.heaviside(-differences[np.isfinite(differences)], 0.5)
    return of_share(float(better.mean()), len(better)) if len(better) else Interval()


def influence(differences: np.ndarray, weights: np.ndarray | None = None, rows: int = INFLUENTIAL_ROWS) -> Influence:
    """Find the rows that contribute most to a mean difference, `[rings, 2, n]`, and the mean without them.

    Args:
        weights: of the rows, `[n]`; None for equal ones.
    """
    by_row = over_judges(differences)
    judged = np.flatnonzero(np.isfinite(by_row))
    counts = np.ones(len(by_row)) if weights is None else weights
    mean = average(by_row[judged], counts[judged])
    order = judged[np.argsort(-np.sign(mean) * counts[judged] * by_row[judged], kind="stable")]
    most, rest = order[:rows], order[rows:]
    without = float(average(by_row[rest], counts[rest])) if len(rest) else 0.0
    return Influence(most.tolist(), by_row[most].tolist(), without)
