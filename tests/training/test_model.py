"""The plain Keras model, its first weights, and what it predicts."""

from typing import get_args

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.choices import Initializer
from pipeline.data.examples import Problem
from pipeline.settings import Model
from pipeline.training.model import build_keras, build_network, initial_weights, set_weights
from pipeline.training.predict import predict

CLASSES = Problem("classification", n_features=7, n_outputs=3)
NUMBER = Problem("regression", n_features=7, n_outputs=1)
X = np.random.default_rng(0).normal(0, 2, (11, 7)).astype(np.float32)
RANDOM = {"random", "uniform", "normal", "orthogonal", "scaling"}


def first_weights(model: Model, seed: int = 0) -> dict[str, np.ndarray]:
    return initial_weights(build_network(model, CLASSES), seed)


def weights_of(model: Model, problem: Problem, seeds: list[int]) -> dict[str, np.ndarray]:
    """Weights of the seeds as the trainer returns them, but none of them 0 or 1 as they are at first."""
    by_seed = [initial_weights(build_network(model, problem), seed) for seed in seeds]
    stacked = {name: np.stack([weights[name] for weights in by_seed]) for name in by_seed[0]}
    rng = np.random.default_rng(1)
    return {name: value + rng.uniform(0, 0.5, value.shape).astype(np.float32) for name, value in stacked.items()}


def plain_with(model: Model, problem: Problem, weights: dict[str, np.ndarray], replica: int, **target) -> keras.Model:
    plain = build_keras(model, problem, **target)
    set_weights(plain, {name: value[replica] for name, value in weights.items()})
    return plain


def test_regression_model_answers_in_the_targets_unit():
    model = Model(hidden_units=[5])
    weights = weights_of(model, NUMBER, [0])
    plain = plain_with(model, NUMBER, weights, 0, mean=150.0, scale=77.0)
    np.testing.assert_allclose(plain(X), predict(model, NUMBER, weights, X)[0] * 77 + 150, rtol=1e-5)


def test_linear_model_has_no_hidden_layer():
    plain = build_keras(Model(hidden_units=[]), CLASSES)
    assert [layer.name for layer in plain.layers] == ["rows", "output", "probabilities"]
    assert plain.count_params() == 7 * 3 + 3


def test_plain_model_has_what_the_settings_ask_for():
    settings = Model(
        hidden_units=[5],
        l1=0.1,
        l2=0.2,
        dropout=0.3,
        input_dropout=0.4,
        batch_norm=True,
        max_norm=2.0,
        gaussian_noise=1.0,
    )
    plain = build_keras(settings, CLASSES)
    names = ["rows", "noise", "input_dropout", "hidden_1", "hidden_1_norm", "hidden_1_relu", "hidden_1_dropout"]
    assert [layer.name for layer in plain.layers] == [*names, "output", "probabilities"]
    hidden = plain.get_layer("hidden_1")
    assert hidden.kernel_regularizer.get_config() == pytest.approx({"l1": 0.1, "l2": 0.2})
    assert hidden.kernel_constraint.max_value == 2.0
    assert (plain.get_layer("input_dropout").rate, plain.get_layer("hidden_1_dropout").rate) == (0.4, 0.3)


def test_every_initializer_gives_finite_weights_that_depend_on_the_seed_where_it_is_random():
    for initializer in get_args(Initializer):
        model = Model(hidden_units=[6], initializer=initializer)
        one, again, other = (first_weights(model, seed) for seed in (0, 0, 1))
        kernel = one["hidden_1/kernel"]
        assert (kernel.shape, kernel.dtype) == ((7, 6), np.float32)
        assert np.isfinite(kernel).all(), initializer
        np.testing.assert_array_equal(kernel, again["hidden_1/kernel"])
        is_random = bool(RANDOM & set(initializer.split("_")))
        assert (kernel != other["hidden_1/kernel"]).any() == is_random, initializer
        assert not one["hidden_1/bias"].any()


def test_layers_of_one_seed_start_from_different_numbers():
    weights = first_weights(Model(hidden_units=[7, 7]))
    assert not np.isin(weights["hidden_1/kernel"], weights["hidden_2/kernel"]).any()


def test_null_initializer_is_keras_default():
    kernel = first_weights(Model(hidden_units=[6]))["hidden_1/kernel"]
    limit = np.sqrt(6 / (7 + 6))
    assert 0.8 * limit < np.abs(kernel).max() <= limit


def test_set_weights_gives_the_plain_model_every_weight():
    model = Model(hidden_units=[5], batch_norm=True)
    weights = weights_of(model, CLASSES, [0])
    plain = plain_with(model, CLASSES, weights, 0)
    assert sorted(weights) == sorted(weight.path.removeprefix("mlp/") for weight in plain.weights)
    for name, value in weights.items():
        layer, weight = name.split("/")
        np.testing.assert_array_equal(getattr(plain.get_layer(layer), weight), value[0])


def test_dropout_spares_inputs_and_outputs():
    layers = build_network(Model(hidden_units=[5], dropout=0.5), CLASSES).layers
    assert [layer.name for layer in layers] == ["rows", "hidden_1", "hidden_1_relu", "hidden_1_dropout", "output"]


def test_predict_equals_keras_predict_with_a_last_block_that_is_not_full(monkeypatch):
    model = Model(hidden_units=[5])
    weights = weights_of(model, CLASSES, [0, 1])
    whole = predict(model, CLASSES, weights, X)
    monkeypatch.setattr("pipeline.training.predict.AT_ONCE", 4)
    in_blocks = predict(model, CLASSES, weights, X)
    assert in_blocks.shape == (2, 11, 3)
    np.testing.assert_allclose(in_blocks, whole, atol=1e-5)
    expected = plain_with(model, CLASSES, weights, 0).predict(X, verbose=0)
    np.testing.assert_allclose(tf.nn.softmax(whole[0]), expected, atol=1e-5)


def test_each_seed_may_predict_rows_of_its_own(monkeypatch):
    monkeypatch.setattr("pipeline.training.predict.AT_ONCE", 4)
    model = Model(hidden_units=[5], batch_norm=True)
    weights = weights_of(model, CLASSES, [0, 1])
    separate = predict(model, CLASSES, weights, np.stack([X, X[::-1]]))
    shared = predict(model, CLASSES, weights, X)
    np.testing.assert_allclose(separate, [shared[0], shared[1, ::-1]], atol=1e-5)


def test_no_rows_have_no_predictions():
    model = Model(hidden_units=[5])
    assert predict(model, CLASSES, weights_of(model, CLASSES, [0, 1]), X[:0]).shape == (2, 0, 3)


def test_a_target_with_a_large_offset_keeps_its_differences():
    problem = Problem("regression", 4, 1)
    plain = build_keras(Model(hidden_units=[8]), problem, mean=1.7e9, scale=10.0)
    rows = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    assert len(np.unique(plain.predict(rows, verbose=0))) == 50
