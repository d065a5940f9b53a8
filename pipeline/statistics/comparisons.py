"""Is one arm better than another, by how much, and how sure is it: paired, row by row, by the seeds of a ring.

Differences of the losses of rows in, arm minus reference, `[rings, 2, n]` an arm (see `pipeline.statistics.ring`);
below 0 the arm is better. A row that no seed judges is NaN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import optimize, special

from pipeline.statistics.intervals import SIGNIFICANCE, Estimate, Interval, of_share
from pipeline.statistics.ring import Ring, over_judges

Finding = Literal["helps", "hurts", "no detectable difference", "neither beats knowing nothing"]

FEWEST_NEIGHBOURS = 3  # arms of one question from which a common design effect can be told
INFLUENTIAL_ROWS = 10


@dataclass(frozen=True)
class Verdict:
    """What is said of an arm, given the other arms of its question.

    Attributes:
        difference: its mean, with an interval that leaves out 0 just where a difference is found.
        p, p_adjusted: two-sided, of no difference; alone, and by Holm (1979) among the arms of the question.
        finding: None where it cannot be told: one seed cannot tell, which is not to have looked and found nothing.
        detectable: the difference that four of five such studies would have found.
        times_rows, times_rings: how many times as many rows, or rings of seeds, would find a difference of the size
            seen; None where it is found, or no number of them alone would do.
    """

    difference: Interval
    p: float | None
    p_adjusted: float | None
    finding: Finding | None
    detectable: float | None
    times_rows: float | None = None
    times_rings: float | None = None

    def scaled(self, factor: float) -> "Verdict":
        """Return the same in another unit of the loss."""
        detectable = None if self.detectable is None else self.detectable * factor
        return Verdict(
            self.difference.scaled(factor), self.p, self.p_adjusted, self.finding, detectable, self.times_rows,
            self.times_rings,
        )  # fmt: skip


@dataclass(frozen=True)
class Influence:
    """The rows that carry most of a difference.

    Attributes:
        rows: their numbers in the pool, the most influential one first.
        differences: the mean difference of each.
        without: the mean difference of all other rows.
    """

    rows: list[int]
    differences: list[float]
    without: float


@dataclass(frozen=True)
class _Spread:
    """What the rows of an arm say: the mean of each `[n]`, variances of their mean, and the models' design effect."""

    by_row: np.ndarray
    rows_variance: float
    unit: float
    effect: float
    freedom: float


def estimates(differences: Sequence[np.ndarray], ring: Ring) -> list[Estimate]:
    """Estimate the mean difference of each arm of one question, with the error of other rows and other models.

    With d_i the mean of the differences of row i, and s^2 the variance of one difference a row,

        SE^2 = var(d) / n + (D - 1) s^2 / n

    The first term is what new rows would change (Bayle et al. 2020). It takes the models as given, and a comparison of
    algorithms by it alone is too sure (Bayle, Janson and Mackey 2025), so the second adds what new models would change:
    the rows that one model judges have its luck in common. The design effect D (Kish 1965) is the variance of the mean
    of fold means next to that of the mean of as many independent rows, at least 1. Ten folds tell little of it, so an
    arm's own D is raised to the common one of the arms beside it (Smyth 2004), and never lowered: an arm can be less
    stable than its neighbours. Where whole groups are drawn, both variances are of sums over groups.

    Args:
        differences: of each arm, `[rings, 2, n]`, NaN where no seed judges a row. The losses of an arm in place of
            differences give the error of its mean loss.

    An arm equal to its reference has an error of 0. With fewer than two seeds the error is not known.

    Raises:
        ValueError: an arm has a row that judges and is not finite, or none that judges.
    """
    spreads = [_spread(np.asarray(each, float), ring) for each in differences]
    varied = [place for place, spread in enumerate(spreads) if spread.unit > 0 and spread.freedom > 0]
    effects = [spread.effect for spread in spreads]
    freedoms = [spread.freedom for spread in spreads]
    if len(varied) >= FEWEST_NEIGHBOURS:
        by_row = np.stack([spreads[place].by_row for place in varied])
        own = np.array([effects[place] for place in varied])
        common, freedom = _moderated(own, by_row[:, np.isfinite(by_row).all(axis=0)], freedoms[varied[0]])
        for place, effect in zip(varied, np.maximum(own, common), strict=True):
            effects[place], freedoms[place] = float(effect), freedom
    results = []
    for spread, effect, freedom in zip(spreads, effects, freedoms, strict=True):
        judged = np.isfinite(spread.by_row)
        independent = int(judged.sum()) if ring.groups is None else len(np.unique(ring.groups[judged]))
        models = (max(1.0, effect) - 1) * spread.unit
        mean = float(spread.by_row[judged].mean())
        results.append(Estimate(mean, spread.rows_variance, models, min(freedom, independent - 1.0), independent))
    return results


