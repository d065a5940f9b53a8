"""Piecewise-linear inputs against an encoding in NumPy, and edges that come from each seed's training rows alone."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from pipeline.data.examples import Examples, Problem, Split
from pipeline.settings import EarlyStopping, Model, Train
from pipeline.training.encoding import encoding_weights
from pipeline.training.keras_file import save_model
from pipeline.training.model import build_keras, build_network, initial_weights, set_weights
from pipeline.training.predict import predict
from pipeline.training.structure import structure, together
from pipeline.training.trainer import fit, fit_together
from tests.training.runs import same_batches

BINS = 4
DIABETES = Problem("regression", n_features=10, n_outputs=1)
MODEL = Model(hidden_units=[12], bins=BINS)
TRAIN = Train(batch_size=64, epochs=3)


@pytest.fixture(scope="module")
def diabetes() -> Examples:
    x, y = load_diabetes(return_X_y=True)
    x, y = (x * 20).astype(np.float32), ((y - y.mean()) / y.std()).astype(np.float32)
    return Examples.of_splits(DIABETES, Split(x=x[:300], y=y[:300]), Split(x=x[300:], y=y[300:]))


@pytest.fixture(scope="module")
def separate_rows(diabetes: Examples) -> Examples:
    """Examples of which each of ten seeds trains on other rows."""
    orders = np.stack([np.random.default_rng(seed).permutation(400) for seed in range(10)])
    return replace(diabetes, train_rows=orders[:, :200], val_rows=orders[:, 200:])


def encoded(x: np.ndarray, train_x: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Return the units of rows by equation 1 of the paper, its ends clipped: `[n, bins * features]`, bin by bin."""
    edges = np.quantile(train_x, np.linspace(0, 1, bins + 1), axis=0, method="inverted_cdf").astype(float)
    units = np.zeros((len(x), bins, x.shape[1]))
    for b in range(bins):
        for f in range(x.shape[1]):
            lower, upper = edges[b, f], edges[b + 1, f]
            if lower < upper:
                units[:, b, f] = np.clip((x[:, f] - lower) / (upper - lower), 0, 1)
    return units.reshape(len(x), -1).astype(np.float32)


def units_of(column: np.ndarray, bins: int = BINS, weights: np.ndarray | None = None) -> np.ndarray:
    """Return the units of a single feature for its training rows, `[n, bins]`."""
    x = column.astype(np.float32)[:, None]
    network = build_network(Model(hidden_units=[], bins=bins), Problem("regression", 1, 1))
    set_weights(network, initial_weights(network, 0) | encoding_weights(x, bins, weights))
    return keras.Model(network.input, network.get_layer("encoding_flat").output)(x).numpy()


def test_training_equals_model_fit_on_inputs_that_numpy_has_encoded(separate_rows):
    fitted = fit(separate_rows, MODEL, TRAIN, list(range(10)))
    for seed in (0, 7):
        rows = separate_rows.train_rows[seed : seed + 1]
        x = encoded(separate_rows.x, separate_rows.x[rows[0]])
        wide = Problem("regression", n_features=x.shape[1], n_outputs=1)
        plain = build_keras(Model(hidden_units=[12]), wide)
        first = initial_weights(build_network(MODEL, DIABETES), seed)
        set_weights(plain, first)
        plain.compile(optimizer="adam", loss="mean_squared_error", run_eagerly=True)
        for batch in same_batches(replace(separate_rows, problem=wide, x=x, train_rows=rows), TRAIN, seed, False):
            plain.train_on_batch(*batch)
        for variable in plain.weights:
            np.testing.assert_allclose(fitted.weights[variable.path][seed], variable, atol=1e-5)
        outputs = predict(MODEL, DIABETES, fitted.weights, separate_rows.x)[seed]
        np.testing.assert_allclose(outputs, plain(x), atol=1e-5)


def test_edges_come_from_the_training_rows_alone_and_are_not_trained(separate_rows):
    x = separate_rows.x.copy()
    x[np.setdiff1d(np.arange(len(x)), separate_rows.train_rows[2])] *= 1000
    pulls = Train(batch_size=32, epochs=3, weight_decay=0.5, ema=0.5)
    limited = MODEL.model_copy(update={"l1": 0.1, "l2": 0.1, "max_norm": 0.1})
    fitted = fit(replace(separate_rows, x=x), limited, pulls, list(range(10)))
    expected = encoding_weights(separate_rows.x[separate_rows.train_rows[2]], BINS)
    assert sorted(expected) == ["encoding/bias", "encoding/kernel"]
    for path, value in expected.items():
        np.testing.assert_array_equal(fitted.weights[path][2], value)
        assert (fitted.weights[path][3] != value).any()


