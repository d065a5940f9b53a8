"""Further scores: scikit-learn's values, and influences that a numerical jackknife confirms."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn import metrics as sk

from pipeline.statistics.intervals import crossed
from pipeline.statistics.metrics import OF_CLASS, class_rows, further_rows
from pipeline.statistics.weights import average


def predictions(classes: int, n: int = 200, ties: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return probabilities, actual classes and weights."""
    rng = np.random.default_rng(classes)
    actual = rng.choice(classes, n, p=np.array([0.7, *[0.3 / (classes - 1)] * (classes - 1)]))
    logits = rng.normal(size=(n, classes)) + 1.5 * np.eye(classes)[actual]
    return softmax(np.round(logits, 0 if ties else 12), axis=1), actual, rng.uniform(0.2, 3, n)


def of_scikit_learn(p: np.ndarray, actual: np.ndarray, weights: np.ndarray | None) -> dict[str, float]:
    said, options = p.argmax(axis=1), {"sample_weight": weights}
    truth = np.eye(p.shape[1])[actual]
    if p.shape[1] == 2:
        p_of, truth_of = p[:, 1], actual
    else:
        p_of, truth_of = p, truth
    recalls = sk.recall_score(actual, said, average=None, **options)
    return {
        "balanced_accuracy": recalls.mean(),
        "f1": sk.f1_score(actual, said, average="macro", **options),
        "roc_auc": sk.roc_auc_score(truth_of, p_of, average="macro", **options),
        "average_precision": sk.average_precision_score(truth_of, p_of, average="macro", **options),
        "brier": np.average(np.square(p - truth).sum(axis=1), weights=weights),
    }


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("classes", [2, 4])
def test_scores_are_those_of_scikit_learn(classes, ties, weighted):
    p, actual, weights = predictions(classes, ties=ties)
    weights = weights if weighted else None
    rows = further_rows(p, actual, weights)
    for name, value in of_scikit_learn(p, actual, weights).items():
        assert average(rows[name], weights) == pytest.approx(value, abs=1e-10), name


@pytest.mark.parametrize("weighted", [False, True])
def test_scores_of_a_class_are_those_of_scikit_learn(weighted):
    p, actual, weights = predictions(4)
    said, weights = p.argmax(axis=1), weights if weighted else None
    *expected, _ = sk.precision_recall_fscore_support(actual, said, sample_weight=weights)
    for k in range(4):
        rows = class_rows(said, actual, k, weights)
        means = [average(rows[name], weights) for name in OF_CLASS]
        assert means == pytest.approx([of_score[k] for of_score in expected], abs=1e-10)
    rows = class_rows(np.zeros_like(said), actual, 3)
    assert np.isnan(rows["precision"]).all() and average(rows["recall"], None) == average(rows["f1"], None) == 0


@pytest.mark.parametrize("classes", [2, 3])
def test_values_of_rows_are_influences(classes):
    p, actual, weights = predictions(classes, n=60)
    rows, step = further_rows(p, actual, weights), 1e-6
    for row in (0, 7, 31):
        moved = weights / weights.sum()
        moved = (1 - step) * moved + step * np.eye(len(weights))[row]
        shifted = of_scikit_learn(p, actual, moved)
        before = of_scikit_learn(p, actual, weights)
        for name in ("balanced_accuracy", "f1", "roc_auc", "average_precision", "brier"):
            influence = (shifted[name] - before[name]) / step
            assert rows[name][row] - before[name] == pytest.approx(influence, abs=1e-3), name


def test_calibration_error_is_the_mean_distance_in_bins_of_as_many_rows():
    p, actual, _ = predictions(3, n=150)
    confidence, hits = p.max(axis=1), p.argmax(axis=1) == actual
    order = np.argsort(confidence, kind="stable").reshape(15, 10)
    expected = np.abs(confidence[order].mean(axis=1) - hits[order].mean(axis=1)).mean()
    assert further_rows(p, actual)["calibration_error"].mean() == pytest.approx(expected)


def test_a_class_without_rows_is_left_out_and_one_class_alone_has_no_curve():
    p, actual, _ = predictions(4)
    kept = actual != 3
    known = further_rows(p[kept], actual[kept])
    assert known["roc_auc"].mean() == pytest.approx(
        np.mean([sk.roc_auc_score(actual[kept] == k, p[kept][:, k]) for k in range(3)])
    )
    alone = further_rows(p[actual == 0], actual[actual == 0])
    assert np.isnan(alone["roc_auc"]).all() and np.isfinite(alone["balanced_accuracy"]).all()


@pytest.mark.parametrize("name", ["balanced_accuracy", "f1", "roc_auc", "average_precision"])
def test_intervals_hold_the_true_score(name):
    rng, covered, times = np.random.default_rng(5), 0, 300

    def draw(n):
        actual = (rng.uniform(size=n) < 0.3).astype(int)
        second = rng.normal(size=n) + actual
        return softmax(np.stack([np.zeros(n), second - 0.8], axis=1), axis=1), actual

    truth = further_rows(*draw(400_000))[name].mean()
    for _ in range(times):
        interval = crossed(further_rows(*draw(300))[name][None]).interval()
        covered += interval.low <= truth <= interval.high
    assert covered >= 0.92 * times, covered / times
