"""Measures of overfitting of curves drawn by hand, and how often noise alone is taken for it."""

import numpy as np
import pandas as pd
import pytest

from pipeline.overfitting import MEASURES, overfits, overfitting


def history(loss: str = "cross_entropy", **curves: list[list[float]]) -> pd.DataFrame:
    """A row per seed and epoch of curves by split, each with a list of losses per seed."""
    seeds = [
        pd.DataFrame({f"{split}_{loss}": curve for split, curve in zip(curves, of_seed, strict=True)}).assign(
            seed=seed, epoch=lambda table: np.arange(1, len(table) + 1)
        )
        for seed, of_seed in enumerate(zip(*curves.values(), strict=True))
    ]
    return pd.concat(seeds, ignore_index=True)


def simulated(rng: np.random.Generator, rise: float, seeds: int = 10, epochs: int = 20) -> pd.DataFrame:
    """Validation and holdout losses that fall for half of the epochs and then rise, with noise."""
    half = epochs // 2
    level = np.concatenate([np.linspace(2, 0.5, half), np.linspace(0.5, 0.5 + rise, epochs - half)])
    noisy = level + rng.normal(0, 0.05, (2, seeds, epochs))
    falling = list(np.linspace(2, 0.1, epochs))
    return history(train=[falling] * seeds, val=noisy[0].tolist(), holdout=noisy[1].tolist())


def test_measures_of_two_seeds_by_hand():
    found = overfitting(
        history(
            train=[[1.0, 0.6, 0.3, 0.1], [1.0, 0.5, 0.4]],
            val=[[1.1, 0.8, 0.9, 1.4], [1.2, 0.9, 0.7]],
            holdout=[[1.0, 0.9, 0.8, 1.2], [1.1, 0.8, 0.9]],
        ),
        "cross_entropy",
    )
    expected = pd.DataFrame(
        {
            "seed": [0, 1],
            "best_epoch": [2, 3],
            "gap_at_best": [0.2, 0.3],
            "gap_at_end": [1.3, 0.3],
            "onset_epoch": [3, np.nan],
            "rise": [0.6, 0.0],
            "holdout_rise": [0.3, 0.0],
            "train_rise": [-0.5, 0.0],
        }
    )
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_onset_is_after_the_last_minimum_and_the_best_epoch_is_the_first():
    found = overfitting(history(train=[[1.0] * 5], val=[[0.9, 0.5, 0.6, 0.5, 0.7]]), "cross_entropy").iloc[0]
    assert (found["best_epoch"], found["onset_epoch"]) == (2, 5)


def test_minimum_at_the_end_has_no_onset():
    found = overfitting(history(train=[[1.0] * 3], val=[[0.5, 0.6, 0.5]]), "cross_entropy").iloc[0]
    assert (found["best_epoch"], found["rise"]) == (1, 0)
    assert np.isnan(found["onset_epoch"])


def test_accuracy_is_turned_round():
    curves = {"train": [[0.5, 0.8, 1.0]], "val": [[0.5, 0.75, 0.6]], "holdout": [[0.5, 0.7, 0.65]]}
    found = overfitting(history("accuracy", **curves), "accuracy").iloc[0]
    assert found["best_epoch"] == 2
    assert found["gap_at_best"] == pytest.approx(0.05)
    assert found["rise"] == pytest.approx(0.15)
    assert found["holdout_rise"] == pytest.approx(0.05)


def test_order_of_the_rows_does_not_matter():
    curves = simulated(np.random.default_rng(0), rise=0.3)
    shuffled = curves.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(overfitting(curves, "cross_entropy"), overfitting(shuffled, "cross_entropy"))


def test_seed_that_diverged_has_its_best_epoch_and_no_end():
    found = overfitting(
        history(train=[[1.0, 0.9, np.nan]], val=[[0.9, 1.0, np.nan]], holdout=[[0.9, 1.0, np.inf]]), "cross_entropy"
    )
    assert found["best_epoch"][0] == 1
    assert not np.isfinite(found[["gap_at_end", "rise", "holdout_rise"]].to_numpy()).any()
    assert overfits(found)["rise"]["mean"] is None


def test_seed_without_a_finite_loss_has_no_measure():
    found = overfitting(history(train=[[np.nan]], val=[[np.nan]]), "cross_entropy")
    assert found["seed"].tolist() == [0]
    assert found[list(MEASURES)].isna().all(axis=None)