def _spread(values: np.ndarray, ring: Ring) -> _Spread:
    known = np.isfinite(values)
    if not known.any() or (np.isinf(values)).any():
        raise ValueError("an arm has no row that judges, or one whose loss is infinite")
    by_row = over_judges(values)
    judged = np.isfinite(by_row)
    groups = None if ring.groups is None else ring.groups[judged]
    unit = between = within = freedom = 0.0
    total = known.sum()
    for fold, of_roles, known_roles in zip(ring.fold, values, known, strict=True):
        parts = [_by_fold(role[of], fold[of], ring, of) for role, of in zip(of_roles, known_roles, strict=True)]
        parts = [part for part in parts if part is not None]
        if not parts:
            continue
        folds = max(part[2] for part in parts)
        singles, of_folds = (np.mean([part[place] for part in parts]) for place in range(2))
        unit += (known_roles.sum() / total) ** 2 * singles
        between, within, freedom = between + (folds - 1) * of_folds, within + (folds - 1) * singles, freedom + folds - 1
    rows_variance = _variance_of_mean(by_row[judged], groups)
    return _Spread(by_row, rows_variance, float(unit), between / within if within > 0 else 1.0, freedom)


def _by_fold(values: np.ndarray, fold: np.ndarray, ring: Ring, judged: np.ndarray) -> tuple[float, float, int] | None:
    """Return the variances of the mean of a role's rows and of that of its fold means, and how many folds judge."""
    sizes = np.bincount(fold, minlength=ring.folds)
    present = sizes > 0
    folds = int(present.sum())
    if folds < 2:
        return None
    sums = np.bincount(fold, weights=values - values.mean(), minlength=ring.folds)
    centred = sums[present] / len(values) * folds
    groups = None if ring.groups is None else ring.groups[judged]
    return _variance_of_mean(values, groups), float(np.square(centred).sum() / (folds - 1) / folds), folds


def _variance_of_mean(values: np.ndarray, groups: np.ndarray | None) -> float:
    """Return the variance of a mean over rows that are independent, or whose groups are."""
    n = len(values)
    if n < 2 or np.ptp(values) == 0:
        return 0.0
    if groups is None:
        return float(values.var(ddof=1) / n)
    names, of_row = np.unique(groups, return_inverse=True)
    sums = np.bincount(of_row, weights=values - values.mean())
    return float(len(names) / max(1, len(names) - 1) * np.square(sums).sum() / n**2)


def _moderated(effects: np.ndarray, differences: np.ndarray, own: float) -> tuple[np.ndarray, float]:
    """Shrink design effects of `own` degrees of freedom towards their common one; return them and their freedom then.

    By the moments of their logarithms (Smyth 2004, section 6.2). The freedom is at most that of a mean of m variances
    that go together as their arms do.

    Args:
        differences: of the arms' rows, `[m, n]`.
    """
    m = len(effects)
    correlation = np.square(np.corrcoef(differences)[~np.eye(m, dtype=bool)]).mean()
    most = own * m / (1 + (m - 1) * correlation)
    logs = np.log(np.maximum(effects, 1e-6)) - special.digamma(own / 2) + np.log(own / 2)
    beyond = logs.var(ddof=1) - special.polygamma(1, own / 2) * (1 - correlation)
    if beyond <= 2e-6:
        return np.full(m, np.exp(logs.mean())), most
    half = optimize.brentq(lambda half: special.polygamma(1, half) - beyond, 1e-3, 1e6)
    common = np.exp(logs.mean() + special.digamma(half) - np.log(half))
    return (2 * half * common + own * effects) / (2 * half + own), max(own, min(2 * half + own, most))


