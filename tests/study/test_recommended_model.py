"""The recommended model: its seeds together, the columns that it relies on, and labels that may be wrong."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.datasets import load_digits

from experiments import run_study
from experiments.study.labels import doubtful_labels
from experiments.study.outputs import held_out_outputs
from experiments.study.rows import pooled
from pipeline.data.examples import Examples, Problem, Split
from pipeline.settings import Model, Study, Train
from pipeline.training.keras_file import save_model
from pipeline.training.model import build_ensemble
from pipeline.training.predict import predict
from pipeline.training.trainer import fit, fit_together


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_ensemble_is_the_mean_of_its_members_as_one_keras_file(task, tmp_path: Path):
    rng, problem = np.random.default_rng(0), Problem(task, 5, 3 if task == "classification" else 1, 0.0, 1.0)
    model = Model(hidden_units=(6,), batch_norm=True, dropout=0.2)
    x = rng.normal(size=(40, 5)).astype(np.float32)
    y = rng.integers(0, 3, 40).astype(np.int32) if task == "classification" else x[:, 0]
    split = Split(x, y)
    examples = Examples.of_splits(problem, split, Split(x[:0], y[:0]))
    fitted = fit(examples, model, Train(epochs=2, batch_size=8, seeds=4), [0, 1, 2, 3])
    outputs = predict(model, problem, fitted.weights, x)
    scale = (0.0, 1.0) if task == "classification" else (100.0, 30.0)
    expected = softmax(outputs, axis=-1) if task == "classification" else outputs * 30.0 + 100.0
    save_model(build_ensemble(model, problem, fitted.weights, *scale), tmp_path / "together.keras")
    served = keras.saving.load_model(tmp_path / "together.keras", compile=False, safe_mode=True).predict(x, verbose=0)
    np.testing.assert_allclose(served["mean"], expected.mean(axis=0), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(served["members"], expected.transpose(1, 0, 2), rtol=1e-5, atol=1e-5)


def test_columns_that_tell_the_target_matter_and_noise_does_not(tmp_path: Path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(400, 3)), columns=["age", "noise", "shoe"])
    table["city"] = rng.choice(["Ulm", "Bonn", "Kiel"], 400)
    table["cost"] = 3 * table["age"] + 2.0 * (table["city"] == "Ulm") + rng.normal(0, 0.3, 400)
    study = Study(sections=["remedies"], remedies={"model.l2": [1e-3]}, seeds=5, half_width=False,
                  peers=["linear"])  # fmt: skip
    result = run_study(table, "cost", study=study, model=Model(hidden_units=(16,)), workers=1, progress=False,
                       train=Train(epochs=30, batch_size=32, learning_rate=0.01))  # fmt: skip
    found = {column.column: column for column in result.record.importance}
    assert {name for name, column in found.items() if column.matters} == {"age", "city"}
    assert [column.column for column in result.record.importance][:2] == ["age", "city"]
    ensemble = result.record.ensemble
    assert ensemble.serves and ensemble.members == 5 and ensemble.pair_gain.low > 0
    losses = [size.loss for size in ensemble.by_size]
    assert [size.members for size in ensemble.by_size] == [1, 2, 4, 5] and losses == sorted(losses, reverse=True)
    assert ensemble.test["rmse"].mean == pytest.approx(losses[-1])


def test_planted_wrong_labels_are_found():
    x, y = load_digits(return_X_y=True)
    x, rng = (x / 16).astype(np.float32), np.random.default_rng(0)
    wrong = rng.permutation(len(y))[: len(y) // 20]
    labels = y.copy()
    labels[wrong] = (y[wrong] + rng.integers(1, 10, len(wrong))) % 10
    splits = [Split(x[part], labels[part].astype(np.int32), numbers=np.arange(len(y))[part])
              for part in (slice(0, 1500), slice(1500, None))]  # fmt: skip
    seeds, model = list(range(10)), Model(hidden_units=(64,))
    rows = pooled(*splits, seeds, Problem("classification", 64, 10))
    train = Train(epochs=15, batch_size=32, train_score_rows=0)
    [fitted] = fit_together(rows.examples(), [(model, train)], seeds)
    found = doubtful_labels(rows, held_out_outputs(model, rows, fitted), [str(k) for k in range(10)])
    listed = {doubt.row - 1 for doubt in found.rows}
    assert found.judged == len(y) and found.count == len(found.rows)
    precision, recall = len(listed & {*wrong}) / len(listed), len(listed & {*wrong}) / len(wrong)
    assert precision > 0.9 and recall > 0.7
    assert all(doubt.label == str(labels[doubt.row - 1]) for doubt in found.rows)
