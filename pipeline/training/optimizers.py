"""Optimizers by name: Keras' own classes, stepping the weights of R seeds side by side."""

from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from pipeline.choices import OPTIMIZERS
from pipeline.settings import Train
from pipeline.training.fast.packing import Pack, Shapes, Values, packs


def make_optimizer(train: Train, learning_rate: float | Callable[[], tf.Tensor] | None = None) -> keras.Optimizer:
    """Return the Keras optimizer that `train` describes.

    Args:
        learning_rate: takes the place of `train.learning_rate`; a callable is called at every step.
    """
    rate = train.learning_rate if learning_rate is None else learning_rate
    facts = OPTIMIZERS[train.optimizer]
    momentum = facts.momentum if train.momentum is None else train.momentum
    options = {"learning_rate": rate, "momentum": momentum, "weight_decay": train.weight_decay}
    if train.optimizer == "muon":  # Keras' Muon leaves biases to Adam, whose weight decay is a separate option
        options["adam_weight_decay"] = train.weight_decay
    set_options = {name: value for name, value in options.items() if value is not None}
    return getattr(keras.optimizers, facts.keras)(**facts.options, **set_options)


def default_learning_rate(train: Train) -> float:
    """Return `train.learning_rate`, or Keras' default where it is null."""
    return float(make_optimizer(train).learning_rate.numpy())


class SideBySide:
    """Stacked weights `[R, ...]` that one Keras optimizer steps at once: right where its rule is element-wise."""

    def __init__(self, train: Train, shapes: Shapes, max_norm: tf.Variable | None):
        self.packs = packs(shapes)
        self.are_kernels = [pack.where(is_kernel) for pack in self.packs]
        self.joined = [keras.Variable(np.zeros(pack.shape, np.float32)) for pack in self.packs]
        if max_norm is not None:
            for variable, pack in zip(self.joined, self.packs, strict=True):
                variable.constraint = partial(_limited, pack, max_norm)
        self.learning_rates = tf.zeros((self.packs[0].shape[0], 1))  # of the step that is being traced
        self.optimizer = make_optimizer(train, lambda: self.learning_rates)
        self.optimizer.build(self.joined)

    def tensors(self) -> list[tf.Tensor]:
        """Return all weights, with the seed as first axis of each tensor."""
        return [variable.value.read_value() for variable in self.joined]

    def named(self, tensors: list[Values]) -> dict[str, Values]:
        """Take tensors like those of `tensors()`, or their arrays, apart into stacked weights by name."""
        parts = [pack.split(tensor) for pack, tensor in zip(self.packs, tensors, strict=True)]
        return {name: value for part in parts for name, value in part.items()}

    def as_tensors(self, named: dict[str, tf.Tensor]) -> list[tf.Tensor]:
        """Join stacked weights into tensors like those of `tensors()`: the reverse of `named`."""
        return [pack.join(named) for pack in self.packs]

    def step(self, gradients: list[tf.Tensor], learning_rates: tf.Tensor) -> None:
        """Take one step of every seed, with gradients like `tensors()` and learning rates `[R]`."""
        self.learning_rates = learning_rates[:, None]
        self.optimizer.apply(gradients, self.joined)

    def assign(self, values: dict[str, np.ndarray]) -> None:
        """Set the stacked weights."""
        for variable, value in zip(self.joined, self.as_tensors(values), strict=True):
            variable.assign(value)

    @property
    def variables(self) -> list[keras.Variable]:
        """Return all that a later step depends on: the weights and the optimizer's state."""
        return [*self.joined, *self.optimizer.variables]


