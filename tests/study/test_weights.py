"""A study and an evaluation of rows with weights: each of their means is weighted."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes
from sklearn.metrics import r2_score, root_mean_squared_error

from experiments.records import read_study
from experiments.study import __main__ as study
from experiments.study import jobs
from experiments.study.rows import knowing_nothing, read_rows
from pipeline.data.examples import Split
from pipeline.data.splits import read_split, read_summary
from pipeline.evaluation.results import evaluate
from pipeline.params import read_settings
from pipeline.statistics.weights import over_judges
from pipeline.training.fitted import read_fitted
from pipeline.training.predict import predict

SEEDS = [1000, 1001, 1002, 1003, 1004]


@pytest.fixture
def weighted(folder: Path, empty_store: Path, stage) -> Path:
    """The working folder is a project of patients with weights, prepared and trained."""
    table = load_diabetes(as_frame=True).frame
    table.assign(weight=np.random.default_rng(0).gamma(1.5, 1, len(table))).to_csv("patients.csv", index=False)
    settings = {
        "data": {"source": "patients.csv", "target": "target", "weight": "weight"},
        "model": {"hidden_units": [8]},
        "train": {"epochs": 4, "seeds": 2, "learning_rate": 0.01, "train_score_rows": None},
        "study": {
            "seeds": 5,
            "sections": ["remedies"],
            "remedies": {"model.dropout": [0.2, 0.5]},
            "peers": ["linear"],
        },
        "engine": {"workers": 1},
    }
    Path("params.yaml").write_text(json.dumps(settings))
    (folder / "mlruns").mkdir()
    shutil.copyfile(empty_store, folder / "mlruns" / "mlflow.db")
    for name in ("source", "prepare", "build", "train"):
        stage(name)
    return folder


def test_an_evaluation_scores_every_split_as_scikit_learn_does_with_sample_weights(weighted):
    fitted, model, summary = read_fitted(), read_settings().model, read_summary()
    splits = {name: read_split(name) for name in ("train", "validation", "test")}
    results = evaluate(fitted, model, summary, splits)
    for name, split in splits.items():
        actual = summary.problem.in_unit(split.y)
        outputs = summary.problem.in_unit(predict(model, summary.problem, fitted.weights, split.x)[..., 0])
        for metric, score in (("rmse", root_mean_squared_error), ("r2", r2_score)):
            expected = [score(actual, of_seed, sample_weight=split.weights) for of_seed in outputs]
            np.testing.assert_allclose(results.seeds[f"{name}_{metric}"], expected, rtol=1e-5)
    # The trainer's own scores after the last epoch are weighted alike.
    last = results.history[results.history["epoch"] == 4]
    np.testing.assert_allclose(last["train_rmse"], results.seeds["train_rmse"], rtol=1e-4)


def test_every_mean_of_a_study_is_weighted(weighted, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["study"])
    study.main()
    record, rows = read_study(), read_rows(SEEDS, read_summary())
    column = pd.read_csv("patients.csv")["weight"].to_numpy()
    np.testing.assert_allclose(rows.ring.weights, column[rows.numbers], rtol=1e-6)
    losses = [over_judges(jobs.read_result(path).row_scores["squared_error"]) for path in jobs.CACHE.glob("*.npz")]
    expected = {round(float(np.sqrt(np.average(of_arm, weights=rows.ring.weights))), 4) for of_arm in losses}
    arms = {arm.name: arm for arm in record.section("remedies")}
    plain = [arm for arm in arms.values() if arm.picks is None]
    assert {round(arm.scores["holdout"]["rmse"].mean, 4) for arm in plain} <= expected
    base = arms["baseline"].scores["holdout"]
    for arm in plain[1:]:
        if arm.difference:
            difference = arm.scores["holdout"]["rmse"].mean - base["rmse"].mean
            assert arm.reference != "baseline" or arm.difference.mean == pytest.approx(difference, rel=1e-6)
    targets = rows.y * rows.problem.target_scale
    assert base["r2"].mean == pytest.approx(
        1 - base["rmse"].mean ** 2 / np.cov(targets, aweights=rows.ring.weights, ddof=0)
    )


@pytest.mark.parametrize("labels", ["true", "shuffled"])
def test_rows_keep_their_weights_whatever_their_labels(pool, labels):
    weighted = replace(pool, ring=replace(pool.ring, weights=np.arange(1.0, len(pool.y) + 1)))
    examples = weighted.examples(labels=labels)
    for name in ("train_rows", "val_rows", "holdout_rows"):
        expected = weighted.ring.weights[getattr(pool.examples(), name)]
        np.testing.assert_array_equal(examples.weights[getattr(examples, name)], expected)


def test_knowing_nothing_is_the_weighted_share_of_the_classes(pool):
    weighted = replace(pool, ring=replace(pool.ring, weights=np.where(pool.y == 1, 9.0, 1.0)))
    shares = np.exp(weighted.knowing_nothing())
    np.testing.assert_allclose(shares[:, 1], 0.9, atol=0.03)
    test = Split(pool.x, pool.y, weights=weighted.ring.weights)
    assert knowing_nothing(weighted, test)["test"]["accuracy"] == pytest.approx(0.9)
    assert knowing_nothing(weighted, test)["holdout"]["accuracy"] == pytest.approx(0.9)
