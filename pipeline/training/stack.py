"""R seeds of one configuration in one compiled graph: an epoch of training is one call.

The strengths of the regularizers, the learning rates and the number of steps are variables and arguments, not
constants of the graph, so configurations that differ in nothing else share one.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np
import tensorflow as tf

from pipeline.data.examples import Problem
from pipeline.settings import Model, Train
from pipeline.training.batches import Batches
from pipeline.training.fast import noise
from pipeline.training.fast.gradients import gradients_forgotten
from pipeline.training.fast.losses import cross_entropy
from pipeline.training.fast.packing import Pack
from pipeline.training.model import (
    BATCH_NORM_MOMENTUM,
    TrainingPass,
    drawing_places,
    forward,
    initial_weights,
    is_trained,
    weight_shapes,
)
from pipeline.training.optimizers import is_kernel, stacked_optimizer


def constants(model: Model, train: Train) -> dict[str, float]:
    """Return the numbers that the graph needs for its regularizers; one that is off and would cost time is left out.

    They are computed here and not in the graph, where each would be a kernel that takes as long to compile as any.
    """
    numbers = {"l1": model.l1, "l2_twice": 2 * model.l2}
    numbers |= {"label_smoothing": train.label_smoothing}
    for name in ("dropout", "input_dropout"):
        if rate := getattr(model, name):
            numbers |= {f"{name}_root": rate**0.5, f"{name}_scale": 1 / (1 - rate)}
    optional = {"gaussian_noise": model.gaussian_noise, "max_norm": model.max_norm}
    optional |= {"clip_norm": train.clip_norm, "ema": train.ema}
    return numbers | {name: value for name, value in optional.items() if value}


class Stack:
    """The graph and its variables; `start` gives it seeds, each call of `epoch` trains them.

    `epoch` is called with all rows, float32 `[n, n_features]`, and `Batches`; it returns the mean training loss of each
    seed, `[R]`, penalties left out.

    `score` is called with rows and their targets, `[R, k, n_features]` and `[R, k]`, or `[1, k, ...]` where all seeds
    share them. It returns loss and hit of each, `[2, R, k]`, dropout and noise off. That loss is the cross-entropy in
    nats whatever is trained on; for regression it is the squared error, and there are no hits.
    """

    def __init__(self, model: Model, train: Train, problem: Problem, replicas: int):
        self.model, self.problem, self.replicas = model, problem, replicas
        self.squared_error = train.loss == "mean_squared_error" or not problem.is_classification
        self.constants = {name: tf.Variable(value) for name, value in constants(model, train).items()}
        shapes = {
            name: (replicas, *(shape if is_kernel(name) else (1, *shape)))
            for name, shape in weight_shapes(model, problem).items()
        }
        limit = self.constants.get("max_norm")
        self.trained = stacked_optimizer(train, {n: s for n, s in shapes.items() if is_trained(n)}, limit)
        self.moving_pack = Pack({name: shape for name, shape in shapes.items() if not is_trained(name)})
        self.moving = [tf.Variable(tf.zeros(self.moving_pack.shape))] if model.batch_norm else []
        self.averages = [tf.Variable(tf.zeros_like(tensor)) for tensor in self.trained.tensors()] if train.ema else []
        self.places = drawing_places(model, problem)
        self.fresh = self.state()
        self.epoch = tf.function(self._epoch, jit_compile=True, autograph=False)

    def start(self, model: Model, train: Train, seeds: list[int]) -> None:
        """Begin anew with these seeds; `model` and `train` may differ from the graph's in strengths alone."""
        self.restore(self.fresh)
        by_seed = [initial_weights(model, self.problem, seed) for seed in seeds]
        self.assign({name: np.stack([weights[name] for weights in by_seed]) for name in by_seed[0]})
        for name, value in constants(model, train).items():
            self.constants[name].assign(value)

    def assign(self, weights: dict[str, np.ndarray]) -> None:
        """Set the weights that score, named and shaped as `weights` returns them."""
        stacked = {name: value if is_kernel(name) else value[:, None] for name, value in weights.items()}
        self.trained.assign(stacked)
        for variable, value in zip(self.averages, self.trained.tensors(), strict=False):
            variable.assign(value)
        for variable in self.moving:
            variable.assign(self.moving_pack.join(stacked))

    def weights(self) -> dict[str, np.ndarray]:
        """Return the weights that score, averaged where `ema` is on: `[R, n_in, n_out]` and `[R, n_out]`, by name."""
        scoring = self.averages or self.trained.tensors()
        stacked = self.trained.named([tensor.numpy() for tensor in scoring])
        for moving in self.moving:
            stacked |= self.moving_pack.split(moving.numpy())
        return {name: value if is_kernel(name) else value[:, 0] for name, value in stacked.items()}

    def state(self) -> list[np.ndarray]:
        """Return all numbers that further training depends on."""
        return [variable.numpy() for variable in self._variables()]

    def restore(self, state: list[np.ndarray]) -> None:
        """Go back to a `state`."""
        for variable, value in zip(self._variables(), state, strict=True):
            variable.assign(value)

    def _variables(self) -> list:
        return [*self.trained.variables, *self.moving, *self.averages, *self.constants.values()]

    def _scoring_weights(self) -> dict[str, tf.Tensor]:
        averages = [variable.read_value() for variable in self.averages]
        return self.trained.named(averages or self.trained.tensors()) | self._moving()

    def _moving(self) -> dict[str, tf.Tensor]:
        return self.moving_pack.split(self.moving[0].read_value()) if self.moving else {}

    def finite(self) -> np.ndarray:
        """Return which seeds have finite weights, bool `[R]`."""
        # The loss alone does not show it: compiled ReLU turns a NaN into 0, so the loss of broken weights is finite.
        return np.all(
            [np.isfinite(w.numpy()).reshape(self.replicas, -1).all(axis=1) for w in self.trained.tensors()], axis=0
        )

    @cached_property
    def score(self) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        """Return the function that scores; it has few operations, each on many rows, so XLA would not pay."""
        kind = tf.int32 if self.problem.is_classification else tf.float32
        shapes = [tf.TensorSpec((None, None, self.problem.n_features)), tf.TensorSpec((None, None), kind)]
        # It is called after each epoch, and a concrete function takes a third of the time to call.
        with gradients_forgotten():
            return tf.function(self._score, shapes, autograph=False).get_concrete_function()

    def _epoch(self, x: tf.Tensor, batches: Batches) -> tf.Tensor:
        def train(step: tf.Tensor, losses: tf.Tensor) -> tf.Tensor:
            return losses + self._step(tf.gather(x, batches.rows[step]), step, batches)

        with gradients_forgotten():
            losses = _loop(batches.steps, train, tf.zeros(self.replicas))
        return losses / tf.cast(batches.steps, tf.float32)

    def _step(self, x: tf.Tensor, step: tf.Tensor, batches: Batches) -> tf.Tensor:
        weights = self.trained.named(self.trained.tensors())
        training = TrainingPass(
            self._draw(batches.keys[step], x.shape[1]), self.constants, batches.shares[step][:, None]
        )
        with tf.GradientTape() as tape:
            tape.watch(weights)
            outputs, statistics = forward(self.model, self.problem, weights | self._moving(), x, training)
            losses = tf.reduce_sum(self._loss(outputs, batches.targets[step]) * batches.shares[step], axis=-1)
        # The seeds share no weight, so the gradient of the sum of their losses is that of each loss.
        gradients = self.trained.as_tensors(tape.gradient(losses, weights))
        self.trained.step(self._clipped(self._penalized(gradients)), batches.learning_rates[step])
        for variable in self.moving:
            momentum = BATCH_NORM_MOMENTUM
            variable.assign(variable * momentum + self.moving_pack.join(statistics) * (1 - momentum))
        self._average(is_first=batches.first_step + step == 0)
        return losses

    def _draw(self, key: tf.Tensor, rows: int) -> dict[str, tf.Tensor]:
        """Return the random numbers of a step for each place that draws."""
        if not self.places:
            return {}
        drawn = noise.root_uniform(key, rows, sum(self.places.values()))  # one pass for all places
        return dict(zip(self.places, tf.split(drawn, list(self.places.values()), axis=-1), strict=True))

    def _loss(self, outputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Return the data loss of each example, `[R, batch]`."""
        if not self.problem.is_classification:
            return tf.square(outputs[..., 0] - targets)
        if self.squared_error:
            return tf.reduce_mean(tf.square(tf.nn.softmax(outputs) - self._one_hot(targets)), axis=-1)
        labels = self._one_hot(targets)
        smoothed = labels + self.constants["label_smoothing"] * (1 / self.problem.n_outputs - labels)
        return cross_entropy(smoothed, outputs)

    def _one_hot(self, targets: tf.Tensor) -> tf.Tensor:
        return tf.one_hot(targets, self.problem.n_outputs)

    def _penalized(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        """Add the gradients of L1 and L2, which are for kernels alone."""
        l1, l2_twice = self.constants["l1"], self.constants["l2_twice"]
        return [
            gradient + is_kernel * (l1 * tf.sign(weights) + l2_twice * weights)
            for gradient, weights, is_kernel in zip(
                gradients, self.trained.tensors(), self.trained.are_kernels, strict=True
            )
        ]

    def _clipped(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        """Scale each seed's gradient down to the norm it may have (Pascanu, Mikolov and Bengio 2013)."""
        if "clip_norm" not in self.constants:
            return gradients
        squares = [tf.reduce_sum(tf.reshape(tf.square(g), (self.replicas, -1)), axis=1) for g in gradients]
        norm, limit = tf.sqrt(tf.add_n(squares)), self.constants["clip_norm"]
        factor = limit / tf.maximum(norm, limit)
        return [gradient * tf.reshape(factor, (-1, *[1] * (len(gradient.shape) - 1))) for gradient in gradients]

    def _average(self, is_first: tf.Tensor) -> None:
        """Update the moving average of the weights, which starts from those after the first step, as in Keras."""
        if not self.averages:
            return
        momentum = tf.where(is_first, 0.0, self.constants["ema"])
        for average, value in zip(self.averages, self.trained.tensors(), strict=True):
            average.assign(average * momentum + value * (1 - momentum))

    def _score(self, x: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        outputs, _ = forward(self.model, self.problem, self._scoring_weights(), x)
        targets = tf.broadcast_to(targets, tf.shape(outputs)[:-1])
        if not self.problem.is_classification:
            errors = tf.square(outputs[..., 0] - targets)
            return tf.stack([errors, tf.zeros_like(errors)])
        hits = tf.argmax(outputs, axis=-1, output_type=tf.int32) == targets
        return tf.stack([tf.nn.sparse_softmax_cross_entropy_with_logits(targets, outputs), tf.cast(hits, tf.float32)])


def _loop(times: tf.Tensor, body: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], start: tf.Tensor) -> tf.Tensor:
    """Call `body(number, result)` for each number in one loop of the graph; AutoGraph's takes long to trace."""
    numbered = (tf.constant(0), start)
    return tf.while_loop(lambda n, _: n < times, lambda n, result: (n + 1, body(n, result)), numbered)[1]
