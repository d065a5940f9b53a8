"""Models that predict together: the mean of their probabilities or numbers, and what it gains over one of them."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
from scipy.special import log_softmax, logsumexp

from pipeline.statistics.intervals import Estimate, crossed
from pipeline.statistics.scores import Task


def together(task: Task, outputs: np.ndarray, axis: int = 0) -> np.ndarray:
    """Return the outputs of models that predict together, without the axis of the models.

    The mean is that of the probabilities, in logarithms (Lakshminarayanan, Pritzel and Blundell 2017), or that of the
    numbers.

    Args:
        outputs: logits `[..., classes]`, or numbers `[..., 1]`, with an axis for the models.
    """
    if task == "regression":
        return outputs.mean(axis=axis)
    log_p = log_softmax(outputs.astype(np.float64), axis=-1)
    return logsumexp(log_p, axis=axis) - np.log(outputs.shape[axis])


def gain(
    losses: np.ndarray,
    of_all: np.ndarray,
    without_one: np.ndarray,
    weights: np.ndarray | None = None,
    blocks: np.ndarray | None = None,
) -> Estimate:
    """Estimate how much lower the loss of the ensemble is than the mean loss of its models, a mean over rows.

    The variance over other rows is that of the gains of rows, with the models taken as given; that over other models is
    the jackknife's (Efron and Stein 1981), which leaves each of them out in turn.

    Args:
        losses: of each model on each row, `[R, n]`.
        of_all: of the ensemble, `[n]`.
        without_one: of the ensembles that leave out one model each, `[R, n]`.
        weights: of the rows, `[n]`; None for equal ones.
        blocks: of rows that depend on each other, int `[n]`; None for independent rows.
    """
    models = len(losses)
    by_row = crossed((losses.mean(axis=0) - of_all)[None], weights, blocks)
    if models < 3 or not by_row.freedom:  # an ensemble without one of two is no ensemble
        return by_row
    others = (losses.sum(axis=0) - losses) / (models - 1)
    left = np.array([crossed(row[None], weights).mean for row in others - without_one])
    variance = float((models - 1) / models * np.square(left - left.mean()).sum())
    total = by_row.rows_variance + variance
    parts = by_row.rows_variance**2 / max(1.0, by_row.freedom) + variance**2 / (models - 1)
    freedom = total**2 / parts if parts else by_row.freedom
    return Estimate(by_row.mean, by_row.rows_variance, variance, freedom, by_row.n)


def losses_by_member(loss_of: Callable[[list[int]], np.ndarray], may_judge: np.ndarray, members: int) -> np.ndarray:
    """Return the mean loss over all ensembles of `members` models that contain a model, `[models, n]`.

    An ensemble counts on the rows that all of its models may judge; NaN where a row has none. The mean over the models
    that judge a row is the mean over all of its ensembles.

    Args:
        loss_of: takes the models of a set, and returns the loss of all of them together on each row, `[n]`.
        may_judge: which models each row may judge, bool `[models, n]`.
    """
    totals, counts = np.zeros(may_judge.shape), np.zeros(may_judge.shape)
    for models in map(list, combinations(range(len(may_judge)), members)):
        judges_all = may_judge[models].all(axis=0)
        totals[models] += np.where(judges_all, loss_of(models), 0)
        counts[models] += judges_all
    return totals / np.where(counts, counts, np.nan)


def subsets(models: int, size: int, most: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw at most so many different subsets of models, each of one size, as sorted indices."""
    drawn = {tuple(sorted(rng.choice(models, size, replace=False).tolist())) for _ in range(most)}
    return [np.array(each) for each in sorted(drawn)]