class OneByOne:
    """The same interface for a rule that mixes the numbers of a weight: every seed has an optimizer of its own."""

    def __init__(self, train: Train, shapes: Shapes, max_norm: tf.Variable | None):
        self.shapes = shapes
        self.are_kernels = [float(is_kernel(name)) for name in shapes]
        replicas = next(iter(shapes.values()))[0]
        self.learning_rates = [tf.Variable(0.0) for _ in range(replicas)]
        plain = {name: shape[1:] if is_kernel(name) else shape[-1:] for name, shape in shapes.items()}
        constraint = None if max_norm is None else keras.constraints.MaxNorm(max_norm, axis=-2)
        self.weights = [_variables(plain, constraint) for _ in range(replicas)]
        self.optimizers = [make_optimizer(train, rate.read_value) for rate in self.learning_rates]
        for optimizer, weights in zip(self.optimizers, self.weights, strict=True):
            optimizer.build(list(weights.values()))

    def tensors(self) -> list[tf.Tensor]:
        """Return all weights, with the seed as first axis of each tensor."""
        return [
            tf.reshape(tf.stack([weights[name].value.read_value() for weights in self.weights]), shape)
            for name, shape in self.shapes.items()
        ]

    def named(self, tensors: list[Values]) -> dict[str, Values]:
        """Name tensors like those of `tensors()`, or their arrays."""
        return dict(zip(self.shapes, tensors, strict=True))

    def as_tensors(self, named: dict[str, tf.Tensor]) -> list[tf.Tensor]:
        """List stacked weights in the order of `tensors()`: the reverse of `named`."""
        return [named[name] for name in self.shapes]

    def step(self, gradients: list[tf.Tensor], learning_rates: tf.Tensor) -> None:
        """Take one step of every seed, with gradients like `tensors()` and learning rates `[R]`."""
        for replica, (optimizer, weights) in enumerate(zip(self.optimizers, self.weights, strict=True)):
            self.learning_rates[replica].assign(learning_rates[replica])
            of_replica = [
                tf.reshape(gradient[replica], weight.shape)
                for gradient, weight in zip(gradients, weights.values(), strict=True)
            ]
            optimizer.apply(of_replica, list(weights.values()))

    def assign(self, values: dict[str, np.ndarray]) -> None:
        """Set the stacked weights."""
        for replica, weights in enumerate(self.weights):
            for name, weight in weights.items():
                weight.assign(tf.reshape(values[name][replica], weight.shape))

    @property
    def variables(self) -> list[keras.Variable]:
        """Return all that a later step depends on: the weights and the optimizers' states."""
        weights = [weight for weights in self.weights for weight in weights.values()]
        return weights + [variable for optimizer in self.optimizers for variable in optimizer.variables]


def stacked_optimizer(train: Train, shapes: Shapes, max_norm: tf.Variable | None = None) -> SideBySide | OneByOne:
    """Return weights of the stacked `shapes` together with the optimizer that `train` describes.

    Args:
        max_norm: the largest norm that the weights into a unit may have after a step.
    """
    return (OneByOne if OPTIMIZERS[train.optimizer].mixes else SideBySide)(train, shapes, max_norm)


def is_kernel(name: str) -> bool:
    """Return whether the weight of this name is a matrix; penalties and max-norm are for these alone."""
    return name.endswith("/kernel")


def _limited(pack: Pack, limit: tf.Variable, joined: tf.Tensor) -> tf.Tensor:
    """Apply Keras' MaxNorm to each kernel of a pack, with one pass over the factors of all."""
    weights = pack.split(tf.convert_to_tensor(joined))
    kernels = [name for name in weights if is_kernel(name)]
    if not kernels:
        return joined
    norms = tf.sqrt(tf.concat([tf.reduce_sum(tf.square(weights[name]), axis=-2) for name in kernels], axis=-1))
    factors = tf.minimum(norms, limit) / (keras.config.epsilon() + norms)
    units = [weights[name].shape[-1] for name in kernels]
    by_kernel = zip(kernels, tf.split(factors, units, axis=-1), strict=True)
    return pack.join(weights | {name: weights[name] * factor[:, None] for name, factor in by_kernel})


def _variables(shapes: Shapes, constraint: Callable | None) -> dict[str, keras.Variable]:
    variables = {}
    for name, shape in shapes.items():
        variables[name] = keras.Variable(np.zeros(shape, np.float32), name=name.replace("/", "_"))
        variables[name].constraint = constraint if is_kernel(name) else None
    return variables
