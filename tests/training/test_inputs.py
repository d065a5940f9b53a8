"""Transformed inputs against scikit-learn's, with weights that come from each seed's training rows alone."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from scipy.stats import norm
from sklearn.preprocessing import QuantileTransformer, RobustScaler

from pipeline.data.examples import Examples, Problem, Split
from pipeline.settings import Inputs, Model, Train
from pipeline.training.inputs import QUANTILES, input_weights
from pipeline.training.keras_file import save_model
from pipeline.training.model import build_keras, build_network, initial_weights, set_weights
from pipeline.training.optimizers import make_optimizer
from pipeline.training.predict import predict
from pipeline.training.structure import structure
from pipeline.training.trainer import fit
from tests.training.runs import same_batches

KINDS = ["quantile", "robust"]


def columns(n: int, seed: int = 0) -> np.ndarray:
    """Return features of several kinds: skewed, rounded, with many 0, heavy tails, a large offset; then two values."""
    rng = np.random.default_rng(seed)
    zeros = np.where(rng.uniform(size=n) < 0.4, 0, rng.exponential(size=n))
    features = [
        rng.lognormal(size=n),
        rng.normal(size=n).round(1),
        zeros,
        rng.standard_t(2, n),
        100 + rng.normal(size=n),
    ]
    return np.stack([*features, rng.uniform(size=n) < 0.1], axis=1).astype(np.float32)


def transformed(x: np.ndarray, inputs: Inputs, fitted_on: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Return what the first hidden layer gets."""
    network = build_network(Model(hidden_units=[], inputs=inputs), Problem("regression", x.shape[1], 1))
    set_weights(network, initial_weights(network, 0) | input_weights(fitted_on, inputs, weights))
    return keras.Model(network.input, network.get_layer("output").input)(x).numpy()


def test_quantiles_to_normal_are_scikit_learns():
    train, new = columns(700), columns(300, seed=1)
    theirs = QuantileTransformer(n_quantiles=QUANTILES, output_distribution="normal", subsample=None).fit(train)
    for rows in (train, new):
        ours, expected = transformed(rows, "quantile", train)[:, :5], theirs.transform(rows)[:, :5]
        # In float32 a share is known to about 1e-7, which tells at the ends, 5.2 from the middle.
        np.testing.assert_allclose(norm.cdf(ours), norm.cdf(expected), atol=2e-4)
        inside = abs(expected) < 3
        np.testing.assert_allclose(ours[inside], expected[inside], atol=5e-3)
        assert abs(abs(ours[~inside]) - abs(expected[~inside])).max() < 0.1


def test_robust_scaling_is_scikit_learns_with_a_smooth_clip():
    train, new = columns(700), columns(300, seed=1)
    scaled = RobustScaler().fit(train).transform(new)[:, :5]
    np.testing.assert_allclose(
        transformed(new, "robust", train)[:, :5], scaled / np.sqrt(1 + (scaled / 3) ** 2), rtol=1e-3, atol=1e-4
    )
    assert abs(transformed(1e6 * new, "robust", train)).max() <= 3


def test_a_feature_of_two_values_keeps_them_and_a_constant_one_is_a_constant():
    indicator = (np.arange(200) % 10 == 0).astype(np.float32)
    x = np.stack([(indicator - 0.1) / 0.3, np.full(200, 0.5, np.float32)], axis=1)
    np.testing.assert_allclose(transformed(x, "quantile", x), x, atol=1e-4)
    robust = transformed(x, "robust", x)
    assert np.unique(robust[:, 0]).size == 2 and not robust[:, 1].any()


@pytest.mark.parametrize("inputs", KINDS)
def test_weighted_rows_count_as_repeated_ones(inputs):
    x = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    times = np.random.default_rng(1).integers(1, 4, 300)
    weighted, repeated = transformed(x, inputs, x, times), transformed(x, inputs, np.repeat(x, times, axis=0))
    np.testing.assert_allclose(norm.cdf(weighted), norm.cdf(repeated), atol=0.02)


@pytest.fixture(scope="module")
def examples() -> Examples:
    x = columns(400)
    y = (x[:, 0] > 1).astype(np.float32) + np.random.default_rng(0).normal(0, 0.1, 400).astype(np.float32)
    orders = np.stack([np.random.default_rng(seed).permutation(400) for seed in range(3)])
    whole = Examples.of_splits(Problem("regression", x.shape[1], 1), Split(x, y), Split(x[:0], y[:0]))
    return replace(whole, train_rows=orders[:, :200], val_rows=orders[:, 200:])


# How the processor rounds a share near 0 or 1 tells in what a normal distribution has there.
@pytest.mark.parametrize(("inputs", "tolerance"), [("quantile", 2e-3), ("robust", 2e-5)])
def test_training_equals_model_fit_on_transformed_inputs_of_the_seeds_own_rows(examples, inputs, tolerance):
    # Adam would make much of the last bits of gradients that are nearly 0.
    train = Train(batch_size=64, epochs=2, weight_decay=0.1, optimizer="momentum", learning_rate=0.02)
    model = Model(hidden_units=[8], inputs=inputs)
    fitted = fit(examples, model, train, [0, 1, 2])
    assert fitted.weight_count == 6 * 8 + 8 + 8 + 1
    for seed in (0, 2):
        rows = examples.train_rows[seed : seed + 1]
        x = transformed(examples.x, inputs, examples.x[rows[0]])
        plain = build_keras(Model(hidden_units=[8]), examples.problem)
        first = initial_weights(build_network(model, examples.problem), seed)
        set_weights(plain, first)
        moved = np.abs(fitted.weights["hidden_1/kernel"][seed] - first["hidden_1/kernel"]).max()
        assert moved > 50 * tolerance
        plain.compile(optimizer=make_optimizer(train), loss="mean_squared_error", run_eagerly=True)
        for batch in same_batches(replace(examples, x=x, train_rows=rows), train, seed, False):
            plain.train_on_batch(*batch)
        for variable in plain.weights:
            np.testing.assert_allclose(fitted.weights[variable.path][seed], variable, atol=tolerance)


@pytest.mark.parametrize("inputs", KINDS)
def test_the_saved_model_transforms_by_itself(examples, inputs, tmp_path):
    model = Model(hidden_units=[8], inputs=inputs, dropout=0.2, input_dropout=0.1)
    fitted = fit(examples, model, Train(batch_size=32, epochs=1), [0, 1, 2])
    plain = build_keras(model, examples.problem)
    set_weights(plain, fitted.first_sound)
    save_model(plain, tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    expected = predict(model, examples.problem, fitted.weights, examples.x)[0]
    np.testing.assert_allclose(loaded.predict(examples.x, verbose=0), expected, atol=1e-5)


def test_each_transformation_has_a_graph_of_its_own():
    graphs = {structure(Model(inputs=inputs), Train()) for inputs in (None, *KINDS)}
    assert len(graphs) == 3