@pytest.mark.parametrize("model", [{}, {"gaussian_noise": 0.1, "input_dropout": 0.3, "l2": 1e-3}], ids=str)
def test_one_seed_among_ten_is_the_same_as_alone(separate_rows, model):
    settings, stops = MODEL.model_copy(update=model), TRAIN.model_copy(update={"early_stopping": EarlyStopping()})
    fitted = fit(separate_rows, settings, stops, list(range(10)))
    alone = replace(separate_rows, train_rows=separate_rows.train_rows[4:5], val_rows=separate_rows.val_rows[4:5])
    for path, value in fit(alone, settings, stops, [4]).weights.items():
        np.testing.assert_allclose(fitted.weights[path][4], value[0], atol=1e-5, err_msg=path)


def test_each_number_of_bins_has_a_graph_of_its_own(diabetes):
    assert structure(MODEL, TRAIN) != structure(MODEL.model_copy(update={"bins": 8}), TRAIN)
    configurations = [(MODEL.model_copy(update={"l2": l2}), TRAIN) for l2 in (0.0, 0.1)]
    assert len({together(*configuration) for configuration in configurations}) == 1
    for fitted, configuration in zip(fit_together(diabetes, configurations, [3, 4]), configurations, strict=True):
        for path, value in fit(diabetes, *configuration, [3, 4]).weights.items():
            np.testing.assert_allclose(fitted.weights[path], value, atol=1e-5, err_msg=path)


def test_a_constant_feature_is_0_and_a_binary_one_is_one_unit():
    assert not units_of(np.full(50, 3.0)).any()
    for share in (0.02, 0.4, 0.98):
        binary = (np.arange(50) >= 50 * (1 - share)).astype(float)
        units = units_of(1.7 * binary - 0.3)  # standardized
        used = units.any(axis=0)
        assert used.sum() == 1
        np.testing.assert_allclose(units[:, used][:, 0], binary, atol=1e-6)


def test_a_feature_of_few_values_has_a_unit_for_each_step():
    units = units_of(np.array([0.0] * 10 + [1.0] * 30 + [5.0] * 20), bins=16)
    assert np.unique(units[:, units.any(axis=0)], axis=0).tolist() == [[0, 0], [1, 0], [1, 1]]


@pytest.mark.parametrize("column", [[1.7e9, 1.7e9 + 128, 1.7e9 + 5e5], [0.0, 1e-42, 1e-38, 1e30]], ids=str)
def test_units_of_values_that_float32_hardly_tells_apart_stay_between_0_and_1(column):
    units = units_of(np.repeat(column, 10))
    assert units.min() >= 0 and units.max() <= 1
    assert units[0].max() <= 0.01 and units[-1].max() == 1


def test_weighted_rows_shift_the_edges_as_repeated_rows_do():
    values, times = np.arange(20.0), np.arange(1, 21)
    weighted, repeated = (
        encoding_weights(values[:, None], 5, times),
        encoding_weights(np.repeat(values, times)[:, None], 5),
    )
    for path, value in repeated.items():
        np.testing.assert_allclose(weighted[path], value, rtol=1e-6)


def test_input_dropout_drops_a_feature_with_all_its_bins():
    model = Model(hidden_units=[], bins=BINS, input_dropout=0.5)
    network = build_network(model, DIABETES)
    x = np.random.default_rng(0).normal(size=(200, 10)).astype(np.float32)
    set_weights(network, initial_weights(network, 0) | encoding_weights(x - 10, BINS))  # all units are 1
    dropped = keras.Model(network.input, network.get_layer("input_dropout").output)(x, training=True).numpy()
    assert (dropped == dropped[:, :1]).all()
    assert set(np.unique(dropped)) == {0.0, 2.0}


@pytest.mark.parametrize("model", [{"bins": 4}, {"inputs": "quantile"}, {"inputs": "robust"}], ids=str)
def test_a_single_feature_is_encoded_for_several_seeds_as_for_one(diabetes, model):
    single = replace(diabetes, problem=Problem("regression", n_features=1, n_outputs=1), x=diabetes.x[:, 2:3])
    settings = Model(hidden_units=[8], **model)
    fitted = fit(single, settings, TRAIN, [0, 1, 2])
    for path, value in fit(single, settings, TRAIN, [1]).weights.items():
        np.testing.assert_allclose(fitted.weights[path][1], value[0], atol=1e-5, err_msg=path)


def test_a_saved_model_predicts_the_same(diabetes, tmp_path):
    fitted = fit(diabetes, MODEL, TRAIN, [5])
    plain = build_keras(MODEL, DIABETES)
    set_weights(plain, fitted.first_sound)
    save_model(plain, tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    expected = predict(MODEL, DIABETES, fitted.weights, diabetes.x)[0]
    np.testing.assert_allclose(loaded.predict(diabetes.x, verbose=0), expected, atol=1e-5)


def test_weights_that_are_not_trained_do_not_count(diabetes):
    assert fit(diabetes, MODEL, Train(epochs=1), [0]).weight_count == 10 * BINS * 12 + 12 + 12 + 1
