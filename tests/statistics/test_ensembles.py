"""Models that predict together: means of probabilities, and the gain with its error."""

import numpy as np
import pytest
from scipy.special import softmax

from pipeline.statistics.ensembles import gain, subsets, together


def test_probabilities_and_numbers_are_averaged():
    logits = np.random.default_rng(0).normal(size=(4, 7, 3))
    np.testing.assert_allclose(np.exp(together("classification", logits)), softmax(logits, axis=-1).mean(axis=0))
    np.testing.assert_allclose(together("regression", logits[..., :1]), logits[..., :1].mean(axis=0))
    by_pair = together("classification", logits.reshape(2, 2, 7, 3), axis=1)
    np.testing.assert_allclose(np.exp(by_pair[1]), softmax(logits[2:], axis=-1).mean(axis=0))


def squared_errors(predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    return np.square(predicted - actual)


def test_the_interval_of_the_gain_holds_the_true_one_for_new_rows_and_new_models():
    rng, covered, models, truth = np.random.default_rng(1), 0, 8, 0.5**2 * (1 - 1 / 8)
    for _ in range(300):
        actual = rng.normal(size=60)
        predicted = actual + rng.normal(0, 1, 60) + rng.normal(0, 0.5, (models, 60))
        without = np.stack([np.delete(predicted, place, axis=0).mean(axis=0) for place in range(models)])
        estimate = gain(
            squared_errors(predicted, actual), squared_errors(predicted.mean(axis=0), actual),
            squared_errors(without, actual), None,
        )  # fmt: skip
        interval = estimate.interval()
        covered += interval.low <= truth <= interval.high
    assert covered >= 0.93 * 300


def test_one_model_gains_nothing_and_equal_models_neither():
    losses = np.random.default_rng(2).gamma(2, size=(1, 20))
    assert gain(losses, losses[0], losses).interval().mean == 0
    alike = np.repeat(losses, 5, axis=0)
    estimate = gain(alike, alike[0], alike)
    assert (estimate.mean, estimate.error) == (pytest.approx(0, abs=1e-12), pytest.approx(0, abs=1e-12))


def test_copies_of_rows_make_a_gain_no_surer_where_they_are_known_as_groups():
    losses = np.random.default_rng(3).gamma(2, size=(5, 20))
    once = gain(losses, losses.min(axis=0), losses * 0.9)
    four_times = [np.tile(values, 4) for values in (losses, losses.min(axis=0), losses * 0.9)]
    known = gain(*four_times, blocks=np.tile(np.arange(20), 4))
    assert (known.mean, known.rows_variance) == pytest.approx((once.mean, once.rows_variance))
    assert gain(*four_times).rows_variance < 0.3 * once.rows_variance


def test_subsets_are_different_and_of_one_size():
    drawn = [tuple(each) for each in subsets(6, 2, 50, np.random.default_rng(0))]
    assert len(drawn) == len(set(drawn)) <= 15 and all(len(set(each)) == 2 for each in drawn)
