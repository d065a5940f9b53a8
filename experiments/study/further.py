"""Further scores of the rows that a study holds out, and the threshold of a decision between two classes."""

import numpy as np
from scipy.special import softmax

from experiments import records as record
from experiments.study.held_out import HeldOut
from experiments.study.rows import Rows
from pipeline.data.examples import Split
from pipeline.statistics import scores
from pipeline.statistics.comparisons import estimates
from pipeline.statistics.intervals import SIGNIFICANCE, Interval
from pipeline.statistics.metrics import FURTHER, best_threshold, further_of_nothing, further_rows


def further_held_out(rows: Rows, outputs: np.ndarray, said: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Return the values of each further score for every row, `[rings, 2, n]`; NaN where a row does not judge.

    The rows of a role are scored together, though other seeds have held them out.

    Args:
        outputs: of every row by the seeds that hold it out, `[rings, 2, n, n_outputs]`.
        said: the classes that are said, `[rings, 2, n]`; None for the most likely ones.
    """
    if not rows.problem.is_classification:
        return {"mae": np.abs(outputs[..., 0] - rows.y) * rows.problem.target_scale}
    probabilities, weights = softmax(outputs.astype(np.float64), axis=-1), rows.ring.weights
    values = {name: np.full(outputs.shape[:-1], np.nan) for name in FURTHER["classification"]}
    for place in np.ndindex(outputs.shape[:2]):
        judged = np.isfinite(outputs[place]).all(axis=-1) & (rows.ring.judges[place] >= 0)
        if not judged.any():
            continue
        of_rows = None if weights is None else weights[judged]
        of_said = None if said is None else said[place][judged]
        for name, value in further_rows(probabilities[place][judged], rows.y[judged], of_rows, of_said).items():
            values[name][place][judged] = value
    return values


def with_further(scored: HeldOut, outputs: np.ndarray) -> HeldOut:
    """Return the scores of held-out rows with the further ones, of outputs `[rings, 2, n, n_outputs]`."""
    row_scores = (scored.row_scores or {}) | further_held_out(scored.rows, outputs)
    return HeldOut(scored.rows, row_scores, scored.judging)


def further_scores(held_out: HeldOut, test: dict[str, Interval] | None) -> record.FurtherScores:
    """Return the further scores as they stand in `study.json`.

    Args:
        held_out: see `with_further`.
        test: those on the test rows; None without any.
    """
    rows, names = held_out.rows, FURTHER[held_out.rows.problem.task]
    return record.FurtherScores(
        holdout={name: held_out.metric(name) for name in names},
        test=test,
        knowing_nothing=further_of_nothing(rows.y, rows.ring.weights) if rows.problem.is_classification else {},
    )


def further_on_test(rows: Rows, outputs: np.ndarray, test: Split) -> dict[str, Interval]:
    """Return the further scores on test rows, with intervals for other rows and other seeds.

    Args:
        outputs: of each seed, or of all together, `[R, n, n_outputs]`.
    """
    if rows.problem.is_classification:
        return scores.further_on_rows("classification", outputs, test.y, test.weights, test.blocks)
    predicted, actual = outputs[..., 0] * rows.problem.target_scale, test.y.astype(float) * rows.problem.target_scale
    return scores.further_on_rows("regression", predicted, actual, test.weights, test.blocks)


def threshold(held_out: HeldOut, outputs: np.ndarray, classes: list[str]) -> record.Threshold | None:
    """Return the threshold of the second class's probability that balances both classes best; None for other problems.

    Each fold is judged at the threshold that is best on the other folds, so its rows have no say in it.

    Args:
        held_out: see `with_further`.
        outputs: of every row by the seeds that hold it out, `[rings, 2, n, 2]`.
    """
    rows, ring = held_out.rows, held_out.rows.ring
    if rows.problem.n_outputs != 2 or not rows.problem.is_classification:
        return None
    probability = softmax(outputs.astype(np.float64), axis=-1)[..., 1]
    said = np.zeros(outputs.shape[:-1], int)
    for number, fold in enumerate(ring.fold):
        for k in np.unique(fold):
            others = fold > k if ring.is_in_time else fold != k
            at = _best(rows, probability[number], others)
            said[number][:, fold == k] = probability[number][:, fold == k] >= at
    at_threshold = HeldOut(rows, further_held_out(rows, outputs, said), held_out.judging)
    one, other = (scored.judged_rows("balanced_accuracy") for scored in (at_threshold, held_out))
    if not np.isfinite(one - other).any():
        return None
    [estimate] = estimates([one - other], ring)
    return record.Threshold(
        threshold=_best(rows, probability[0], np.ones(ring.n, bool)),
        of=classes[1],
        balanced_accuracy=at_threshold.metric("balanced_accuracy"),
        at_half=held_out.metric("balanced_accuracy"),
        difference=estimate.interval(),
        helps=None if estimate.p is None else bool(estimate.mean > 0 and estimate.p < SIGNIFICANCE),
    )


def _best(rows: Rows, probability: np.ndarray, among: np.ndarray) -> float:
    """Return the best threshold on some rows, bool `[n]`, by both seeds that hold each out, `[2, n]`."""
    return best_threshold(*rows.of_both_roles(probability, among))
