"""Scores against scikit-learn's, and intervals that hold the truth and no impossible value."""

import numpy as np
import pytest
from scipy import special
from sklearn import metrics
from sklearn.datasets import load_diabetes, load_digits

from pipeline.data.examples import Examples, Problem, Split
from pipeline.settings import Model, Train
from pipeline.statistics import scores
from pipeline.statistics.intervals import Interval, crossed, over_seeds
from pipeline.training.predict import predict
from pipeline.training.trainer import fit

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 4, 200)
LOGITS = RNG.normal(0, 3, (3, 200, 4)).astype(np.float32)
TARGETS = RNG.normal(50, 10, 200)
PREDICTIONS = TARGETS + RNG.normal(0, 5, (3, 200))


def softmax(logits: np.ndarray) -> np.ndarray:
    return special.softmax(logits.astype(np.float64), axis=-1)


@pytest.mark.parametrize(
    ("metric", "theirs"),
    [
        ("cross_entropy", lambda y, z: metrics.log_loss(y, softmax(z))),
        ("accuracy", lambda y, z: metrics.accuracy_score(y, z.argmax(axis=-1))),
        ("brier", lambda y, z: np.square(softmax(z) - np.eye(4)[y]).sum(axis=-1).mean()),
    ],
)
def test_classification_scores_are_those_of_scikit_learn(metric, theirs):
    found = scores.score_seeds(metric, "classification", LOGITS, LABELS)
    np.testing.assert_allclose(found, [theirs(LABELS, z) for z in LOGITS], rtol=1e-9)


@pytest.mark.parametrize(("metric", "theirs"), [("rmse", metrics.root_mean_squared_error), ("r2", metrics.r2_score)])
def test_regression_scores_are_those_of_scikit_learn(metric, theirs):
    found = scores.score_seeds(metric, "regression", PREDICTIONS, TARGETS)
    np.testing.assert_allclose(found, [theirs(TARGETS, p) for p in PREDICTIONS], rtol=1e-9)


def test_each_seed_may_have_rows_of_its_own_and_one_prediction_may_be_for_all_rows():
    labels = np.stack([LABELS, np.roll(LABELS, 1), np.roll(LABELS, 2)])
    found = scores.by_row("classification", LOGITS, labels)
    for seed in range(3):
        own = scores.by_row("classification", LOGITS[seed : seed + 1], labels[seed])
        for name, values in own.items():
            np.testing.assert_array_equal(found[name][seed], values[0])
    same = scores.by_row("classification", LOGITS[:, :1], LABELS)
    np.testing.assert_array_equal(
        same["brier"], scores.by_row("classification", LOGITS[:, :1].repeat(200, axis=1), LABELS)["brier"]
    )


def test_sure_and_wrong_costs_much_but_not_infinitely_much():
    found = scores.by_row("classification", np.array([[[1000.0, 0.0]]]), np.array([1]))
    assert {name: float(values[0, 0]) for name, values in found.items()} == pytest.approx(
        {"cross_entropy": 1000.0, "accuracy": 0.0, "brier": 2.0}
    )


def test_outputs_that_are_not_finite_have_no_loss():
    found = scores.by_row("classification", np.array([[[np.nan, 0.0]], [[1.0, 0.0]]]), np.array([1]))
    for name in ("cross_entropy", "brier"):
        assert np.isnan(found[name]).tolist() == [[True], [False]]


def test_targets_that_do_not_vary_have_no_r2():
    outputs, actual = np.array([[1.0, 2.0]]), np.array([3.0, 3.0])
    assert np.isnan(scores.score_seeds("r2", "regression", outputs, actual)).all()
    assert scores.interval_on_rows("r2", "regression", outputs, actual) == Interval()


@pytest.fixture(scope="module")
def digits() -> Examples:
    x, y = load_digits(return_X_y=True)
    x, y = (x / 16).astype(np.float32), y.astype(np.int32)
    return Examples.of_splits(
        Problem("classification", 64, 10), Split(x=x[:250], y=y[:250]), Split(x=x[250:350], y=y[250:350])
    )


@pytest.fixture(scope="module")
def diabetes() -> Examples:
    x, y = load_diabetes(return_X_y=True)
    x, y = (x * 20).astype(np.float32), ((y - y.mean()) / y.std()).astype(np.float32)
    parts = [Split(x=x[a:b], y=y[a:b]) for a, b in ((0, 300), (300, 400))]
    return Examples.of_splits(Problem("regression", 10, 1, target_scale=77.0), *parts)


@pytest.mark.parametrize("name", ["digits", "diabetes"])
def test_history_scored_in_the_graph_holds_the_same_numbers(name, request):
    examples, model = request.getfixturevalue(name), Model(hidden_units=[8])
    task = examples.problem.task
    fitted = fit(examples, model, Train(batch_size=32, epochs=2, train_score_rows=None), [0, 1])
    last = fitted.history.groupby("seed").tail(1)
    for split, rows in (("train", examples.train_rows[0]), ("validation", examples.val_rows[0])):
        outputs, actual = predict(model, examples.problem, fitted.weights, examples.x[rows]), examples.y[rows]
        if not examples.problem.is_classification:
            outputs, actual = outputs[..., 0] * 77.0, actual * 77.0
        for metric in scores.METRICS[task]:
            found = scores.score_seeds(metric, task, outputs, actual)
            np.testing.assert_allclose(last[f"{split}_{metric}"], found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("metric", "train", "validation"),
    [("cross_entropy", 0.1, 0.3), ("rmse", 50.0, 60.0), ("accuracy", 0.99, 0.9), ("r2", 0.8, 0.5)],
)
def test_gap_is_above_0_where_new_data_is_worse(metric, train, validation):
    assert scores.gap(metric, np.array([train]), np.array([validation]))[0] > 0
    assert scores.gap(metric, np.array([validation]), np.array([train]))[0] < 0


