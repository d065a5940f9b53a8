"""The stacked network against the plain Keras model, what layers change in training, and each replica as if alone."""

from typing import get_args

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.choices import Activation
from pipeline.data.examples import Problem
from pipeline.settings import Model
from pipeline.training.fast import noise
from pipeline.training.model import build_network, set_weights
from pipeline.training.stacked import Stack, Step
from pipeline.training.strengths import model_strengths

REPLICAS = 3
X = np.random.default_rng(0).normal(0, 2, (REPLICAS, 11, 6)).astype(np.float32)


def of_layers(*layers: keras.layers.Layer, width: int = 6) -> keras.Model:
    inputs = keras.Input((width,))
    x = inputs
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


def with_skip_connections() -> keras.Model:
    inputs = keras.Input((6,))
    x = keras.layers.Dense(6)(keras.layers.LayerNormalization()(inputs))
    x = keras.layers.Activation("gelu")(keras.layers.Add()([inputs, x]))
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Concatenate()([inputs, x])))


def with_concatenation(axis: int) -> keras.Model:
    inputs = keras.Input((6,))
    return keras.Model(inputs, keras.layers.Concatenate(axis)([inputs, keras.layers.Dense(4)(inputs)]))


def weights_of(network: keras.Model) -> dict[str, np.ndarray]:
    """Weights `[R, ...]` by path, none of them 0 or 1 as many are at first."""
    rng = np.random.default_rng(1)
    return {w.path: rng.uniform(0.1, 1, (REPLICAS, *w.shape)).astype(np.float32) for w in network.weights}


def plain_outputs(network: keras.Model, weights: dict[str, np.ndarray]) -> np.ndarray:
    """What the plain model gives for the rows of each replica with its weights."""
    outputs = []
    for replica in range(REPLICAS):
        set_weights(network, {path: value[replica] for path, value in weights.items()})
        outputs.append(network(X[replica]).numpy())
    return np.stack(outputs)


def tensors(stack: Stack, weights: dict[str, np.ndarray]) -> list[list[tf.Tensor]]:
    return [[tf.constant(weights[v.path]) for v in part] for part in (stack.trained, stack.statistics)]


