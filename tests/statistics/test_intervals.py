"""Intervals against SciPy's, against their bounds, and against the share of times that they hold the truth."""

import numpy as np
import pytest
from scipy import stats

from pipeline.statistics.intervals import Estimate, Interval, above_0, bounded_share, crossed, of_share, over_seeds

UNKNOWN = Estimate(mean=0.8, rows_variance=0.0, models_variance=0.0, freedom=0.0, n=80)


def test_interval_of_five_normal_scores_holds_the_truth_95_times_of_100():
    intervals = [over_seeds(row) for row in np.random.default_rng(0).normal(0.9, 0.01, (2000, 5))]
    assert 0.93 < np.mean([found.low <= 0.9 <= found.high for found in intervals]) < 0.97


def test_interval_over_seeds_is_student_s():
    values = [0.90, 0.91, 0.93, 0.96]
    found, theirs = over_seeds(values), stats.ttest_1samp(values, 0).confidence_interval()
    assert (found.mean, found.low, found.high) == pytest.approx((np.mean(values), theirs.low, theirs.high))


def test_equal_seeds_have_an_interval_of_no_width():
    for seeds in (3, 10):  # the mean of ten 0.1 is not 0.1
        assert over_seeds([0.1] * seeds) == Interval(0.1, 0.1, 0.1)


def test_fewer_than_two_seeds_have_no_interval():
    assert over_seeds([0.5]) == Interval(0.5)
    assert over_seeds([]) == over_seeds([np.nan, np.inf]) == Interval()
    assert not over_seeds([0.5]).is_known


def test_seeds_without_a_score_are_left_out():
    assert over_seeds([0.5, np.nan, 0.6, np.inf, 0.8]) == over_seeds([0.5, 0.6, 0.8])


def test_p_interval_and_detectable_difference_are_student_s():
    found = Estimate(mean=-0.03, rows_variance=9e-5, models_variance=7e-5, freedom=12.0, n=500)
    error = np.sqrt(16e-5)
    assert found.p == pytest.approx(2 * stats.t.sf(0.03 / error, 12))
    interval = found.interval()
    assert (interval.low, interval.high) == pytest.approx(stats.t.interval(0.95, 12, -0.03, error))
    together = found.interval(comparisons=13)
    assert together.high - together.mean == pytest.approx(stats.t.isf(0.025 / 13, 12) * error)
    assert found.detectable(13) == pytest.approx((stats.t.isf(0.025 / 13, 12) + stats.t.ppf(0.8, 12)) * error)


def test_detectable_difference_is_found_four_times_of_five():
    rng, error, freedom = np.random.default_rng(0), 0.01, 20
    truth = Estimate(0.0, error**2, 0.0, freedom, 100).detectable()
    seen = truth + error * rng.normal(size=20_000)
    told = error * np.sqrt(rng.chisquare(freedom, 20_000) / freedom)
    p = 2 * stats.t.sf(np.abs(seen) / told, freedom)
    assert (p < 0.05).mean() == pytest.approx(0.8, abs=0.02)


def test_so_many_times_the_rows_or_models_find_the_difference_seen():
    found = Estimate(mean=0.03, rows_variance=9e-5, models_variance=2e-5, freedom=30.0, n=500)
    rows, models = found.times_as_many()
    assert rows > 1
    assert Estimate(0.03, 9e-5 / rows, 2e-5, 30.0, 500).detectable() == pytest.approx(0.03)
    assert models is None or models > 1
    assert Estimate(0.03, 0.0, 2e-5, 30.0, 500).times_as_many()[0] == 0
    # Where the models' luck alone hides it, no number of rows helps; and a difference of 0 is never found.
    assert Estimate(0.03, 1e-6, 9e-4, 30.0, 500).times_as_many()[0] is None
    assert Estimate(0.0, 1e-6, 9e-4, 30.0, 500).times_as_many() == (None, None)


def test_estimate_whose_error_is_not_known_has_no_p_and_no_interval():
    assert (UNKNOWN.p, UNKNOWN.detectable(), UNKNOWN.times_as_many()) == (None, None, (None, None))
    for interval in (UNKNOWN.interval(), bounded_share(UNKNOWN), above_0(UNKNOWN)):
        assert interval == Interval(0.8)


