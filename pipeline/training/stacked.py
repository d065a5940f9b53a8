"""A Keras model of R replicas: made from a plain model, layer by layer, with every weight stacked to `[R, ...]`.

Rows go in as `[R, batch, n_features]`. A layer that has no form of its own here is called for each replica by
`tf.vectorized_map`. The forms of the common layers give the same numbers, and graphs that compile in half of the time.
"""

import math
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.training.fast import noise
from pipeline.training.optimizers import Strengths

# These layers compute number by number, or along the last axis, whatever the axes before it.
AS_THEY_ARE = (
    keras.layers.Activation, keras.layers.Add, keras.layers.Average, keras.layers.ELU,
    keras.layers.Identity, keras.layers.LeakyReLU, keras.layers.Maximum, keras.layers.Minimum, keras.layers.Multiply,
    keras.layers.ReLU, keras.layers.Rescaling, keras.layers.Subtract,
)  # fmt: skip
# These layers are called for each replica.
GENERAL = (
    keras.layers.Flatten, keras.layers.GroupNormalization, keras.layers.LayerNormalization,
    keras.layers.Permute, keras.layers.PReLU, keras.layers.RepeatVector,
    keras.layers.Reshape, keras.layers.Softmax, keras.layers.UnitNormalization,
)  # fmt: skip
# These too; but on a CPU, replicas of a network that has one take longer side by side than one after another.
ONE_BY_ONE = (
    keras.layers.AveragePooling1D, keras.layers.AveragePooling2D, keras.layers.Conv1D, keras.layers.Conv2D,
    keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D, keras.layers.GlobalAveragePooling1D,
    keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling1D, keras.layers.GlobalMaxPooling2D,
    keras.layers.MaxPooling1D, keras.layers.MaxPooling2D, keras.layers.SeparableConv1D, keras.layers.SeparableConv2D,
    keras.layers.ZeroPadding1D, keras.layers.ZeroPadding2D,
)  # fmt: skip


@dataclass(frozen=True)
class Step:
    """The inputs that stacked layers have in a training step and not in scoring.

    Attributes:
        roots: square roots of uniform random numbers for each layer that draws, by its name: float32 `[R, batch, ...]`.
        strengths: `[R]`, by the names that `pipeline.training.strengths` gives them.
        shares: the weight of each row in means over the batch, float32 `[batch]`; 0 for one that only fills it up.
    """

    roots: dict[str, tf.Tensor]
    strengths: Strengths
    shares: tf.Tensor


class Stacked(keras.layers.Layer):
    """R replicas of a layer, with its name and the names of its weights."""

    def __init__(self, layer: keras.layers.Layer, stack: "Stack"):
        super().__init__(name=layer.name)
        self.stack = stack

    @property
    def layer(self) -> keras.layers.Layer:
        """Return the plain layer; as an attribute, Keras would take its weights for those of this layer too."""
        return self.stack.network.get_layer(self.name)

    def build(self, *_: Any) -> None:
        """Make the stacked weights."""
        self.stacked = {
            weight.name: self.add_weight(
                name=weight.name,
                shape=(self.stack.replicas, *weight.shape),
                dtype=weight.dtype,
                trainable=weight.trainable,
            )
            for weight in self.layer.weights
        }

    def weight(self, name: str) -> tf.Tensor:
        """Return a weight, `[R, ...]`."""
        return tf.convert_to_tensor(self.stacked[name])

    def per_unit(self, name: str, x: tf.Tensor) -> tf.Tensor:
        """Return a weight that has a number for each unit in a shape that broadcasts over `[R, batch, ..., units]`."""
        weight = self.weight(name)
        return tf.reshape(weight, (-1, *[1] * (len(x.shape) - 2), weight.shape[1]))

    def call(self, x: Any, **_: Any) -> Any:
        """Call the layer for each replica."""
        trained = [self.weight(weight.name) for weight in self.layer.trainable_weights]
        others = [self.weight(weight.name) for weight in self.layer.non_trainable_weights]
        x = tf.nest.map_structure(self._by_replica, x)

        def of_replica(arguments: Any) -> Any:
            return self.layer.stateless_call(*arguments)[0]

        return side_by_side(of_replica, (trained, others, x))

    def _by_replica(self, x: tf.Tensor) -> tf.Tensor:
        """Return rows that all replicas share, `[1, ...]`, once for each."""
        shape = (self.stack.replicas, *x.shape[1:])
        return tf.ensure_shape(tf.broadcast_to(x, tf.concat([[self.stack.replicas], tf.shape(x)[1:]], axis=0)), shape)


