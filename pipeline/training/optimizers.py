"""Optimizers by name: Keras' own classes, stepping the weights of R replicas."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.choices import OPTIMIZERS
from pipeline.settings import Train

# A weight with more numbers than this (of a replica) stays alone: joining it with others copies it at each step, and
# that costs more than a pass of its own (784-32-10 would train a sixth slower).
ALONE = 20000

Strengths = Mapping[str, tf.Tensor]  # by the names of `pipeline.training.strengths`, each `[R]`
Shapes = list[tuple[int, ...]]


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
    """Weights of R replicas that one Keras optimizer steps at once: right where its rule is element-wise.

    A weight is kept as `[R, n]`, so that learning rates and weight decays `[R, 1]` fit all weights.
    """

    def __init__(self, train: Train, shapes: Shapes, replicas: int):
        self.shapes, self.sizes = shapes, [int(np.prod(shape)) for shape in shapes]
        small = [place for place, size in enumerate(self.sizes) if size <= ALONE]
        large = [place for place in range(len(shapes)) if place not in small]
        self.packs: list[list[int]] = [[place] for place in large] + ([small] if small else [])
        widths = [sum(self.sizes[place] for place in pack) for pack in self.packs]
        self.weights = [keras.Variable(np.zeros((replicas, width), np.float32)) for width in widths]
        self.learning_rates = tf.zeros((replicas, 1))  # of the step that is being traced
        self.optimizer = make_optimizer(train, lambda: self.learning_rates)
        self.optimizer.build(self.weights)

    @property
    def variables(self) -> list[tf.Variable]:
        """Return all that a later step depends on: the weights and the optimizer's state."""
        return [variable.value for variable in (*self.weights, *self.optimizer.variables)]

    def values(self) -> list[tf.Tensor]:
        """Return the weights as the optimizer has them, each `[R, ...]`."""
        return [variable.value.read_value() for variable in self.weights]

    def values_in(self, state: list[tf.Tensor]) -> list[tf.Tensor]:
        """Return what `values()` returns out of `state`, the values of `variables`."""
        return state[: len(self.weights)]

    def split(self, values: list[Any]) -> list[Any]:
        """Take tensors like those of `values()`, or their arrays, apart into one for each weight, `[R, ...]`."""
        parts: dict[int, Any] = {}
        for pack, value in zip(self.packs, values, strict=True):
            start = 0
            for place in pack:
                end = start + self.sizes[place]
                parts[place] = _reshaped(value[:, start:end], (-1, *self.shapes[place]))
                start = end
        return [parts[place] for place in range(len(self.shapes))]

    def join(self, values: list[tf.Tensor]) -> list[tf.Tensor]:
        """Put tensors `[R, ...]`, one for each weight, together like those of `values()`: the reverse of `split`."""
        flat = [tf.reshape(value, (-1, size)) for value, size in zip(values, self.sizes, strict=True)]
        packs = [[flat[place] for place in pack] for pack in self.packs]
        return [tf.concat(pack, axis=1) if len(pack) > 1 else pack[0] for pack in packs]

    def step(self, gradients: list[tf.Tensor], learning_rates: tf.Tensor, strengths: Strengths) -> None:
        """Take one step of every replica, with gradients like `values()`, learning rates and strengths `[R]`."""
        self.learning_rates = learning_rates[:, None]
        if "weight_decay" in strengths:
            self.optimizer.weight_decay = strengths["weight_decay"][:, None]
        self.optimizer.apply(gradients, self.weights)

    def assign(self, values: list[tf.Tensor]) -> None:
        """Set the weights to tensors like those of `values()`."""
        for variable, value in zip(self.weights, values, strict=True):
            variable.assign(value)


class OneByOne:
    """The same interface for a rule that mixes the numbers of a weight: every replica has an optimizer of its own."""

    def __init__(self, train: Train, shapes: Shapes, replicas: int):
        self.weights = [[keras.Variable(np.zeros(shape, np.float32)) for shape in shapes] for _ in range(replicas)]
        self.learning_rates = tf.zeros(replicas)  # of the step that is being traced
        self.optimizers = []
        for replica, weights in enumerate(self.weights):
            self.optimizers.append(make_optimizer(train, partial(self._learning_rate, replica)))
            self.optimizers[-1].build(weights)

    def _learning_rate(self, replica: int) -> tf.Tensor:
        return self.learning_rates[replica]

    @property
    def variables(self) -> list[tf.Variable]:
        """Return all that a later step depends on: the weights and the optimizers' states."""
        states = [variable for optimizer in self.optimizers for variable in optimizer.variables]
        return [variable.value for variable in (*(weight for own in self.weights for weight in own), *states)]

    def values(self) -> list[tf.Tensor]:
        """Return the weights, each `[R, ...]`."""
        return self.values_in([weight.value.read_value() for weights in self.weights for weight in weights])

    def values_in(self, state: list[tf.Tensor]) -> list[tf.Tensor]:
        """Return what `values()` returns out of `state`, the values of `variables`."""
        weights, count = len(self.weights[0]), len(self.weights[0]) * len(self.weights)
        return [tf.stack(state[place:count:weights]) for place in range(weights)]

    def step(self, gradients: list[tf.Tensor], learning_rates: tf.Tensor, strengths: Strengths) -> None:
        """Take one step of every replica, with gradients like `values()`, learning rates and strengths `[R]`."""
        self.learning_rates = learning_rates
        for replica, (optimizer, weights) in enumerate(zip(self.optimizers, self.weights, strict=True)):
            if "weight_decay" in strengths:
                optimizer.weight_decay = strengths["weight_decay"][replica]
                if hasattr(optimizer, "adam_weight_decay"):
                    optimizer.adam_weight_decay = optimizer.weight_decay
            optimizer.apply([gradient[replica] for gradient in gradients], weights)

    def split(self, values: list[Any]) -> list[Any]:
        """Return the tensors, which are one for each weight."""
        return values

    def join(self, values: list[tf.Tensor]) -> list[tf.Tensor]:
        """Return the tensors."""
        return values

    def assign(self, values: list[tf.Tensor]) -> None:
        """Set the weights to tensors like those of `values()`."""
        for replica, weights in enumerate(self.weights):
            for weight, value in zip(weights, values, strict=True):
                weight.assign(value[replica])


def _reshaped(value: Any, shape: tuple[int, ...]) -> Any:
    # Outside of a graph each operation of TensorFlow's takes much longer than NumPy's.
    return value.reshape(shape) if isinstance(value, np.ndarray) else tf.reshape(value, shape)


def stacked_optimizer(train: Train, shapes: Shapes, replicas: int) -> SideBySide | OneByOne:
    """Return weights of these shapes for R replicas, with the optimizer that `train` describes."""
    return (OneByOne if OPTIMIZERS[train.optimizer].mixes else SideBySide)(train, shapes, replicas)
