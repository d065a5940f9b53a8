"""The stage train: what it writes, what it refuses, and that a training that fails loses nothing."""

import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from pipeline.data.splits import read_split, read_summary
from pipeline.paths import ARCHITECTURE_FILE, CHECKPOINT_FILE, HISTORY_FILE, MODEL_FILE, SEEDS_FILE
from pipeline.training.fitted import read_fitted

WRITTEN = (MODEL_FILE, SEEDS_FILE, HISTORY_FILE)


def contents() -> list[bytes]:
    return [path.read_bytes() for path in WRITTEN]


def refusal(stage, capsys) -> str:
    """Return what the stage train says on standard error as it ends with status 2, every file as it was."""
    before = contents()
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        stage("train")
    assert ended.value.code == 2
    assert contents() == before
    assert not CHECKPOINT_FILE.exists()
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_seeds_file_has_every_seed_and_the_plain_model_is_the_first(digits_project):
    trained = read_fitted()
    assert trained.seeds == [0, 1, 2]
    assert trained.weights["hidden_1/kernel"].shape == (3, 64, 8)
    plain = keras.models.load_model(MODEL_FILE, safe_mode=True)
    np.testing.assert_array_equal(plain.get_layer("hidden_1").kernel, trained.weights["hidden_1/kernel"][0])
    np.testing.assert_array_equal(plain.get_layer("output").bias, trained.weights["output/bias"][0])


def test_plain_model_gives_the_probabilities_of_the_classes(digits_project):
    test = read_split("test")
    probabilities = keras.models.load_model(MODEL_FILE, safe_mode=True).predict(test.x, verbose=0)
    assert probabilities.shape == (len(test), 10)
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    scores = pd.read_csv("experiments/results/seeds.csv")
    assert (probabilities.argmax(axis=1) == test.y).mean() == pytest.approx(scores["test_accuracy"][0], abs=1e-6)


def test_plain_model_of_a_regression_gives_the_target_in_its_unit(diabetes_project):
    test, summary = read_split("test"), read_summary()
    predicted = keras.models.load_model(MODEL_FILE, safe_mode=True).predict(test.x, verbose=0)[:, 0]
    actual = test.y * summary.target_scale + summary.target_mean
    scores = pd.read_csv("experiments/results/seeds.csv")
    assert np.sqrt(np.square(predicted - actual).mean()) == pytest.approx(scores["test_rmse"][0], rel=1e-5)


def test_history_has_a_row_for_each_seed_and_epoch_up_to_its_stop(digits_project):
    history, trained = pd.read_csv(HISTORY_FILE), read_fitted()
    names = [
        "seed",
        "epoch",
        "train_cross_entropy",
        "train_accuracy",
        "validation_cross_entropy",
        "validation_accuracy",
    ]
    assert list(history) == [*names, "learning_rate"]
    assert not history.isna().any(axis=None)
    for seed, epochs in history.groupby("seed"):
        assert epochs["epoch"].tolist() == list(range(1, len(epochs) + 1))
        assert trained.best_epoch[seed] == epochs.loc[epochs["validation_cross_entropy"].idxmin(), "epoch"]


def test_arrays_load_without_pickle(any_project):
    files = [*Path("data").rglob("*.npz"), *Path("models").rglob("*.npz")]
    assert len(files) == 4
    for path in files:
        with np.load(path, allow_pickle=False) as stored:
            assert all(stored[name].dtype != object for name in stored.files)


def test_same_training_writes_the_same_bytes(any_project, stage):
    before = contents()
    stage("train")
    assert contents() == before


def test_stage_says_what_came_out_and_leaves_no_checkpoint(digits_project, stage, capsys):
    stage("train")
    printed = capsys.readouterr()
    assert printed.out.startswith("3 seeds, ")
    assert printed.err == ""
    assert not CHECKPOINT_FILE.exists()


def test_seeds_may_be_named(digits_project, stage, change):
    change(train={"seeds": [14, 3, 0]})
    before = read_fitted().weights["hidden_1/kernel"]
    stage("train")
    after = read_fitted()
    assert after.seeds == [14, 3, 0]
    np.testing.assert_allclose(after.weights["hidden_1/kernel"][2], before[0], atol=1e-5)


def test_training_that_diverges_is_told_and_the_results_of_before_stay(digits_project, stage, change, capsys):
    change(train={"learning_rate": 1e38})
    error = refusal(stage, capsys)
    assert error.startswith("error: train.learning_rate is too high: no seed's loss stayed finite")


def test_regression_that_diverges_is_told(diabetes_project, stage, change, capsys):
    change(train={"optimizer": "sgd", "learning_rate": 1e6})
    assert "train.learning_rate is too high" in refusal(stage, capsys)


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        (
            {"loss": "cross_entropy"},
            "error: train.loss cross_entropy is for classes, and the target is a number; set it to null\n",
        ),
        (
            {"label_smoothing": 0.1},
            "error: train.label_smoothing is for classes, and the target is a number: set it to 0\n",
        ),
        (
            {"class_weight": "balanced"},
            "error: train.class_weight is for classes, and the target is a number: set it to null\n",
        ),
    ],
)
def test_regression_refuses_what_is_for_classes(diabetes_project, stage, change, capsys, train, expected):
    change(train=train)
    assert refusal(stage, capsys) == expected


def test_weight_of_a_class_that_there_is_not_is_refused(digits_project, stage, change, capsys):
    change(train={"class_weight": {3: 2.0, "ten": 2.0}})
    assert refusal(stage, capsys) == (
        "error: train.class_weight names 'ten', which is no class of the target; those are 0, 1, 2, 3, 4, 5, 6, 7, 8, "
        "9\n"
    )


def test_unreachable_store_is_told_within_seconds_before_training(
    digits_project, stage, free_port, monkeypatch, capsys
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port}")
    started = time.monotonic()
    error = refusal(stage, capsys)
    assert time.monotonic() - started < 6
    assert error.startswith(f"error: MLFLOW_TRACKING_URI is http://127.0.0.1:{free_port}, where no server answers")


def test_early_stopping_needs_validation_rows(digits_project, stage, change, capsys):
    change(data={"val_fraction": 0.0})
    stage("prepare")
    assert refusal(stage, capsys).startswith("error: train.early_stopping needs validation rows")


def test_seeds_that_stop_together_have_one_best_epoch_in_both_stages(digits_project, stage, change):
    change(train={"early_stopping": {"patience": 2, "unit": "ensemble"}})
    stage("train")
    stage("evaluate")
    assert len(set(read_fitted().best_epoch)) == 1
    assert pd.read_csv("experiments/results/seeds.csv")["best_epoch"].nunique() == 1


# What `dvc repro` does in order can be run by hand out of order: `python -m pipeline.train`.
@pytest.mark.parametrize("model", [{"hidden_units": [4]}, {"activation": "tanh"}])
def test_model_that_was_built_otherwise_is_not_trained(digits_project, stage, change, capsys, model):
    change(model=model)
    assert refusal(stage, capsys) == "error: models/architecture.json is of other settings or data; run `dvc repro`\n"


def test_model_that_was_not_built_is_not_trained(diabetes_project, stage, capsys):
    ARCHITECTURE_FILE.unlink()
    assert refusal(stage, capsys) == "error: models/architecture.json is missing; run `dvc repro`\n"
