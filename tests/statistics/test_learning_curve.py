"""Power laws through losses that follow one, exactly and with noise."""

import numpy as np
import pytest

from pipeline.statistics.intervals import Interval
from pipeline.statistics.learning_curve import PowerLaw, fit_power_law, what_twice_the_data_brings

SIZES = np.array([100, 200, 400, 800, 1600])
LAW = PowerLaw(floor=0.1, scale=5.0, exponent=0.5)


def noisy(law: PowerLaw, rng: np.random.Generator, seeds: int = 10, spread: float = 0.05) -> np.ndarray:
    """Losses of which half of the noise's spread is each seed's own, at all sizes, `[R, S]`."""
    common, own = rng.normal(size=(seeds, 1)), rng.normal(size=(seeds, len(SIZES)))
    return law.predict(SIZES) * (1 + spread * (0.5 * common + own))


@pytest.mark.parametrize(
    "law",
    [LAW, PowerLaw(0.0, 5.0, 0.35), PowerLaw(0.5, 30.0, 1.0), PowerLaw(0.02, 50.0, 1.5), PowerLaw(40.0, 200.0, 0.5)],
)
def test_law_is_recovered_from_its_own_losses(law):
    found = fit_power_law(SIZES, np.tile(law.predict(SIZES), (3, 1)))
    assert [found.floor, found.scale, found.exponent] == pytest.approx(
        [law.floor, law.scale, law.exponent], rel=1e-3, abs=1e-4
    )
    assert found.predict(3200) == pytest.approx(law.predict(3200), rel=1e-5)


def test_three_sizes_in_any_order_are_enough():
    sizes = np.array([1600, 100, 400])
    assert fit_power_law(sizes, LAW.predict(sizes)[None]).predict(3200) == pytest.approx(LAW.predict(3200), rel=1e-4)


def test_mean_over_many_noisy_seeds_is_near_the_law():
    found = fit_power_law(SIZES, noisy(LAW, np.random.default_rng(0), seeds=2000))
    assert found.exponent == pytest.approx(0.5, abs=0.05)
    assert found.predict(3200) == pytest.approx(LAW.predict(3200), rel=0.02)


def test_law_predicts_one_number_or_many():
    assert LAW.predict(100) == pytest.approx(0.6)
    assert LAW.predict(np.array([100, 2500])) == pytest.approx([0.6, 0.2])


def test_parameters_keep_their_bounds_and_losses_that_rise_are_flat():
    found = fit_power_law(SIZES, np.array([[1.0, 1.1, 1.2, 1.3, 1.4]]))
    assert (found.scale, found.exponent) == (0, 0)
    assert 1.0 < found.floor < 1.4
    steep = fit_power_law(SIZES, 1e9 * SIZES[None] ** -3.0)
    assert steep.floor >= 0
    assert steep.exponent <= 2


def test_losses_that_are_not_finite_are_left_out():
    losses = noisy(LAW, np.random.default_rng(0), seeds=3)
    with_diverged = np.concatenate([losses, np.full((1, len(SIZES)), np.nan), np.full((1, len(SIZES)), np.inf)])
    assert fit_power_law(SIZES, with_diverged) == fit_power_law(SIZES, losses)
    nowhere = np.insert(losses, 2, np.nan, axis=1)
    assert fit_power_law(np.insert(SIZES, 2, 300), nowhere) == fit_power_law(SIZES, losses)


@pytest.mark.parametrize(
    ("sizes", "losses"),
    [
        ([100, 200], [[1.0, 0.5], [1.1, 0.6]]),
        ([100, 200, 200], [[1.0, 0.5, 0.5], [1.1, 0.6, 0.5]]),
        ([100, 200, 400], [[1.0, np.nan, 0.5], [1.1, np.nan, 0.4]]),
        ([100, 200, 400], [[1.0, 0.5, 0.0], [1.1, 0.6, 0.0]]),
        ([], np.empty((10, 0))),
        ([100, 200, 400], np.empty((0, 3))),
    ],
    ids=["two sizes", "two different sizes", "a size without losses", "a loss of 0", "no size", "no seed"],
)
def test_too_little_to_fit_says_nothing(sizes, losses):
    assert fit_power_law(sizes, losses) is None
    found = what_twice_the_data_brings(sizes, losses, 400)
    assert (found.law, found.rows, found.change, found.predicted_before) == (None, 400, Interval(), None)


@pytest.mark.parametrize(
    ("sizes", "losses"), [(SIZES, np.ones(5)), (SIZES, np.ones((5, 10))), ([0, 1, 2], [[1, 1, 1]])]
)
def test_shapes_and_sizes_that_make_no_sense_are_refused(sizes, losses):
    with pytest.raises(ValueError, match=r"(losses|sizes) must be"):
        fit_power_law(sizes, losses)
    with pytest.raises(ValueError, match=r"(losses|sizes) must be"):
        what_twice_the_data_brings(sizes, losses, 100)


def test_twice_the_data_by_a_known_law():
    found = what_twice_the_data_brings(SIZES, np.tile(LAW.predict(SIZES), (10, 1)), 1600)
    change = LAW.predict(3200) - LAW.predict(1600)
    assert found.law.predict(3200) == pytest.approx(LAW.predict(3200), rel=1e-5)
    assert (found.change.mean, found.change.low, found.change.high) == pytest.approx((change,) * 3, rel=1e-3)
    # What is known already follows it too.
    assert found.predicted_before == pytest.approx(found.seen, rel=1e-5)


@pytest.mark.reference  # a simulation of half a minute
@pytest.mark.parametrize("law", [LAW, PowerLaw(0.0, 5.0, 0.35)], ids=["floor", "no floor"])
def test_interval_of_what_twice_the_data_brings_holds_the_truth(law):
    rng, truth = np.random.default_rng(0), law.predict(3200) - law.predict(1600)
    found = [what_twice_the_data_brings(SIZES, noisy(law, rng), 1600).change for _ in range(8)]
    assert np.mean([each.low <= truth <= each.high for each in found]) >= 7 / 8
    assert np.mean([each.high < 0 for each in found]) >= 7 / 8
    assert all(each.low <= each.mean <= each.high for each in found)


def test_law_that_missed_what_is_known_has_an_interval_that_reaches_as_far():
    rng = np.random.default_rng(0)
    losses = noisy(LAW, rng, spread=0.001)
    losses[:, -1] *= 1.3  # the largest size is worse than the others promise
    found = what_twice_the_data_brings(SIZES, losses, 1600)
    assert found.predicted_before == pytest.approx(LAW.predict(1600), rel=0.02)
    assert found.seen == pytest.approx(1.3 * LAW.predict(1600), rel=0.02)
    missed = found.seen - found.predicted_before
    assert found.change.low <= found.change.mean - missed
    assert found.change.high >= found.change.mean + missed


def test_three_sizes_leave_no_law_to_try_before():
    found = what_twice_the_data_brings(SIZES[-3:], noisy(LAW, np.random.default_rng(0))[:, -3:], 1600)
    assert found.law is not None
    assert (found.predicted_before, found.seen) == (None, None)


def test_one_seed_has_a_prediction_and_no_interval():
    found = what_twice_the_data_brings(SIZES, LAW.predict(SIZES)[None], 1600)
    assert found.law.predict(3200) == pytest.approx(LAW.predict(3200), rel=1e-5)
    assert (found.change.low, found.change.high) == (None, None)


def test_twice_the_same_question_has_the_same_answer():
    losses = noisy(LAW, np.random.default_rng(0))
    assert what_twice_the_data_brings(SIZES, losses, 1600) == what_twice_the_data_brings(SIZES, losses, 1600)
