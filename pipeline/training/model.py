"""The MLP, twice over: as a plain Keras model, and as a function of the weights of R seeds side by side.

The second is what trains. A stacked weight has the seed as its first axis: kernels are `[R, n_in, n_out]`, and what
belongs to a unit (bias, gamma, ...) is `[R, 1, n_out]`, so that it broadcasts over the examples of a batch.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import keras
import numpy as np
import tensorflow as tf

from pipeline.data.examples import Problem
from pipeline.settings import Model
from pipeline.training.fast import noise

# Keras' defaults of BatchNormalization.
BATCH_NORM_MOMENTUM, BATCH_NORM_EPSILON = 0.99, 1e-3
BATCH_NORM_WEIGHTS = {"gamma": 1, "beta": 0, "moving_mean": 0, "moving_variance": 1}  # before training

PREDICTED_AT_ONCE = 5000  # rows


def layers(model: Model, problem: Problem) -> Iterator[tuple[str, int, int]]:
    """Yield name, inputs and outputs of each dense layer, from the first hidden one to the output."""
    sizes = [problem.n_features, *model.hidden_units]
    for number, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
        yield f"hidden_{number}", n_in, n_out
    yield "output", sizes[-1], problem.n_outputs


def build_keras(model: Model, problem: Problem, mean: float = 0.0, scale: float = 1.0) -> keras.Model:
    """Return the MLP as a plain Keras model: prepared rows in; probabilities, or numbers in the target's unit, out.

    Args:
        mean, scale: of the target; the network itself sees `(y - mean) / scale`.
    """
    constraint = None if model.max_norm is None else keras.constraints.MaxNorm(model.max_norm, axis=0)
    penalty = keras.regularizers.L1L2(model.l1, model.l2) if model.l1 or model.l2 else None
    stack = [keras.Input((problem.n_features,), name="rows")]
    if model.gaussian_noise:
        stack.append(keras.layers.GaussianNoise(model.gaussian_noise, name="noise"))
    if model.input_dropout:
        stack.append(keras.layers.Dropout(model.input_dropout, name="input_dropout"))
    for name, _, n_out in layers(model, problem):
        stack.append(
            keras.layers.Dense(
                n_out,
                kernel_initializer=model.initializer or "glorot_uniform",
                kernel_regularizer=penalty,
                kernel_constraint=constraint,
                name=name,
            )
        )
        if name == "output":
            break
        if model.batch_norm:
            stack.append(keras.layers.BatchNormalization(name=f"{name}_norm"))
        stack.append(keras.layers.Activation(model.activation, name=f"{name}_{model.activation}"))
        if model.dropout:
            stack.append(keras.layers.Dropout(model.dropout, name=f"{name}_dropout"))
    if problem.is_classification:
        stack.append(keras.layers.Softmax(name="probabilities"))
    elif (mean, scale) != (0.0, 1.0):
        # In float32 a target such as a time in seconds would lose all but its offset.
        stack.append(keras.layers.Rescaling(scale, mean, name="target_unit", dtype="float64"))
    return keras.Sequential(stack, name="mlp")


def set_weights(plain: keras.Model, weights: dict[str, np.ndarray]) -> None:
    """Give a model of `build_keras` one seed's weights, named and shaped as `initial_weights` returns them."""
    for name, value in weights.items():
        layer, weight = name.split("/")
        getattr(plain.get_layer(layer), weight).assign(value)


def weight_shapes(model: Model, problem: Problem) -> dict[str, tuple[int, ...]]:
    """Return the shapes of one seed's weights: kernels `(n_in, n_out)`, the others `(n_out,)`."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, n_in, n_out in layers(model, problem):
        shapes |= {f"{name}/kernel": (n_in, n_out), f"{name}/bias": (n_out,)}
        if model.batch_norm and name != "output":
            shapes |= {f"{name}_norm/{weight}": (n_out,) for weight in BATCH_NORM_WEIGHTS}
    return shapes


def initial_weights(model: Model, problem: Problem, seed: int) -> dict[str, np.ndarray]:
    """Return one seed's weights before training: kernels `[n_in, n_out]`, the others `[n_out]`, float32."""
    weights = {}
    for place, (name, n_in, n_out) in enumerate(layers(model, problem)):
        initializer = keras.initializers.get(model.initializer or "glorot_uniform")
        config = initializer.get_config()
        if "seed" in config:
            config["seed"] = int(np.random.SeedSequence([seed, 0, place]).generate_state(1)[0])
        weights[f"{name}/kernel"] = np.asarray(type(initializer).from_config(config)((n_in, n_out)))
        weights[f"{name}/bias"] = np.zeros(n_out, np.float32)
        if model.batch_norm and name != "output":
            for weight, value in BATCH_NORM_WEIGHTS.items():
                weights[f"{name}_norm/{weight}"] = np.full(n_out, value, np.float32)
    return weights


def is_trained(name: str) -> bool:
    """Return whether the optimizer changes the weight; moving statistics follow the batches instead."""
    return "/moving_" not in name


