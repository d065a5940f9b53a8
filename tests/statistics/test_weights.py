"""Weighted means, their errors and the scores made of them, next to scikit-learn, SciPy and resampling."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import special, stats
from sklearn import metrics

from pipeline.statistics import scores
from pipeline.statistics.comparisons import choose, estimates, influence
from pipeline.statistics.intervals import crossed
from pipeline.statistics.ring import Ring, draw_ring
from pipeline.statistics.weights import effective_rows, linearized, over_judges, variance

N = 400
RNG = np.random.default_rng(0)
WEIGHTS = RNG.gamma(1.5, 1, N)
VALUES = RNG.gamma(2, 1, (3, N)) * np.sqrt(WEIGHTS)  # heavy rows are harder
BY_ROW = VALUES.mean(axis=0)


def test_linearized_rows_have_the_weighted_mean_and_are_linear_in_their_values():
    rows = linearized(VALUES, WEIGHTS)
    assert rows.mean() == pytest.approx(np.average(BY_ROW, weights=WEIGHTS))
    np.testing.assert_allclose(rows.mean(axis=1), np.average(VALUES, axis=1, weights=WEIGHTS))
    difference = linearized(VALUES - 2 * VALUES[::-1], WEIGHTS)
    np.testing.assert_allclose(difference, rows - 2 * linearized(VALUES[::-1], WEIGHTS))
    np.testing.assert_allclose(linearized(VALUES, np.full(N, 7.0)), VALUES)
    assert linearized(VALUES, None) is VALUES


def test_their_standard_error_is_that_of_resampled_weighted_means():
    def weighted_mean(values: np.ndarray, weights: np.ndarray, axis: int = -1) -> np.ndarray:
        return (values * weights).sum(axis=axis) / weights.sum(axis=axis)

    resampled = stats.bootstrap(
        (BY_ROW, WEIGHTS), weighted_mean, paired=True, n_resamples=4000, method="basic", rng=np.random.default_rng(1)
    )
    assert stats.sem(linearized(BY_ROW, WEIGHTS)) == pytest.approx(resampled.standard_error, rel=0.05)
    # Not that of equal rows, nor of as many rows as are there.
    assert stats.sem(BY_ROW) < 0.8 * resampled.standard_error


def test_a_row_that_no_model_judges_has_no_part_in_it():
    values = np.where(np.arange(N) % 4 == 0, np.nan, VALUES)
    judged = np.arange(N) % 4 > 0
    rows = over_judges(linearized(values, WEIGHTS))
    assert np.nanmean(rows) == pytest.approx(np.average(BY_ROW[judged], weights=WEIGHTS[judged]))
    np.testing.assert_allclose(rows[judged], linearized(BY_ROW[judged], WEIGHTS[judged]))
    assert np.isnan(linearized(np.full((2, 3), np.nan), np.ones(3))).all()


def weighted_ring(seeds: int = 10) -> Ring:
    return replace(draw_ring(N, range(seeds)), weights=WEIGHTS)


def test_the_mean_over_a_ring_and_that_of_a_seed_are_weighted():
    ring = weighted_ring()
    values = RNG.gamma(2, 1, ring.judges.shape)
    assert ring.mean(values) == pytest.approx(np.average(values.mean(axis=(0, 1)), weights=WEIGHTS))
    [estimate] = estimates([values], ring)
    assert estimate.mean == pytest.approx(ring.mean(values))
    assert estimate.n == effective_rows(WEIGHTS) < N
    first, second = ring.held_out(3, 0), ring.held_out(3, 1)
    of_seed = np.concatenate([values[0, 0, first], values[0, 1, second]])
    assert ring.by_seed(values)[3] == pytest.approx(np.average(of_seed, weights=WEIGHTS[np.r_[first, second]]))


def test_equal_weights_change_no_estimate():
    ring = draw_ring(N, range(10))
    values = list(RNG.normal(0.1, 1, (3, *ring.judges.shape)))
    weighted_ring = replace(ring, weights=np.full(N, 3.0))
    for plain, weighted in zip(estimates(values, ring), estimates(values, weighted_ring), strict=True):
        assert vars(weighted) == {name: pytest.approx(value) for name, value in vars(plain).items()}


def test_intervals_of_weighted_means_hold_the_truth():
    """Rows of a larger weight have a larger loss, and each model has its luck."""
    rng, held, runs = np.random.default_rng(3), 0, 400
    for run in range(runs):
        weights = rng.gamma(1.5, 1, 200)
        ring = replace(draw_ring(200, range(run, run + 10)), weights=weights)
        luck = ring.by_row(np.tile(rng.normal(0, 0.1, 10), (2, 1)))
        interval = estimates([weights + rng.normal(size=200) + luck], ring)[0].interval()
        held += interval.low <= 2.5 <= interval.high  # E[w^2] / E[w] of this gamma distribution
    assert 0.92 <= held / runs <= 0.98


def test_a_choice_goes_by_weighted_losses():
    ring = replace(draw_ring(N, range(10)), weights=np.where(np.arange(N) < 20, 1000.0, 1.0))
    losses = np.broadcast_to(np.stack([np.arange(N) < 20, np.arange(N) >= 20])[:, None, None], (2, *ring.judges.shape))
    assert (choose(losses.astype(float), ring) == 1).all()


def test_the_rows_that_carry_a_weighted_difference_are_named():
    ring = weighted_ring()
    values = RNG.normal(0.5, 1, ring.judges.shape)
    found, by_row = influence(values, WEIGHTS), over_judges(values)
    assert found.rows == np.argsort(-WEIGHTS * by_row)[:10].tolist()
    rest = np.delete(np.arange(N), found.rows)
    assert found.without == pytest.approx(np.average(by_row[rest], weights=WEIGHTS[rest]))


LOGITS = RNG.normal(size=(2, N, 3))
LABELS = RNG.integers(0, 3, N)
SKLEARN = {
    "accuracy": lambda logits: metrics.accuracy_score(LABELS, logits.argmax(-1), sample_weight=WEIGHTS),
    "cross_entropy": lambda logits: metrics.log_loss(LABELS, special.softmax(logits, -1), sample_weight=WEIGHTS),
    "rmse": lambda outputs: metrics.root_mean_squared_error(BY_ROW, outputs, sample_weight=WEIGHTS),
    "r2": lambda outputs: metrics.r2_score(BY_ROW, outputs, sample_weight=WEIGHTS),
}


@pytest.mark.parametrize("metric", SKLEARN)
def test_scores_are_those_of_scikit_learn_with_sample_weights(metric):
    task = "classification" if metric in scores.METRICS["classification"] else "regression"
    outputs, actual = (LOGITS, LABELS) if task == "classification" else (VALUES[:2], BY_ROW)
    by_seed = scores.score_seeds(metric, task, outputs, actual, WEIGHTS)
    np.testing.assert_allclose(by_seed, [SKLEARN[metric](of_seed) for of_seed in outputs])
    interval = scores.interval_on_rows(metric, task, outputs, actual, WEIGHTS)
    mean = np.sqrt(np.square(by_seed).mean()) if metric == "rmse" else by_seed.mean()
    assert interval.mean == pytest.approx(mean) and interval.low < interval.mean < interval.high


def test_weighted_seeds_and_rows_are_crossed():
    estimate = crossed(VALUES, WEIGHTS)
    assert estimate.mean == pytest.approx(np.average(BY_ROW, weights=WEIGHTS))
    assert estimate.rows_variance == pytest.approx(stats.sem(linearized(BY_ROW, WEIGHTS)) ** 2)
    by_seed = np.average(VALUES, axis=1, weights=WEIGHTS)
    assert estimate.models_variance == pytest.approx(by_seed.var(ddof=1) / 3)
    assert variance(BY_ROW, WEIGHTS) == pytest.approx(np.cov(BY_ROW, aweights=WEIGHTS, ddof=0))