class Dense(Stacked):
    """R dense layers as one product of matrices."""

    def call(self, x: tf.Tensor, **_: Any) -> tf.Tensor:
        """Return `[R, batch, units]`."""
        kernel = self.weight("kernel")
        x = tf.matmul(x, tf.reshape(kernel, (-1, *[1] * (len(x.shape) - 3), *kernel.shape[1:])))
        if self.layer.use_bias:
            x += self.per_unit("bias", x)
        return self.layer.activation(x)


class EinsumDense(Stacked):
    """R sums of products as one.

    Called for each replica, Keras would add the bias of a single feature along another axis.
    """

    def call(self, x: tf.Tensor, **_: Any) -> tf.Tensor:
        """Return what the layer's equation says, replica first."""
        replica = next(letter for letter in string.ascii_letters if letter not in self.layer.equation)
        equation = replica + self.layer.equation.replace(",", f",{replica}").replace("->", f"->{replica}")
        x = tf.einsum(equation, self._by_replica(x), self.weight("kernel"))
        if "bias" in self.stacked:
            bias = self.weight("bias")
            x += tf.reshape(bias, (bias.shape[0], *[1] * (len(x.shape) - len(bias.shape)), *bias.shape[1:]))
        return self.layer.activation(x)


class Embedding(Stacked):
    """R tables of vectors; looked up by a product with one-hot codes, whose gradient compiles well."""

    def call(self, x: tf.Tensor, **_: Any) -> tf.Tensor:
        """Return the vectors of the whole numbers in the input, with one axis more."""
        table = self.weight("embeddings")
        codes = tf.one_hot(tf.cast(x, tf.int32), self.layer.input_dim)
        return tf.matmul(codes, tf.reshape(table, (-1, *[1] * (len(x.shape) - 2), *table.shape[1:])))


class Concatenate(Stacked):
    """Inputs side by side, of which those that all replicas share are taken once for each."""

    def call(self, x: list[tf.Tensor], **_: Any) -> tf.Tensor:
        """Return the inputs joined along the layer's axis."""
        axis = self.layer.axis
        return tf.concat([self._by_replica(part) for part in x], axis + 1 if axis > 0 else axis)


