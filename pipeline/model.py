"""The MLP, twice over: as a plain Keras model, and as a function of the weights of R seeds side by side.

The second is what trains. A stacked weight has the seed as its first axis: kernels are `[R, n_in, n_out]`, and what
belongs to a unit (bias, gamma, ...) is `[R, 1, n_out]`, so that it broadcasts over the examples of a batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pipeline import noise
from pipeline.backend import keras, tf
from pipeline.examples import Problem
from pipeline.params import Model

# Keras' defaults of BatchNormalization.
BATCH_NORM_MOMENTUM, BATCH_NORM_EPSILON = 0.99, 1e-3

PREDICTED_AT_ONCE = 5000


def layers(model: Model, problem: Problem) -> Iterator[tuple[str, int, int]]:
    """Name, inputs and outputs of each dense layer, from the first hidden one to the output."""
    sizes = [problem.n_features, *model.hidden_units]
    for number, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
        yield f"hidden_{number}", n_in, n_out
    yield "output", sizes[-1], problem.n_outputs


def build_keras(model: Model, problem: Problem, mean: float = 0.0, scale: float = 1.0) -> keras.Model:
    """The MLP as a plain Keras model: prepared rows in; probabilities, or numbers in the target's unit, out.

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
        stack.append(keras.layers.Rescaling(scale, mean, name="target_unit"))
    return keras.Sequential(stack, name="mlp")


def set_weights(plain: keras.Model, weights: dict[str, np.ndarray]) -> None:
    """Give a model of `build_keras` one seed's weights, named and shaped as `initial_weights` returns them."""
    for name, value in weights.items():
        layer, weight = name.split("/")
        getattr(plain.get_layer(layer), weight).assign(value)


def initial_weights(model: Model, problem: Problem, seed: int) -> dict[str, np.ndarray]:
    """One seed's weights before training: kernels `[n_in, n_out]`, the others `[n_out]`, float32."""
    weights = {}
    for place, (name, n_in, n_out) in enumerate(layers(model, problem)):
        initializer = keras.initializers.get(model.initializer or "glorot_uniform")
        config = initializer.get_config()
        if "seed" in config:
            config["seed"] = int(np.random.SeedSequence([seed, 0, place]).generate_state(1)[0])
        weights[f"{name}/kernel"] = np.asarray(type(initializer).from_config(config)((n_in, n_out)))
        weights[f"{name}/bias"] = np.zeros(n_out, np.float32)
        if model.batch_norm and name != "output":
            for weight, value in (("gamma", 1), ("beta", 0), ("moving_mean", 0), ("moving_variance", 1)):
                weights[f"{name}_norm/{weight}"] = np.full(n_out, value, np.float32)
    return weights


def is_trained(name: str) -> bool:
    """Whether the optimizer changes the weight; moving statistics follow the batches instead."""
    return "/moving_" not in name


@dataclass(frozen=True)
class Training:
    """What a forward pass in training has beyond one in scoring.

    Attributes:
        step: int32 scalar, counted over the whole training; with `keys` it fixes every random number.
        keys: uint32 `[places, 2, R, 1, 1]`: the inputs' noise, the inputs' dropout, then each hidden layer's.
        rates: the strengths of `Model`'s regularizers that are on.
        example_weights: float32 `[batch, 1]`, 0 for rows that only fill the last batch up.
    """

    step: tf.Tensor
    keys: tf.Tensor
    rates: dict[str, tf.Tensor]
    example_weights: tf.Tensor

    def drop(self, x: tf.Tensor, rate: str, place: int) -> tf.Tensor:
        """Inverted dropout, at the same expectation as without."""
        if rate not in self.rates:
            return x
        kept = noise.uniform(self.keys[place], self.step, x.shape[-2], x.shape[-1]) >= self.rates[rate]
        return tf.where(kept, x / (1 - self.rates[rate]), 0.0)

    def blur(self, x: tf.Tensor) -> tf.Tensor:
        """Gaussian noise on the inputs."""
        if "gaussian_noise" not in self.rates:
            return x
        drawn = noise.normal(self.keys[0], self.step, x.shape[-2], x.shape[-1])
        return x + self.rates["gaussian_noise"] * drawn


def forward(
    model: Model, problem: Problem, weights: dict[str, tf.Tensor], x: tf.Tensor, training: Training | None = None
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The stacked MLP up to its logits (or its number), noise and dropout off without `training`.

    Args:
        weights: stacked, under the names of `initial_weights`.
        x: float32 `[R, batch, n_features]`, or `[1, batch, n_features]` where all seeds see the same rows.

    Returns:
        Logits `[R, batch, n_outputs]`, and the new moving statistics of batch normalization, empty without `training`.
    """
    activation, moved = keras.activations.get(model.activation), {}
    if training:
        x = training.drop(training.blur(x), "input_dropout", place=1)
    for place, (name, _, _) in enumerate(layers(model, problem), start=2):
        x = tf.matmul(x, weights[f"{name}/kernel"]) + weights[f"{name}/bias"]
        if name == "output":
            break
        if model.batch_norm:
            x, statistics = _batch_norm(weights, f"{name}_norm", x, training)
            moved |= statistics
        x = activation(x)
        if training:
            x = training.drop(x, "dropout", place)
    return x, moved


def _batch_norm(
    weights: dict[str, tf.Tensor], name: str, x: tf.Tensor, training: Training | None
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Ioffe and Szegedy (2015), as Keras does it: the biased variance also goes into the moving one."""
    mean, variance = weights[f"{name}/moving_mean"], weights[f"{name}/moving_variance"]
    moved = {}
    if training:
        kept = BATCH_NORM_MOMENTUM
        batch_mean, batch_variance = tf.nn.weighted_moments(x, -2, training.example_weights, keepdims=True)
        moved[f"{name}/moving_mean"] = mean * kept + batch_mean * (1 - kept)
        moved[f"{name}/moving_variance"] = variance * kept + batch_variance * (1 - kept)
        mean, variance = batch_mean, batch_variance
    normalized = tf.nn.batch_normalization(
        x, mean, variance, weights[f"{name}/beta"], weights[f"{name}/gamma"], BATCH_NORM_EPSILON
    )
    return normalized, moved


def predict(model: Model, problem: Problem, weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """What `forward` gives for all rows: float32 `[R, n, n_outputs]`.

    Args:
        weights: of R seeds, `[R, n_in, n_out]` and `[R, n_out]`, as the trainer returns them.
        x: float32 `[n, n_features]`.
    """
    stacked = {name: tf.constant(value if value.ndim == 3 else value[:, None]) for name, value in weights.items()}
    compiled = tf.function(lambda rows: forward(model, problem, stacked, rows[None])[0], jit_compile=True)
    # Blocks of one size, the last filled up: one graph, and no more memory than a block of it needs.
    size = min(PREDICTED_AT_ONCE, len(x))
    starts = range(0, len(x), size or 1)
    blocks = [np.resize(x[start : start + size], (size, x.shape[1])) for start in starts]
    outputs = [compiled(tf.constant(block)).numpy() for block in blocks]
    empty = np.zeros((len(next(iter(weights.values()))), 0, problem.n_outputs), np.float32)
    return np.concatenate([empty, *outputs], axis=1)[:, : len(x)]
