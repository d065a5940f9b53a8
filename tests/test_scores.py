"""Scores against scikit-learn's, and intervals against the share of times that they hold the truth."""

import numpy as np
import pytest
from scipy import special
from sklearn import metrics
from sklearn.datasets import load_diabetes, load_digits

from pipeline import scores
from pipeline.examples import Examples, Problem, Split
from pipeline.model import predict
from pipeline.params import Model, Train
from pipeline.trainer import fit

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 4, 200)
LOGITS = RNG.normal(0, 3, (3, 200, 4)).astype(np.float32)
TARGETS = RNG.normal(50, 10, 200)
PREDICTIONS = TARGETS + RNG.normal(0, 5, (3, 200))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (scores.cross_entropy, lambda y, z: metrics.log_loss(y, special.softmax(z.astype(np.float64), axis=-1))),
        (scores.accuracy, lambda y, z: metrics.accuracy_score(y, z.argmax(axis=-1))),
    ],
)
def test_classification_scores_are_those_of_scikit_learn(ours, theirs):
    np.testing.assert_allclose(ours(LOGITS, LABELS), [theirs(LABELS, z) for z in LOGITS], rtol=1e-9)


@pytest.mark.parametrize(
    ("ours", "theirs"), [(scores.rmse, metrics.root_mean_squared_error), (scores.r2, metrics.r2_score)]
)
def test_regression_scores_are_those_of_scikit_learn(ours, theirs):
    np.testing.assert_allclose(ours(PREDICTIONS, TARGETS), [theirs(TARGETS, p) for p in PREDICTIONS], rtol=1e-9)


def test_sure_and_wrong_costs_much_but_not_infinitely_much():
    found = scores.cross_entropy(np.array([[[1000.0, 0.0]]]), np.array([1]))
    assert found == pytest.approx([1000.0])


def test_targets_that_do_not_vary_have_no_r2():
    assert np.isnan(scores.r2(np.array([[1.0, 2.0]]), np.array([3.0, 3.0]))).all()


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
    return Examples.of_splits(Problem("regression", 10, 1), *parts, target_scale=77.0)


@pytest.mark.parametrize("name", ["digits", "diabetes"])
def test_history_scored_in_the_graph_holds_the_same_numbers(name, request):
    examples, model = request.getfixturevalue(name), Model(hidden_units=[8])
    fitted = fit(examples, model, Train(batch_size=32, epochs=2, train_score_rows=None), [0, 1])
    last = fitted.history.groupby("seed").tail(1)
    for split, rows in (("train", examples.train_rows[0]), ("val", examples.val_rows[0])):
        outputs, actual = predict(model, examples.problem, fitted.weights, examples.x[rows]), examples.y[rows]
        if not examples.problem.is_classification:
            outputs, actual = outputs[..., 0] * 77.0, actual * 77.0
        for metric, score in scores.METRICS[examples.problem.task].items():
            np.testing.assert_allclose(last[f"{split}_{metric}"], score(outputs, actual), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("metric", "train", "validation"),
    [("cross_entropy", 0.1, 0.3), ("rmse", 50.0, 60.0), ("accuracy", 0.99, 0.9), ("r2", 0.8, 0.5)],
)
def test_gap_is_above_0_where_new_data_is_worse(metric, train, validation):
    assert scores.gap(metric, np.array([train]), np.array([validation]))[0] > 0
    assert scores.gap(metric, np.array([validation]), np.array([train]))[0] < 0


def test_interval_of_five_normal_scores_holds_the_truth_95_times_of_100():
    rng, truth = np.random.default_rng(0), 0.9
    intervals = [scores.interval(row) for row in rng.normal(truth, 0.01, (4000, 5))]
    covered = np.mean([found["low"] <= truth <= found["high"] for found in intervals])
    assert 0.93 < covered < 0.97


def test_interval_is_around_the_mean_and_wider_where_seeds_differ_more():
    narrow, wide = scores.interval([0.90, 0.91, 0.92]), scores.interval([0.81, 0.91, 1.01])
    for found in (narrow, wide):
        assert found["mean"] == pytest.approx(0.91)
        assert found["mean"] - found["low"] == pytest.approx(found["high"] - found["mean"])
    assert wide["high"] - wide["low"] == pytest.approx(10 * (narrow["high"] - narrow["low"]))


