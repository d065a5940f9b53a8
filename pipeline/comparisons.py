"""Is one arm better than another, by how much, and how sure is it: paired, seed by seed.

Losses of the same seeds in the same order in, `[R]` an arm; lower is better. What holds of two arms holds of a loss and
of minus a score.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from pipeline.scores import CONFIDENCE, Interval, interval, standard_error

SIGNIFICANCE = 1 - CONFIDENCE
RESAMPLES = 1000

Finding = Literal["helps", "hurts", "no detectable difference"]


@dataclass(frozen=True)
class Comparison:
    """An arm against a reference, over the seeds on which both have a loss.

    Attributes:
        difference: mean of arm minus reference with its interval; below 0 the arm is better.
        p: two-sided, of no mean difference; None for fewer than two pairs.
        probability_better: that a seed of the arm has a lower loss than the same seed of the reference.
        pairs: how many seeds were compared.
    """

    difference: Interval
    p: float | None
    probability_better: Interval
    pairs: int


@dataclass(frozen=True)
class Judged:
    """A comparison, and the p-value of the claim that its sign makes: see `judge`."""

    comparison: Comparison
    p: float | None


@dataclass(frozen=True)
class Verdict:
    """What is said of an arm, with the p-value of that claim, alone and adjusted for those made beside it.

    Nothing is said where there is no p-value: one seed cannot tell, which is not to have looked and found nothing.
    """

    verdict: Finding | None
    p: float | None
    p_adjusted: float | None


def compare(arm: np.ndarray, reference: np.ndarray, overlap: float = 0.0) -> Comparison:
    """Compare two arms seed by seed: Student's t for pairs, corrected for resplits (Nadeau and Bengio 2003).

    Args:
        overlap: see `scores.interval`; with 0 the p-value is that of `scipy.stats.ttest_rel`.

    Pairs without two finite losses are left out. For fewer than two pairs the p-value and the ends of the intervals are
    None. Differences that are all the same have an interval of no width, and p = 1 where they are 0, else 0.

    Raises:
        ValueError: the arms are not of the same seeds, or overlap is not a number from 0.
    """
    differences = _differences(arm, reference)
    return Comparison(
        difference=interval(differences, overlap),
        p=_p_two_sided(differences, overlap),
        probability_better=_probability_below_0(differences),
        pairs=len(differences),
    )


def _differences(arm: np.ndarray, reference: np.ndarray) -> np.ndarray:
    arm, reference = np.asarray(arm, np.float64), np.asarray(reference, np.float64)
    if arm.ndim != 1 or arm.shape != reference.shape:
        raise ValueError(f"arms must be paired by seed, [R] and [R]; got {arm.shape} and {reference.shape}")
    both = np.isfinite(arm) & np.isfinite(reference)
    return arm[both] - reference[both]


def _p_two_sided(differences: np.ndarray, overlap: float) -> float | None:
    if len(differences) < 2:
        return None
    mean, error = differences.mean(), standard_error(differences, overlap)
    if error == 0:
        return 1.0 if differences[0] == 0 else 0.0
    return float(2 * stats.t.sf(abs(mean / error), len(differences) - 1))


def _probability_below_0(differences: np.ndarray) -> Interval:
    """P(A > B) of Bouthillier et al. 2021, ties counting half, with the percentile bootstrap over seeds.

    Where all seeds agree the bootstrap has no width, which ten seeds do not prove: there the exact interval of a
    proportion (Clopper and Pearson 1934). Seeds that are all tied are one half, with no width.
    """
    better = np.heaviside(-differences, 0.5)
    if len(better) < 2:
        return interval(better)
    mean = float(better.mean())
    if np.ptp(better) > 0:
        found = stats.bootstrap(
            (better,),
            np.mean,
            n_resamples=RESAMPLES,
            confidence_level=CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(0),
        ).confidence_interval
    elif mean in (0.0, 1.0):
        found = stats.binomtest(int(better.sum()), len(better)).proportion_ci(CONFIDENCE)
    else:
        return {"mean": mean, "low": mean, "high": mean}
    return {"mean": mean, "low": float(found.low), "high": float(found.high)}


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """P-values adjusted for there being several, in their order (Holm 1979); one that is None stays so, uncounted."""
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        adjusted[place] = highest
    return adjusted


def judge(arm: np.ndarray, reference: np.ndarray, chance: np.ndarray | None = None, overlap: float = 0.0) -> Judged:
    """Compare an arm with its reference, and find the p-value of the claim that it helps, or that it hurts.

    Among models that are worse than a constant a smaller loss is no help. So an arm helps if it beats the reference and
    the constant, and hurts if the reference beats it and the constant: of a claim in two parts, which is true only if
    both are, the p-value is the larger one (intersection-union, Berger 1982).

    Args:
        chance: the loss of the constant prediction on the rows that judge, `[R]`; None for no such guard.

    The p-value is None where one of its parts is. Raises as `compare` does.
    """
    comparison = compare(arm, reference, overlap)
    if chance is None or comparison.p is None:
        return Judged(comparison, comparison.p)
    better = arm if comparison.difference["mean"] < 0 else reference
    against_chance = _differences(better, chance)
    p_chance = _p_two_sided(against_chance, overlap)
    if p_chance is not None and against_chance.mean() >= 0:
        p_chance = 1.0
    return Judged(comparison, None if p_chance is None else max(comparison.p, p_chance))


def verdicts(judged: Sequence[Judged]) -> list[Verdict]:
    """What is said of each arm of a section: 5 % is the chance of one wrong claim or more among them (Holm 1979)."""
    adjusted = holm([each.p for each in judged])
    return [Verdict(_finding(each, p), each.p, p) for each, p in zip(judged, adjusted, strict=True)]


def _finding(judged: Judged, p_adjusted: float | None) -> Finding | None:
    if p_adjusted is None:
        return None
    if p_adjusted >= SIGNIFICANCE:
        return "no detectable difference"
    return "helps" if judged.comparison.difference["mean"] < 0 else "hurts"