class BatchNormalization(Stacked):
    """Normalization by the batch of each replica (Ioffe and Szegedy 2015), in which rows that fill it up do not count.

    As in Keras, the moving variance follows the biased one.
    """

    def call(self, x: tf.Tensor, **_: Any) -> tf.Tensor:
        """Return the input's shape; in training, the moving statistics follow the batch."""
        gamma = self.per_unit("gamma", x) if self.layer.scale else 1.0
        beta = self.per_unit("beta", x) if self.layer.center else 0.0
        if (step := self.stack.step) is None:
            mean, variance = (self.per_unit(name, x) for name in ("moving_mean", "moving_variance"))
        else:
            mean, variance = self._moments(x, step.shares)
            for name, value in (("moving_mean", mean), ("moving_variance", variance)):
                before, momentum = self.weight(name), self.layer.momentum
                self.stacked[name].assign(before * momentum + tf.reshape(value, before.shape) * (1 - momentum))
        return (x - mean) * (tf.math.rsqrt(variance + self.layer.epsilon) * gamma) + beta

    def _moments(self, x: tf.Tensor, shares: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return mean and variance of each unit over the batch, and over the places of an image."""
        axes = list(range(1, len(x.shape) - 1))
        of_row = tf.reshape(shares, (-1, *[1] * (len(x.shape) - 2))) / math.prod(x.shape[2:-1])
        mean = tf.reduce_sum(x * of_row, axis=axes, keepdims=True)
        return mean, tf.reduce_sum(tf.square(x - mean) * of_row, axis=axes, keepdims=True)


@dataclass(frozen=True)
class Randomness:
    """The random change that a kind of layer makes to its input in training.

    Attributes:
        strengths: returns the numbers that `change` needs of a plain layer, by name.
        change: returns an input changed by square roots of uniform random numbers; it takes the strengths by name. Both
            have shapes that broadcast over the input.
    """

    strengths: Callable[[keras.layers.Layer], dict[str, float]]
    change: Callable[..., tf.Tensor]


def _drop(x: tf.Tensor, roots: tf.Tensor, root: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Drop units at random, and scale the others up so that the expectation stays (inverted dropout)."""
    return tf.where(roots >= root, x * scale, 0.0)


def _blur(x: tf.Tensor, roots: tf.Tensor, stddev: tf.Tensor) -> tf.Tensor:
    """Add normal noise."""
    return x + stddev * noise.normal(roots)


DROPPING = Randomness(lambda layer: {"root": layer.rate**0.5, "scale": 1 / (1 - layer.rate)}, _drop)
RANDOM: dict[type[keras.layers.Layer], Randomness] = {
    keras.layers.Dropout: DROPPING,
    keras.layers.SpatialDropout1D: DROPPING,
    keras.layers.GaussianNoise: Randomness(lambda layer: {"stddev": layer.stddev}, _blur),
}


class Drawing(Stacked):
    """R layers that change their input at random in training, each by the strengths of its replica."""

    @property
    def drawn_shape(self) -> tuple[int, ...]:
        """Return the shape of the random numbers for a row; a channel that is dropped whole needs one."""
        shape = self.output.shape[2:]
        return (1, *shape[1:]) if isinstance(self.layer, keras.layers.SpatialDropout1D) else shape

    def call(self, x: tf.Tensor, **_: Any) -> tf.Tensor:
        """Return the input, changed if this is a training step."""
        if (step := self.stack.step) is None:
            return x
        random = RANDOM[type(self.layer)]
        names = random.strengths(self.layer)
        strengths = {name: along(step.strengths[f"{self.name}/{name}"], x) for name in names}
        return random.change(x, step.roots[self.name], **strengths)


FORMS: dict[type[keras.layers.Layer], type[Stacked]] = {
    keras.layers.Dense: Dense,
    keras.layers.EinsumDense: EinsumDense,
    keras.layers.Embedding: Embedding,
    keras.layers.Concatenate: Concatenate,
    keras.layers.BatchNormalization: BatchNormalization,
    **dict.fromkeys(RANDOM, Drawing),
}


class Stack:
    """R replicas of a plain Keras model as one function of their weights.

    Attributes:
        step: the training step that is being traced; None in scoring.
        trained, statistics: the weights that the optimizer changes, and those that follow the batches: Keras variables
            `[R, ...]` that name and order the arguments of a call. Their own values are not used.
    """

    def __init__(self, network: keras.Model, replicas: int):
        self.network, self.replicas = network, replicas
        self.step: Step | None = None
        inputs = keras.Input(batch_shape=(replicas, *network.input.shape))
        self.model = keras.models.clone_model(network, inputs, clone_function=self._stacked)
        self.trained = self.model.trainable_variables
        self.statistics = self.model.non_trainable_variables
        self.drawing = [layer for layer in self.model.layers if isinstance(layer, Drawing)]

    def _stacked(self, layer: keras.Operation) -> keras.Operation:
        if not isinstance(layer, keras.layers.Layer):  # a function of numbers, such as those of `model.inputs`
            return layer
        if isinstance(layer, AS_THEY_ARE) and getattr(layer, "axis", -1) == -1:
            return layer.__class__.from_config(layer.get_config())
        return FORMS.get(type(layer), Stacked)(layer, self)

    def __call__(
        self, trained: list[tf.Tensor], statistics: list[tf.Tensor], x: tf.Tensor, step: Step | None = None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return the outputs, `[R, batch, n_outputs]`, and the statistics after the step."""
        with self._tracing(step):
            return self.model.stateless_call(trained, statistics, x)

    @contextmanager
    def _tracing(self, step: Step | None) -> Iterator[None]:
        self.step = step
        try:
            yield
        finally:
            self.step = None

    def draw(self, key: tf.Tensor, rows: int) -> dict[str, tf.Tensor]:
        """Return the random numbers of a step for each layer that draws, with a key of each replica, `[R, 2]`."""
        if not self.drawing:
            return {}
        shapes = [layer.drawn_shape for layer in self.drawing]
        sizes = [int(np.prod(shape)) for shape in shapes]
        parts = tf.split(noise.root_uniform(key, rows, sum(sizes)), sizes, axis=-1)  # one pass for all layers
        shaped = [tf.reshape(part, (-1, rows, *shape)) for part, shape in zip(parts, shapes, strict=True)]
        return dict(zip([layer.name for layer in self.drawing], shaped, strict=True))


def side_by_side(function: Callable[[Any], Any], arguments: Any) -> Any:
    """Call a function for each replica of the arguments, which are nested tensors `[R, ...]`."""
    if tf.nest.flatten(arguments)[0].shape[0] > 1:
        return tf.vectorized_map(function, arguments, fallback_to_while_loop=False)
    # For a single element, `vectorized_map` slices its arguments, and sparse gradients of slices take long.
    alone = tf.nest.map_structure(lambda value: tf.reshape(value, tf.shape(value)[1:]), arguments)
    return tf.nest.map_structure(lambda value: value[None], function(alone))


def along(values: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Return values `[R]` in a shape that broadcasts over a weight `[R, ...]`."""
    return tf.reshape(values, (-1, *[1] * (len(weight.shape) - 1)))