def choose(losses: np.ndarray, ring: Ring) -> np.ndarray:
    """Return which option judges each row, int `[rings, n]`: the best one on the rows of the other folds.

    So the rows that judge an option had no say in choosing it.

    Args:
        losses: of each option, `[options, rings, 2, n]`; NaN where no seed judges. Where that is so for one option, no
            other is credited with less.
    """
    totals = np.where(np.isfinite(losses).all(axis=0), losses, 0).sum(axis=2)  # [options, rings, n]
    picks = np.empty(ring.fold.shape, int)
    for number, fold in enumerate(ring.fold):
        sums = np.stack([np.bincount(fold, weights=option, minlength=ring.folds) for option in totals[:, number]])
        picks[number] = (sums.sum(axis=1, keepdims=True) - sums).argmin(axis=0)[fold]
    return picks


def judge(differences: Sequence[Estimate], over_nothing: Sequence[Estimate | None]) -> list[Verdict]:
    """Say of each arm of one question whether it helps or hurts: 5 % is the chance of one wrong claim or more (Holm).

    Among models that are worse than knowing nothing a smaller loss is no help: an arm helps, or its reference does,
    only if the better of the two is also found to be better than knowing nothing.

    The intervals hold together (Bonferroni). One that would contain 0 though Holm's less strict step finds the arm has
    that step's level, so an interval leaves out 0 just where a difference is found. Arms that are the same computation
    as their reference are no comparison, and are not counted.

    Args:
        over_nothing: of each arm, the loss of the better one of it and its reference, less that of knowing nothing;
            None for no such guard.
    """
    is_same = [each.mean == 0 and each.error == 0 for each in differences]
    alone = [None if same else each.p for each, same in zip(differences, is_same, strict=True)]
    counted = sum(p is not None for p in alone)
    adjusted, beats = holm(alone), holm([None if each is None else each.p for each in over_nothing])
    verdicts = []
    for place, estimate in enumerate(differences):
        if is_same[place]:
            verdicts.append(Verdict(Interval(0.0, 0.0, 0.0), 1.0, 1.0, "no detectable difference", None))
            continue
        p = alone[place]
        if p is None:
            verdicts.append(Verdict(estimate.interval(), None, None, None, None))
            continue
        is_found = adjusted[place] < SIGNIFICANCE
        stricter = sum(other is not None and other < p for other in alone)
        level = counted if not is_found or p * counted < SIGNIFICANCE else counted - stricter
        nothing = over_nothing[place]
        is_useless = nothing is not None and not (nothing.mean < 0 and (beats[place] or 0) < SIGNIFICANCE)
        verdicts.append(
            Verdict(
                estimate.interval(level),
                p,
                adjusted[place],
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
    """Return p-values adjusted for there being several, in their order (Holm 1979); None stays so, uncounted."""
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        adjusted[place] = highest
    return adjusted


def probability_better(arm: np.ndarray, reference: np.ndarray) -> Interval:
    """Return how often a seed of the arm has a lower loss than the same seed of its reference, ties counting half.

    P(A > B) of Bouthillier et al. (2021), with the exact interval of a share.

    Args:
        arm, reference: the losses of the same seeds, `[R]`; pairs without two finite losses are left out.
    """
    differences = np.asarray(arm, float) - np.asarray(reference, float)
    better = np.heaviside(-differences[np.isfinite(differences)], 0.5)
    return of_share(float(better.mean()), len(better)) if len(better) else Interval()


def influence(differences: np.ndarray, rows: int = INFLUENTIAL_ROWS) -> Influence:
    """Find the rows that carry most of a mean difference `[rings, 2, n]`, and what is left of it without them."""
    by_row = over_judges(differences)
    judged = np.flatnonzero(np.isfinite(by_row))
    mean = by_row[judged].mean()
    order = judged[np.argsort(-np.sign(mean) * by_row[judged], kind="stable")]
    rest = by_row[order[rows:]]
    return Influence(order[:rows].tolist(), by_row[order[:rows]].tolist(), float(rest.mean()) if len(rest) else 0.0)