@pytest.mark.parametrize(("right", "of"), [(0, 10), (3, 10), (10, 10), (80, 80)])
def test_interval_of_a_share_is_the_exact_one(right, of):
    theirs = stats.binomtest(right, of).proportion_ci(method="exact")
    found = of_share(right / of, of)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))


def test_share_of_nothing_is_not_known():
    assert of_share(0.0, 0) == Interval()


def test_all_rows_right_are_no_proof_that_all_rows_are_right():
    found = bounded_share(crossed(np.ones((10, 80))))
    assert (found.mean, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / 80))


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98, 0.999])
def test_interval_of_an_accuracy_stays_within_its_bounds_and_holds_the_truth(share):
    rng, held = np.random.default_rng(0), 0
    for _ in range(300):
        hard = rng.beta(20 * share, 20 * (1 - share), size=150)  # rows are easy or hard for all seeds
        found = bounded_share(crossed((rng.random((5, 150)) < hard).astype(float)))
        assert 0 <= found.low <= found.mean <= found.high <= 1
        held += found.low <= share <= found.high
    assert held >= 279  # 93 of 100


def test_interval_of_a_loss_stays_above_0():
    rng = np.random.default_rng(0)
    for _ in range(50):
        found = above_0(crossed(rng.exponential(size=(3, 8)) ** 6))
        assert 0 < found.low < found.mean < found.high
    assert above_0(crossed(np.zeros((3, 8)))) == Interval(0.0)  # of a loss of 0 nothing can be told


def test_interval_of_a_loss_holds_the_truth():
    rng = np.random.default_rng(0)
    found = [above_0(crossed(rng.gamma(2.0, 0.5, (1, 100)).repeat(3, axis=0))) for _ in range(500)]
    assert 0.92 < np.mean([each.low <= 1.0 <= each.high for each in found]) < 0.98


def test_crossed_interval_holds_the_truth_for_other_seeds_and_other_rows_and_either_alone_does_not():
    rng, held, rows_alone, seeds_alone = np.random.default_rng(0), 0, 0, 0
    for _ in range(400):
        values = rng.normal(size=(5, 1)) + 3 * rng.normal(size=(1, 40)) + rng.normal(size=(5, 40))
        found = crossed(values).interval()
        held += found.low <= 0 <= found.high
        by_row, by_seed = over_seeds(values.mean(axis=0)), over_seeds(values.mean(axis=1))
        rows_alone += by_row.low <= 0 <= by_row.high
        seeds_alone += by_seed.low <= 0 <= by_seed.high
    assert held >= 0.93 * 400
    assert max(rows_alone, seeds_alone) < 0.90 * 400


def test_crossed_estimate_of_one_seed_is_that_over_rows_and_one_row_tells_no_error():
    values = np.random.default_rng(0).normal(size=(1, 50))
    theirs = stats.ttest_1samp(values[0], 0).confidence_interval()
    found = crossed(values).interval()
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    assert crossed(values[:, :1]).interval() == Interval(values[0, 0])


def test_an_interval_of_rows_that_depend_on_each_other_holds_the_truth_by_their_blocks():
    """Rows are near each other in time and have an error in common with their neighbours."""
    rng, blocks = np.random.default_rng(0), np.repeat(np.arange(10), 20)
    held = {"blocks": 0, "rows": 0}
    for _ in range(400):
        values = (rng.normal(size=10)[blocks] + rng.normal(size=200))[None]
        for name, of_rows in (("blocks", blocks), ("rows", None)):
            interval = crossed(values, blocks=of_rows).interval()
            held[name] += interval.low < 0 < interval.high
    assert 0.92 < held["blocks"] / 400 < 0.98 and held["rows"] / 400 < 0.6


def test_blocks_of_one_row_are_independent_rows_and_a_single_block_tells_no_error():
    values = np.random.default_rng(1).normal(size=(3, 40))
    by_block = crossed(values, blocks=np.arange(40))
    assert by_block.error == pytest.approx(crossed(values).error)
    assert by_block.freedom == pytest.approx(crossed(values).freedom)
    assert crossed(values, blocks=np.zeros(40, int)).interval() == Interval(values.mean())


def test_where_all_predictions_are_right_the_blocks_are_the_sample():
    blocks = np.repeat(np.arange(10), 20)
    assert bounded_share(crossed(np.ones((3, 200)), blocks=blocks)) == of_share(1.0, 10)
    assert bounded_share(crossed(np.ones((3, 200)))) == of_share(1.0, 200)