def test_no_epoch_no_row():
    empty = history(train=[[1.0]], val=[[1.0]]).iloc[:0]
    assert overfitting(empty, "cross_entropy").columns.tolist() == ["seed", *MEASURES]
    assert overfits(overfitting(empty, "cross_entropy"))["answer"] is None


def test_curves_that_rise_overfit():
    found = overfits(overfitting(simulated(np.random.default_rng(0), rise=0.5), "cross_entropy"), overlap=0.25)
    assert found["answer"] is True
    assert found["rise"]["low"] > 0
    assert found["rise"]["mean"] == pytest.approx(0.5, abs=0.05)
    assert found["p"] < 0.001
    first, last = found["onset_range"]
    assert 9 <= first <= found["onset_epoch"] <= last <= 14


def test_unsteady_training_is_no_overfitting():
    rng = np.random.default_rng(0)
    answers = []
    for _ in range(20):
        shared = 1 + rng.normal(0, 0.05, (10, 60))  # what an unsteady training does to all rows
        curves = {split: shared + rng.normal(0, 0.02, (10, 60)) for split in ("train", "val", "holdout")}
        table = overfitting(
            history(**{split: list(map(list, each)) for split, each in curves.items()}), "cross_entropy"
        )
        assert overfits(table, overlap=0.11)["rise"]["mean"] > 0
        answers.append(overfits(table, overlap=0.11)["answer"])
    assert not any(answers)


def test_holdout_shows_no_rise_in_noise_where_validation_does():
    rng = np.random.default_rng(0)
    tables = [overfitting(simulated(rng, rise=0.0), "cross_entropy") for _ in range(80)]
    found = [overfits(table) for table in tables]
    assert np.mean([table["rise"].mean() for table in tables]) > 0.05
    assert abs(np.mean([each["rise"]["mean"] for each in found])) < 0.01
    assert np.mean([each["answer"] for each in found]) < 0.05


def test_p_is_below_2_5_percent_just_where_the_answer_is_yes():
    rng = np.random.default_rng(0)
    found = [
        overfits(overfitting(simulated(rng, rise), "cross_entropy"), overlap=0.25) for rise in np.linspace(0, 0.3, 40)
    ]
    answers = [each["answer"] for each in found]
    assert answers == [each["p"] < 0.025 for each in found]
    assert 0 < sum(answers) < 40


def test_overlap_makes_less_sure():
    table = overfitting(simulated(np.random.default_rng(0), rise=0.1), "cross_entropy")
    assert overfits(table, 0.25)["p"] > overfits(table)["p"]
    assert overfits(table, 0.25)["rise"]["low"] < overfits(table)["rise"]["low"]


def test_without_holdout_rows_there_is_no_answer():
    table = overfitting(history(train=[[1.0, 0.5]] * 3, val=[[0.9, 1.2]] * 3), "cross_entropy")
    assert table["holdout_rise"].isna().all()
    found = overfits(table)
    assert (found["answer"], found["p"]) == (None, None)
    assert found["rise"] == {"mean": None, "low": None, "high": None}
    assert (found["onset_epoch"], found["onset_range"]) == (2.0, (2.0, 2.0))


@pytest.mark.parametrize(("end", "answer", "p"), [(0.9, False, 1.0), (1.2, True, 0.0), (0.5, False, 1.0)])
def test_seeds_that_rise_alike(end, answer, p):
    table = overfitting(history(train=[[1.0] * 2] * 3, val=[[0.9, 1.0]] * 3, holdout=[[0.9, end]] * 3), "cross_entropy")
    assert (overfits(table)["answer"], overfits(table)["p"]) == (answer, p)


def test_one_seed_is_no_evidence():
    found = overfits(overfitting(history(train=[[1, 0]], val=[[1, 2]], holdout=[[1, 2]]), "cross_entropy"))
    assert (found["answer"], found["p"], found["rise"]["mean"]) == (None, None, 1.0)


def test_seeds_that_never_rise_have_no_onset():
    found = overfits(overfitting(history(train=[[2, 1]] * 2, val=[[2, 1]] * 2, holdout=[[2, 1]] * 2), "cross_entropy"))
    assert (found["onset_epoch"], found["onset_range"]) == (None, None)