def training(
    networks: list[keras.Model], seeds: list[int], weights: dict[str, np.ndarray], x: np.ndarray, step: int = 0
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Outputs and statistics of a step in which each replica has the strengths of a network of its own."""
    strengths = [model_strengths(network) for network in networks]
    by_name = {name: tf.constant([of_one[name] for of_one in strengths]) for name in strengths[0]}
    key, rows = tf.constant(noise.keys(seeds, epoch=1, steps=step + 1)[step]), x.shape[1]
    stack = Stack(networks[0], len(networks))
    outputs, after = stack(*tensors(stack, weights), x, Step(stack.draw(key, rows), by_name, tf.fill(rows, 1 / rows)))
    return outputs.numpy(), [value.numpy() for value in after]


def scoring(network: keras.Model, weights: dict[str, np.ndarray], x: np.ndarray = X) -> np.ndarray:
    stack = Stack(network, REPLICAS)
    return stack(*tensors(stack, weights), x)[0].numpy()


@pytest.mark.parametrize(
    "network",
    [
        of_layers(keras.layers.Dense(4)),
        of_layers(keras.layers.Dense(4, "gelu", use_bias=False), keras.layers.Dense(2)),
        of_layers(keras.layers.BatchNormalization(), keras.layers.BatchNormalization(center=False, scale=False)),
        of_layers(keras.layers.Dropout(0.5), keras.layers.GaussianNoise(1.0), keras.layers.Dense(2)),
        of_layers(keras.layers.LayerNormalization()),
        of_layers(keras.layers.PReLU(), keras.layers.GroupNormalization(2), keras.layers.UnitNormalization()),
        of_layers(
            keras.layers.Reshape((3, 2)), keras.layers.EinsumDense("abc,cd->abd", (3, 5)), keras.layers.Flatten()
        ),
        of_layers(keras.layers.Reshape((3, 2)), keras.layers.Dense(4), keras.layers.Flatten()),
        with_skip_connections(),
        with_concatenation(axis=1),
    ],
    ids=lambda network: "-".join(type(layer).__name__ for layer in network.layers[1:]),
)
def test_each_replica_scores_as_the_plain_model(network):
    weights = weights_of(network)
    np.testing.assert_allclose(scoring(network, weights), plain_outputs(network, weights), rtol=1e-5, atol=1e-5)


def test_each_replica_scores_as_the_plain_model_with_every_activation():
    for activation in get_args(Activation):
        network = build_network(Model(hidden_units=[5, 4], activation=activation), Problem("classification", 6, 3))
        weights = weights_of(network)
        expected = plain_outputs(network, weights)
        np.testing.assert_allclose(scoring(network, weights), expected, rtol=1e-5, atol=1e-5, err_msg=activation)


@pytest.mark.parametrize("layer", [keras.layers.Dense(4), keras.layers.LayerNormalization()], ids=lambda x: x.name)
def test_replicas_may_share_their_rows(layer):
    network = of_layers(layer)
    weights = weights_of(network)
    shared, separate = (scoring(network, weights, x) for x in (X[:1], np.repeat(X[:1], REPLICAS, axis=0)))
    np.testing.assert_allclose(shared, separate, rtol=1e-6)


def with_every_form(rate: float) -> keras.Model:
    return of_layers(
        keras.layers.GaussianNoise(rate, name="noise"),
        keras.layers.Dense(5, name="dense"),
        keras.layers.BatchNormalization(name="norm"),
        keras.layers.Dropout(rate, name="dropout"),
        keras.layers.LayerNormalization(name="layer_norm"),
        keras.layers.Dropout(rate / 2, name="dropout_2"),
    )


def test_a_replica_among_others_computes_in_scoring_and_in_training_what_it_does_alone():
    networks, seeds = [with_every_form(rate) for rate in (0.2, 0.5, 0.7)], [4, 5, 6]
    weights = weights_of(networks[0])
    scores = scoring(networks[0], weights)
    outputs, statistics = training(networks, seeds, weights, X)
    for k in range(REPLICAS):
        own = {path: value[k : k + 1] for path, value in weights.items()}
        stack = Stack(networks[k], 1)
        alone, _ = stack(*tensors(stack, own), X[k : k + 1])
        np.testing.assert_allclose(scores[k], alone[0], rtol=1e-5, atol=1e-6)
        alone, statistics_alone = training(networks[k : k + 1], seeds[k : k + 1], own, X[k : k + 1])
        np.testing.assert_allclose(outputs[k], alone[0], rtol=1e-5, atol=1e-6)
        for among, value in zip(statistics, statistics_alone, strict=True):
            np.testing.assert_allclose(among[k], value[0], rtol=1e-5)


@pytest.mark.parametrize("shape", [(6,), (3, 2)], ids=str)
@pytest.mark.parametrize("options", [{}, {"center": False, "scale": False}, {"momentum": 0.6, "epsilon": 0.1}], ids=str)
def test_batch_normalization_is_keras_own_on_the_real_rows(options, shape):
    layers = keras.layers
    network = of_layers(layers.Reshape(shape), layers.BatchNormalization(**options), layers.Flatten())
    weights, real = weights_of(network), 7
    stack, slopes = Stack(network, REPLICAS), np.random.default_rng(2).normal(size=X.shape).astype(np.float32)
    shares = tf.constant((np.arange(X.shape[1]) < real) / np.float32(real), tf.float32)
    (trained, statistics), x = tensors(stack, weights), tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch([x, *trained])
        outputs, after = stack(trained, statistics, x, Step({}, {}, shares))
        loss = tf.reduce_sum(outputs * slopes * shares[:, None])
    gradients = tape.gradient(loss, [x, *trained])
    assert not gradients[0][:, real:].numpy().any()
    for replica in range(REPLICAS):
        set_weights(network, {path: value[replica] for path, value in weights.items()})
        rows = tf.constant(X[replica, :real])
        with tf.GradientTape() as tape:
            tape.watch(rows)
            expected = network(rows, training=True)
            loss = tf.reduce_sum(expected * slopes[replica, :real]) / real
        np.testing.assert_allclose(outputs[replica, :real], expected, atol=1e-5)
        for variable, value in zip(network.non_trainable_variables, after, strict=True):
            np.testing.assert_allclose(value[replica], variable, rtol=1e-5, err_msg=variable.path)
        of_rows, *of_weights = tape.gradient(loss, [rows, *(v.value for v in network.trainable_variables)])
        np.testing.assert_allclose(gradients[0][replica, :real], of_rows, atol=1e-5)
        for gradient, value in zip(gradients[1:], of_weights, strict=True):
            np.testing.assert_allclose(gradient[replica], value, atol=1e-5)


ONES = np.ones((2, 400, 100), np.float32)


def twice_dropped(rates: list[float], step: int = 0) -> np.ndarray:
    """Two layers' results for ones, `[2 layers, R, rows, units]`, each replica with a rate of its own."""
    networks = []
    for rate in rates:
        inputs = keras.Input((100,))
        both = [keras.layers.Dropout(rate, name=name)(inputs) for name in ("first", "second")]
        networks.append(keras.Model(inputs, keras.layers.Concatenate()(both)))
    return np.stack(np.split(training(networks, [0, 1], {}, ONES, step)[0], 2, axis=-1))


def test_dropout_drops_each_replicas_share_and_keeps_the_expectation():
    rates = [0.1, 0.5, 0.8, 0.0]
    for pair in (rates[:2], rates[2:]):
        for dropped, rate in zip(twice_dropped(pair).swapaxes(0, 1), pair, strict=True):
            # 80,000 units: five standard errors of the share are less than 0.009.
            assert (dropped == 0).mean() == pytest.approx(rate, abs=0.009)
            assert dropped.mean() == pytest.approx(1, abs=0.009 / (1 - rate))
            np.testing.assert_allclose(dropped[dropped != 0], 1 / (1 - rate), rtol=1e-6)


def test_spatial_dropout_drops_each_replicas_share_of_whole_channels():
    layers, rates = keras.layers, [0.2, 0.6]
    networks = [
        of_layers(layers.Reshape((4, 25)), layers.SpatialDropout1D(rate, name="dropout"), width=100) for rate in rates
    ]
    dropped = training(networks, [0, 1], {}, ONES)[0]
    assert (dropped == dropped[:, :, :1]).all()
    for of_replica, rate in zip(dropped, rates, strict=True):
        # 10,000 channels: five standard errors of the share are at most 0.025.
        assert (of_replica == 0).mean() == pytest.approx(rate, abs=0.025)
        np.testing.assert_allclose(of_replica[of_replica != 0], 1 / (1 - rate), rtol=1e-6)


def test_dropout_differs_between_seeds_steps_and_layers():
    (first, second), (later, _) = twice_dropped([0.5, 0.5]), twice_dropped([0.5, 0.5], step=1)
    for other in (first[1], second[0], later[0]):
        assert (first[0] == other).mean() == pytest.approx(0.5, abs=0.02)
    np.testing.assert_array_equal(first, twice_dropped([0.5, 0.5])[0])


def test_noise_has_each_replicas_standard_deviation():
    networks = [of_layers(keras.layers.GaussianNoise(deviation, name="noise"), width=100) for deviation in (0.3, 1.0)]
    blurred = training(networks, [0, 1], {}, ONES)[0] - 1
    assert blurred.std(axis=(1, 2)) == pytest.approx([0.3, 1.0], rel=0.02)
    assert blurred.mean(axis=(1, 2)) / [0.3, 1.0] == pytest.approx([0, 0], abs=0.03)
    assert abs(np.corrcoef(blurred.reshape(2, -1))[0, 1]) < 0.03