def test_spread_is_the_deviation_of_the_seeds_that_have_a_score():
    assert scores.spread([0.5, np.nan, 0.6, np.inf, 0.8]) == pytest.approx(np.std([0.5, 0.6, 0.8], ddof=1))
    assert scores.spread([0.5]) is scores.spread([]) is None


@pytest.mark.parametrize("metric", ["cross_entropy", "accuracy"])
def test_interval_on_rows_holds_the_truth_for_other_seeds_and_rows(metric):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 20_000)
    # Rows are easy or hard for all seeds, and seeds are better or worse on all rows.
    shared = rng.normal(0, 1, (1, 20_000, 3)) + 1.5 * np.eye(3)[labels]
    outputs = shared * rng.uniform(0.6, 1.4, (60, 1, 1)) + rng.normal(0, 0.3, (60, 20_000, 3))
    truth, held = scores.score_seeds(metric, "classification", outputs, labels).mean(), 0
    for _ in range(100):
        rows, seeds = rng.choice(20_000, 150, replace=False), rng.choice(60, 5, replace=False)
        found = scores.interval_on_rows(metric, "classification", outputs[np.ix_(seeds, rows)], labels[rows])
        held += found.low < truth < found.high
    assert held >= 90


def test_interval_on_rows_holds_the_truth_of_rmse_and_r2():
    rng, held = np.random.default_rng(0), {"rmse": 0, "r2": 0}
    for _ in range(100):
        actual = rng.normal(50, 10, 150)
        outputs = actual + rng.normal(0, 4, 150) + rng.normal(0, 3, (5, 150))
        for metric, truth in (("rmse", 5.0), ("r2", 0.75)):
            found = scores.interval_on_rows(metric, "regression", outputs, actual)
            held[metric] += found.low < truth < found.high
    assert held["rmse"] >= 90
    assert held["r2"] >= 85  # the targets' variance is taken as known


def test_intervals_hold_no_impossible_value():
    right = np.eye(4)[LABELS[:80]] * 30.0
    all_right = scores.interval_on_rows("accuracy", "classification", np.stack([right] * 10), LABELS[:80])
    assert all_right.mean == all_right.high == 1 and 0.9 < all_right.low < 1
    sure = scores.interval_on_rows("cross_entropy", "classification", np.stack([right] * 10), LABELS[:80])
    assert sure.low is None or sure.low > 0
    rng = np.random.default_rng(0)
    for _ in range(30):
        actual = rng.normal(0, 1, 6)
        outputs = actual + rng.normal(size=(2, 6)) ** 5
        rmse, r2 = (scores.interval_on_rows(metric, "regression", outputs, actual) for metric in ("rmse", "r2"))
        assert 0 < rmse.low < rmse.mean < rmse.high
        assert r2.low < r2.mean < r2.high <= 1


@pytest.mark.parametrize(
    ("metric", "values", "mean"),
    [("accuracy", [0.02, 0.3, 0.1], 0.14), ("cross_entropy", [0.01, 2.0], 1.005), ("r2", [0.99, 0.2], 0.595)],
)
def test_interval_over_seeds_stays_within_the_bounds_of_the_metric(metric, values, mean):
    found = scores.interval_over_seeds(metric, np.array([*values, np.nan]), 100)
    assert found.mean == pytest.approx(mean)
    assert found.low < found.mean < found.high
    assert metric == "r2" or found.low >= 0
    assert metric == "cross_entropy" or found.high <= 1


def test_interval_over_seeds_of_a_steady_loss_is_student_s():
    values = np.random.default_rng(0).normal(5, 0.01, 10)
    found, student = scores.interval_over_seeds("cross_entropy", values, 100), over_seeds(values)
    assert (found.mean, found.low, found.high) == pytest.approx((student.mean, student.low, student.high), rel=1e-4)
    assert scores.interval_over_seeds("rmse", values[:1], 100) == Interval(values[0])


def test_r2_and_rmse_are_told_of_one_estimate():
    estimate = crossed(np.random.default_rng(0).gamma(2, 1, (3, 50)))
    rmse, r2 = (scores.interval_of(metric, estimate, 4.0) for metric in ("rmse", "r2"))
    assert r2.mean == pytest.approx(1 - rmse.mean**2 / 4)
    assert (r2.low, r2.high) == pytest.approx((1 - rmse.high**2 / 4, 1 - rmse.low**2 / 4))


def test_interval_on_rows_leaves_out_seeds_without_outputs_and_needs_two_rows():
    broken = np.concatenate([LOGITS, np.full_like(LOGITS[:1], np.nan)])
    found = scores.interval_on_rows("accuracy", "classification", broken, LABELS)
    assert found == scores.interval_on_rows("accuracy", "classification", LOGITS, LABELS)
    means = scores.score_seeds("accuracy", "classification", LOGITS, LABELS)
    assert found.mean == pytest.approx(means.mean())
    one = scores.interval_on_rows("cross_entropy", "classification", LOGITS[:, :1], LABELS[:1])
    assert (one.low, one.high) == (None, None)
    assert scores.interval_on_rows("accuracy", "classification", broken[3:], LABELS) == Interval()
