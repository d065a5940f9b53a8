"""Measures of overfitting of curves drawn by hand."""

import numpy as np
import pandas as pd
import pytest

from pipeline.statistics.overfitting import MEASURES, overfitting


def history(loss: str = "cross_entropy", **curves: list[list[float]]) -> pd.DataFrame:
    """A row per seed and epoch of curves by split, each with a list of losses per seed."""
    seeds = [
        pd.DataFrame({f"{split}_{loss}": curve for split, curve in zip(curves, of_seed, strict=True)}).assign(
            seed=seed, epoch=lambda table: np.arange(1, len(table) + 1)
        )
        for seed, of_seed in enumerate(zip(*curves.values(), strict=True))
    ]
    return pd.concat(seeds, ignore_index=True)


def test_measures_of_two_seeds_by_hand():
    found = overfitting(
        history(
            train=[[1.0, 0.6, 0.3, 0.1], [1.0, 0.5, 0.4]],
            validation=[[1.1, 0.8, 0.9, 1.4], [1.2, 0.9, 0.7]],
            holdout=[[1.0, 0.9, 0.8, 1.2], [1.1, 0.8, 0.7]],
        ),
        "cross_entropy",
    )
    # The first seed is at its best in epoch 2 by the one fold and in epoch 3 by the other.
    expected = pd.DataFrame(
        {"seed": [0, 1], "best_epoch": [2.5, 3], "onset_epoch": [3.5, np.nan], "train_rise": [-0.35, 0.0]}
    )
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_onset_is_after_the_last_minimum_and_the_best_epoch_is_the_first():
    found = overfitting(history(train=[[1.0] * 5], validation=[[0.9, 0.5, 0.6, 0.5, 0.7]]), "cross_entropy").iloc[0]
    assert (found["best_epoch"], found["onset_epoch"]) == (2, 5)


def test_minimum_at_the_end_has_no_onset():
    found = overfitting(history(train=[[1.0] * 3], validation=[[0.5, 0.6, 0.5]]), "cross_entropy").iloc[0]
    assert found["best_epoch"] == 1
    assert np.isnan(found["onset_epoch"])


def test_accuracy_is_turned_round():
    curves = {"train": [[0.5, 0.8, 1.0]], "validation": [[0.5, 0.75, 0.6]], "holdout": [[0.5, 0.7, 0.65]]}
    found = overfitting(history("accuracy", **curves), "accuracy").iloc[0]
    assert (found["best_epoch"], found["onset_epoch"]) == (2, 3)
    assert found["train_rise"] == pytest.approx(-0.2)


def test_order_of_the_rows_does_not_matter():
    rng = np.random.default_rng(0)
    curves = history(**{split: rng.random((4, 6)).tolist() for split in ("train", "validation", "holdout")})
    shuffled = curves.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(overfitting(curves, "cross_entropy"), overfitting(shuffled, "cross_entropy"))


def test_seed_that_diverged_has_its_best_epoch_and_no_end():
    found = overfitting(
        history(train=[[1.0, 0.9, np.nan]], validation=[[0.9, 1.0, np.nan]], holdout=[[0.9, 1.0, np.inf]]),
        "cross_entropy",
    )
    assert found["best_epoch"][0] == 1
    assert np.isnan(found["train_rise"][0])


def test_seed_without_a_finite_loss_has_no_measure():
    found = overfitting(history(train=[[np.nan]], validation=[[np.nan]]), "cross_entropy")
    assert found["seed"].tolist() == [0]
    assert found[list(MEASURES)].isna().all(axis=None)


def test_no_epoch_no_row():
    empty = history(train=[[1.0]], validation=[[1.0]]).iloc[:0]
    assert overfitting(empty, "cross_entropy").columns.tolist() == ["seed", *MEASURES]


def test_history_without_validation_is_refused():
    with pytest.raises(KeyError, match="validation_cross_entropy"):
        overfitting(history(train=[[1.0]]), "cross_entropy")
