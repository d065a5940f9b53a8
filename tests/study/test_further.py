"""Further scores of held-out rows, the threshold of a decision, and calibration by one temperature."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import balanced_accuracy_score, precision_recall_fscore_support, roc_auc_score

from experiments.study.calibration import Calibrated
from experiments.study.classes import class_scores
from experiments.study.further import threshold, with_further
from experiments.study.held_out import HeldOut
from experiments.study.rows import Rows, pooled
from pipeline.data.examples import Problem, Split
from pipeline.statistics.calibration import temperature
from pipeline.statistics.metrics import best_threshold

SEEDS = list(range(10))


def imbalanced(n: int = 1500) -> tuple[Rows, np.ndarray]:
    """Return rows of which about a seventh is of the second class, and calibrated logits of them, `[1, 2, n, 2]`."""
    rng = np.random.default_rng(0)
    logit = rng.normal(-2.3, 1.5, n)
    y = (rng.uniform(size=n) < expit(logit)).astype(np.int32)
    cut = int(0.8 * n)
    splits = [Split(np.zeros((len(part), 1), np.float32), part) for part in (y[:cut], y[cut:])]
    rows = pooled(*splits, SEEDS, Problem("classification", 1, 2))
    outputs = np.stack([np.zeros(n), logit], axis=1)
    return rows, np.broadcast_to(outputs, (1, 2, n, 2)).copy()


def scored(rows: Rows, outputs: np.ndarray) -> HeldOut:
    return with_further(HeldOut(rows, rows.score_held_out(outputs), np.ones(rows.ring.n, bool)), outputs)


def test_scores_of_held_out_rows_are_those_of_scikit_learn():
    rows, outputs = imbalanced()
    held_out, p = scored(rows, outputs), expit(outputs[0, 0, :, 1])
    assert held_out.metric("roc_auc").mean == pytest.approx(roc_auc_score(rows.y, p))
    assert held_out.metric("balanced_accuracy").mean == pytest.approx(balanced_accuracy_score(rows.y, p > 0.5))
    interval = held_out.metric("balanced_accuracy")
    assert interval.low < interval.mean < interval.high


def test_scores_of_classes_are_those_of_scikit_learn_with_intervals():
    rows, outputs = imbalanced()
    no, yes = class_scores(scored(rows, outputs), outputs, ["no", "yes"])
    *expected, support = precision_recall_fscore_support(rows.y, outputs[0, 0].argmax(axis=-1))
    for k, found in enumerate((no, yes)):
        means = [found.precision.mean, found.recall.mean, found.f1.mean]
        assert means == pytest.approx([score[k] for score in expected])
        assert (found.rows, found.share) == (support[k], pytest.approx(support[k] / len(rows.y)))
    assert no.recall.low < no.recall.mean < no.recall.high
    assert yes.recall.high - yes.recall.low > no.recall.high - no.recall.low  # of fewer rows less is known


def test_a_class_that_is_never_said_has_no_precision():
    rows, outputs = imbalanced()
    outputs[..., 0] += 100
    _, yes = class_scores(scored(rows, outputs), outputs, ["no", "yes"])
    assert yes.precision.mean is None and yes.recall.mean == 0 and yes.recall.high < 0.05


def test_rows_that_may_not_judge_do_not_count_in_the_scores_of_classes():
    rows, outputs = imbalanced()
    judging = np.arange(len(rows.y)) < 500
    [no, _] = class_scores(replace(scored(rows, outputs), judging=judging), outputs, ["no", "yes"])
    assert no.rows == (rows.y[:500] == 0).sum()
    assert no.recall.mean == pytest.approx(np.mean(outputs[0, 0, :500][rows.y[:500] == 0].argmax(axis=-1) == 0))


def test_the_threshold_balances_two_classes_and_is_judged_by_rows_that_did_not_choose_it():
    rows, outputs = imbalanced()
    found, p = threshold(scored(rows, outputs), outputs, ["no", "yes"]), expit(outputs[0, 0, :, 1])
    assert found.of == "yes" and found.helps and found.difference.low > 0
    assert found.threshold == pytest.approx(rows.y.mean(), abs=0.1)  # of calibrated probabilities
    assert found.balanced_accuracy.mean <= balanced_accuracy_score(rows.y, p >= found.threshold) + 1e-9
    assert found.at_half.mean == pytest.approx(balanced_accuracy_score(rows.y, p > 0.5))


def test_the_best_threshold_is_the_best():
    rng = np.random.default_rng(1)
    p, y = np.round(rng.uniform(size=300), 2), rng.integers(0, 2, 300)
    p = np.where(y, np.sqrt(p), p)
    at = best_threshold(p, y)
    best = max(balanced_accuracy_score(y, p >= candidate) for candidate in [*np.unique(p), 1.1])
    assert balanced_accuracy_score(y, p >= at) == pytest.approx(best)
    assert best_threshold(p, np.zeros(300, int)) == 0.5


def test_a_temperature_mends_overconfidence_and_says_by_how_much():
    rows, outputs = imbalanced()
    too_confident = 3 * outputs
    assert temperature(too_confident[0, 0], rows.y) == pytest.approx(3, rel=0.15)
    calibrated = Calibrated.of(rows, too_confident)
    record = calibrated.to_record(scored(rows, too_confident), scored(rows, calibrated.outputs))
    assert record.helps and record.overconfidence.low > 0 and record.temperature == pytest.approx(3, rel=0.15)
    assert record.error_after.mean < record.error.mean / 2
    as_it_was = Calibrated.of(rows, outputs)
    assert not as_it_was.to_record(scored(rows, outputs), scored(rows, as_it_was.outputs)).helps


def test_no_fold_chooses_its_own_temperature():
    rows, outputs = imbalanced()
    first = rows.ring.fold[0] == 0
    changed = outputs.copy()
    changed[0][:, first] *= 5
    before, after = Calibrated.of(rows, outputs).outputs, Calibrated.of(rows, changed).outputs
    np.testing.assert_allclose(after[0][:, first], 5 * before[0][:, first], rtol=1e-6)


def test_classes_of_more_than_two_have_no_threshold():
    rows, outputs = imbalanced()
    three = replace(rows, problem=Problem("classification", 1, 3))
    wider = np.concatenate([outputs, outputs[..., :1] - 9], axis=-1)
    assert threshold(scored(three, wider), wider, ["a", "b", "c"]) is None
