"""The trainer against `keras.Model.fit` on the same batches: weights after training, and scores."""

from dataclasses import replace
from typing import get_args

import keras
import numpy as np
import pandas as pd
import pytest

from pipeline.choices import Optimizer
from pipeline.data.examples import Examples
from pipeline.settings import Model
from pipeline.training.model import build_keras, set_weights
from pipeline.training.trainer import fit
from tests.training.runs import DIGITS, fit_keras, largest_difference, settings


@pytest.mark.parametrize("optimizer", ["momentum", "adam", "rmsprop"])
def test_one_seed_equals_model_fit_fed_the_same_batches(digits, optimizer):
    model, train = Model(hidden_units=[24, 12]), settings(optimizer=optimizer)
    fitted = fit(digits, model, train, [7])
    assert largest_difference(fitted, fit_keras(digits, model, train, seed=7)) < 1e-4


@pytest.mark.parametrize(
    ("optimizer", "model"),
    [
        ("sgd", {"l1": 1e-3, "l2": 1e-2}),
        ("adam", {"max_norm": 0.7, "activation": "tanh", "initializer": "he_normal"}),
        ("lamb", {"max_norm": 0.7}),
        ("sgd", {"batch_norm": True}),
        ("sgd", {"hidden_units": []}),
        ("adam", {"hidden_units": [16, 16, 8], "skip": True, "layer_norm": True, "activation": "gelu", "l2": 1e-3}),
        ("adam", {"build": "networks/residual.py:build"}),
    ],
    ids=str,
)
def test_regularized_seed_equals_model_fit(digits, optimizer, model):
    model, train = Model(**({"hidden_units": [16]} | model)), settings(optimizer=optimizer)
    fitted, plain = fit(digits, model, train, [2, 3]), fit_keras(digits, model, train, seed=3)
    assert largest_difference(fitted, plain, replica=1) < 1e-4


def test_weighted_rows_equal_model_fit_with_sample_weights(digits):
    weighted = replace(digits, weights=np.random.default_rng(0).uniform(0.2, 3, len(digits.x)).astype(np.float32))
    model, train = Model(hidden_units=[16], dropout=0.0), settings()
    fitted = fit(weighted, model, train, [2, 3])
    assert largest_difference(fitted, fit_keras(weighted, model, train, seed=3), replica=1) < 1e-4


@pytest.mark.parametrize("name", ["digits", "diabetes"])
def test_a_whole_weight_counts_like_that_many_rows(request, name):
    examples: Examples = request.getfixturevalue(name)
    weights = np.random.default_rng(0).integers(1, 4, len(examples.x))
    repeated = replace(
        examples,
        train_rows=np.repeat(examples.train_rows, weights[examples.train_rows[0]], axis=1),
        val_rows=np.repeat(examples.val_rows, weights[examples.val_rows[0]], axis=1),
    )
    model, train = Model(hidden_units=[8]), settings(optimizer="gd", learning_rate=0.05, train_score_rows=None)
    weighted = fit(replace(examples, weights=weights.astype(np.float32)), model, train, [0, 1])
    expected = fit(repeated, model, train, [0, 1])
    pd.testing.assert_frame_equal(weighted.history, expected.history, rtol=1e-4)
    for path, value in expected.weights.items():
        np.testing.assert_allclose(weighted.weights[path], value, atol=1e-5)


def test_label_smoothing_equals_model_fit(digits):
    model, train = Model(hidden_units=[16]), settings(label_smoothing=0.2)
    plain = fit_keras(digits, model, train, 0, loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.2))
    assert largest_difference(fit(digits, model, train, [0]), plain) < 1e-4


def test_squared_error_on_classes_equals_model_fit(digits):
    model, train = Model(hidden_units=[16]), settings(loss="mean_squared_error")
    plain = fit_keras(digits, model, train, 0, loss="mean_squared_error")
    assert largest_difference(fit(digits, model, train, [0]), plain) < 1e-4


def test_regression_equals_model_fit(diabetes):
    model, train = Model(hidden_units=[16]), settings()
    assert largest_difference(fit(diabetes, model, train, [0]), fit_keras(diabetes, model, train, 0)) < 1e-4


@pytest.mark.parametrize("option", [{"weight_decay": 0.1}, {"learning_rate": 0.05, "momentum": 0.5}], ids=str)
def test_optimizer_options_reach_keras(digits, option):
    model, train = Model(hidden_units=[16]), settings(optimizer="nesterov", **option)
    assert largest_difference(fit(digits, model, train, [0]), fit_keras(digits, model, train, 0)) < 1e-4


def test_clipping_is_of_each_seeds_whole_gradient(digits):
    model, train = Model(hidden_units=[16]), settings(optimizer="sgd", clip_norm=0.1, learning_rate=1.0)
    fitted = fit(digits, model, train, [0, 1])
    for replica, seed in enumerate(fitted.seeds):
        optimizer = keras.optimizers.SGD(1.0, global_clipnorm=0.1)
        assert largest_difference(fitted, fit_keras(digits, model, train, seed, optimizer=optimizer), replica) < 1e-4


@pytest.mark.parametrize("optimizer", ["lamb", "muon", "adafactor"])
def test_optimizers_that_mix_a_tensor_treat_each_seed_alone(digits, optimizer):
    model, train = Model(hidden_units=[16]), settings(optimizer=optimizer)
    fitted = fit(digits, model, train, [5, 6])
    assert largest_difference(fitted, fit_keras(digits, model, train, seed=6), replica=1) < 1e-4


@pytest.mark.parametrize("optimizer", get_args(Optimizer))
def test_every_optimizer_trains(digits, optimizer):
    rates = {"adadelta": 1.0, "ftrl": 0.3, "adagrad": 0.05, "gd": 0.5}
    train = settings(optimizer=optimizer, learning_rate=rates.get(optimizer), batch_size=32, epochs=3)
    history = fit(digits, Model(hidden_units=[]), train, [0]).history
    assert history["train_cross_entropy"].iloc[-1] < history["train_cross_entropy"].iloc[0] - 0.01


def test_scores_are_taken_with_dropout_off_and_penalties_out(digits):
    model = Model(hidden_units=[16], dropout=0.5, l2=0.1)
    fitted = fit(digits, model, settings(epochs=1), [0])
    plain = build_keras(Model(hidden_units=[16]), DIGITS)
    set_weights(plain, {name: value[0] for name, value in fitted.weights.items()})
    plain.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    for split, rows in (("train", digits.train_rows[0]), ("validation", digits.val_rows[0])):
        loss, accuracy = plain.evaluate(digits.x[rows], digits.y[rows], verbose=0)
        assert fitted.history[f"{split}_cross_entropy"][0] == pytest.approx(loss, abs=1e-5)
        assert fitted.history[f"{split}_accuracy"][0] == pytest.approx(accuracy, abs=1e-7)


def test_regression_is_scored_in_the_targets_unit(diabetes):
    history = fit(diabetes, Model(hidden_units=[16]), settings(epochs=30), [0]).history
    last, spread = history.iloc[-1], diabetes.y[diabetes.val_rows[0]].std() * 77
    assert last["validation_r2"] == pytest.approx(1 - (last["validation_rmse"] / spread) ** 2, abs=1e-5)
    assert 40 < last["validation_rmse"] < 77