@dataclass(frozen=True)
class TrainingPass:
    """The inputs that a forward pass has in training and not in scoring.

    Attributes:
        drawn: square roots of uniform random numbers for each of `drawing_places`, float32 `[R, batch, units]`, as
            `fast.noise` draws them.
        constants: the numbers of the regularizers that are on, as `stack.constants` computes them.
        shares: the weight of each example in means over the batch, float32 `[batch, 1]`; 0 for a row that only fills
            the batch up.
    """

    drawn: dict[str, tf.Tensor]
    constants: dict[str, tf.Tensor]
    shares: tf.Tensor

    def drop(self, x: tf.Tensor, rate: str, place: str) -> tf.Tensor:
        """Drop units at random and scale the others up, so that the expectation stays (inverted dropout)."""
        if place not in self.drawn:
            return x
        stays = self.drawn[place] >= self.constants[f"{rate}_root"]
        return tf.where(stays, x * self.constants[f"{rate}_scale"], 0.0)

    def blur(self, x: tf.Tensor) -> tf.Tensor:
        """Add Gaussian noise to the inputs."""
        if "inputs_noise" not in self.drawn:
            return x
        return x + self.constants["gaussian_noise"] * noise.normal(self.drawn["inputs_noise"])


def drawing_places(model: Model, problem: Problem) -> dict[str, int]:
    """Return the places of the network that draw random numbers in training, and how many for each example."""
    hidden = {f"{name}_dropout": units for name, _, units in layers(model, problem) if name != "output"}
    return (
        ({"inputs_noise": problem.n_features} if model.gaussian_noise else {})
        | ({"inputs_dropout": problem.n_features} if model.input_dropout else {})
        | (hidden if model.dropout else {})
    )


def forward(
    model: Model, problem: Problem, weights: dict[str, tf.Tensor], x: tf.Tensor, training: TrainingPass | None = None
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Compute the stacked MLP up to its logits (or its number), with noise and dropout off if `training` is None.

    Args:
        weights: stacked, under the names of `initial_weights`.
        x: float32 `[R, batch, n_features]`, or `[1, batch, n_features]` where all seeds see the same rows.

    Returns:
        Logits `[R, batch, n_outputs]`, and the batch's mean and variance at each batch normalization, under the names
        of the moving statistics that follow them; none if `training` is None.
    """
    activation = keras.activations.get(model.activation)
    statistics: dict[str, tf.Tensor] = {}
    if training:
        x = training.drop(training.blur(x), "input_dropout", "inputs_dropout")
    for name, _, _ in layers(model, problem):
        x = tf.matmul(x, weights[f"{name}/kernel"]) + weights[f"{name}/bias"]
        if name == "output":
            break
        if model.batch_norm:
            x, batch_statistics = _batch_norm(weights, f"{name}_norm", x, training)
            statistics |= batch_statistics
        x = activation(x)
        if training:
            x = training.drop(x, "dropout", f"{name}_dropout")
    return x, statistics


def _batch_norm(
    weights: dict[str, tf.Tensor], name: str, x: tf.Tensor, training: TrainingPass | None
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Normalize as Ioffe and Szegedy (2015) do; as in Keras, the moving variance follows the biased one."""
    mean, variance = weights[f"{name}/moving_mean"], weights[f"{name}/moving_variance"]
    gamma, beta = weights[f"{name}/gamma"], weights[f"{name}/beta"]
    if not training:
        return (x - mean) * (tf.math.rsqrt(variance + BATCH_NORM_EPSILON) * gamma) + beta, {}
    normalized, batch_mean, batch_variance = _normalize(x, gamma, beta, training.shares)
    return normalized, {f"{name}/moving_mean": batch_mean, f"{name}/moving_variance": batch_variance}


def _normalize(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, shares: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Normalize by the batch; return `[R, batch, units]`, and the batch's mean and variance, `[R, 1, units]`.

    The gradient is the paper's, which takes two sums; the one that TensorFlow derives takes three times as many.
    """

    @tf.custom_gradient
    def normalize(
        x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor
    ) -> tuple[tuple[tf.Tensor, ...], Callable[..., tuple[tf.Tensor, ...]]]:
        mean = tf.reduce_sum(x * shares, axis=-2, keepdims=True)
        variance = tf.reduce_sum(tf.square(x - mean) * shares, axis=-2, keepdims=True)
        inverse = tf.math.rsqrt(variance + BATCH_NORM_EPSILON)
        centred = (x - mean) * inverse

        def gradient(
            upstream: tf.Tensor, *_: tf.Tensor
        ) -> tuple[tf.Tensor, ...]:  # mean and variance are of no consequence for the loss
            total = tf.reduce_sum(upstream, axis=-2, keepdims=True)
            along = tf.reduce_sum(upstream * centred, axis=-2, keepdims=True)
            return (upstream - shares * (total + centred * along)) * (gamma * inverse), along, total

        return (centred * gamma + beta, mean, variance), gradient

    return normalize(x, gamma, beta)


def predict(model: Model, problem: Problem, weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """Compute `forward` for all rows, float32 `[R, n, n_outputs]`, with noise and dropout off.

    Args:
        weights: of R seeds, `[R, n_in, n_out]` and `[R, n_out]`, as the trainer returns them.
        x: float32 `[n, n_features]`, or `[R, n, n_features]` where each seed has rows of its own.
    """
    stacked = {name: tf.constant(value if value.ndim == 3 else value[:, None]) for name, value in weights.items()}
    x = x if x.ndim == 3 else x[None]
    # In blocks of rows, so that little more memory is needed than for the outputs. Compiling would take longer than
    # it saves.
    blocks = [
        forward(model, problem, stacked, tf.constant(x[:, start : start + PREDICTED_AT_ONCE]))[0].numpy()
        for start in range(0, x.shape[1], PREDICTED_AT_ONCE)
    ]
    empty = np.zeros((len(next(iter(weights.values()))), 0, problem.n_outputs), np.float32)
    return np.concatenate([empty, *blocks], axis=1)