def test_equal_seeds_have_an_interval_of_no_width():
    for seeds in (3, 10):  # the mean of ten 0.1 is not 0.1
        assert scores.interval([0.1] * seeds) == {"mean": 0.1, "low": 0.1, "high": 0.1}


def test_one_seed_has_a_mean_and_no_interval():
    assert scores.interval([0.5]) == {"mean": 0.5, "low": None, "high": None}
    assert scores.spread([0.5]) is None


def test_no_seed_has_neither():
    assert scores.interval([]) == {"mean": None, "low": None, "high": None}
    assert scores.spread([]) is None


def test_seeds_that_share_rows_have_a_wider_interval():
    values, seeds, judged, trained = [0.90, 0.91, 0.93, 0.96], 4, 20, 80
    plain, corrected = scores.interval(values), scores.interval(values, judged / trained)
    assert corrected["mean"] == plain["mean"]
    widths = [found["high"] - found["low"] for found in (plain, corrected)]
    assert widths[1] / widths[0] == pytest.approx(np.sqrt((1 / seeds + judged / trained) / (1 / seeds)))
    assert widths[0] == pytest.approx(2 * 3.182446 * np.std(values, ddof=1) / np.sqrt(seeds))


@pytest.mark.parametrize("overlap", [-0.1, np.nan, np.inf])
def test_overlap_that_is_no_ratio_is_refused(overlap):
    with pytest.raises(ValueError, match="overlap must be"):
        scores.interval([0.5, 0.6], overlap)


def test_seeds_without_a_score_are_left_out():
    whole, with_diverged = [0.5, 0.6, 0.8], [0.5, np.nan, 0.6, np.inf, 0.8]
    assert scores.interval(with_diverged) == scores.interval(whole)
    assert scores.spread(with_diverged) == scores.spread(whole) == pytest.approx(np.std(whole, ddof=1))
    assert scores.interval([np.nan, np.nan]) == scores.interval([])


@pytest.mark.parametrize("name", ["cross_entropy", "accuracy"])
def test_interval_on_new_rows_holds_the_truth_for_other_seeds_and_rows(name):
    rng, metric = np.random.default_rng(0), scores.METRICS["classification"][name]
    labels = rng.integers(0, 3, 20_000)
    # Rows are easy or hard for all seeds, and seeds are better or worse on all rows.
    shared = rng.normal(0, 1, (1, 20_000, 3)) + 1.5 * np.eye(3)[labels]
    outputs = shared * rng.uniform(0.6, 1.4, (200, 1, 1)) + rng.normal(0, 0.3, (200, 20_000, 3))
    truth, held, too_narrow = metric(outputs, labels).mean(), 0, 0
    for _ in range(100):
        rows, seeds = rng.choice(20_000, 150, replace=False), rng.choice(200, 5, replace=False)
        sample, actual = outputs[np.ix_(seeds, rows)], labels[rows]
        found, of_seeds = scores.interval_on_new_rows(metric, sample, actual), scores.interval(metric(sample, actual))
        held += found["low"] < truth < found["high"]
        too_narrow += not of_seeds["low"] < truth < of_seeds["high"]
    assert held >= 90
    assert too_narrow > 20


def test_interval_on_new_rows_leaves_out_seeds_without_outputs_and_needs_two_rows():
    broken = np.concatenate([LOGITS, np.full_like(LOGITS[:1], np.nan)])
    found = scores.interval_on_new_rows(scores.accuracy, broken, LABELS)
    assert found == scores.interval_on_new_rows(scores.accuracy, LOGITS, LABELS)
    assert found["mean"] == pytest.approx(scores.accuracy(LOGITS, LABELS).mean())
    unknown = {"low": None, "high": None}
    one = scores.interval_on_new_rows(scores.accuracy, LOGITS[:, :1], LABELS[:1])
    assert one == {"mean": scores.accuracy(LOGITS[:, :1], LABELS[:1]).mean()} | unknown
    assert scores.interval_on_new_rows(scores.accuracy, broken[3:], LABELS) == {"mean": None} | unknown


def test_interval_on_new_rows_of_one_seed_is_that_over_rows():
    found = scores.interval_on_new_rows(scores.accuracy, LOGITS[:1], LABELS)
    share = scores.accuracy(LOGITS[:1], LABELS)[0]
    half = 1.97 * np.sqrt(share * (1 - share) / len(LABELS))
    assert found["high"] - found["mean"] == pytest.approx(half, rel=0.15)
