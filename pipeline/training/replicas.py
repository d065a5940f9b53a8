"""R replicas of one Keras model in one compiled graph: an epoch of training is one call.

Replicas share nothing but the graph. What differs between them is an argument, and their state is returned, so
trainings of one structure take turns with one graph.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from pipeline.data.examples import Problem
from pipeline.settings import Train
from pipeline.training.batches import Batches
from pipeline.training.fast.gradients import gradients_forgotten
from pipeline.training.images import Changes
from pipeline.training.mixup import Mixing
from pipeline.training.optimizers import Strengths, stacked_optimizer
from pipeline.training.stacked import Stack, Step, along, side_by_side
from pipeline.training.strengths import is_penalized


class State(NamedTuple):
    """All numbers of R replicas that further training depends on; every tensor but the optimizer's is `[R, ...]`.

    Attributes:
        optimizer: its variables, the weights first.
        statistics: weights that follow the batches instead of the optimizer, such as moving means.
        averages: moving averages of the weights, in the optimizer's form; empty without them.
        means: the weights averaged over the last epochs (`train.swa`), in that form; empty without them.
    """

    optimizer: list[tf.Tensor]
    statistics: list[tf.Tensor]
    averages: list[tf.Tensor]
    means: list[tf.Tensor]


class Replicas:
    """The graph of R replicas.

    Args:
        network: prepared rows in, logits or standardized numbers out. Its strengths count for nothing here: those of
            each replica are arguments (`pipeline.training.strengths`).
    """

    def __init__(self, network: keras.Model, train: Train, problem: Problem, replicas: int):
        self.problem, self.replicas = problem, replicas
        self.squared_error = train.loss == "mean_squared_error" or not problem.is_classification
        self.has_averages, self.has_means = train.ema is not None, train.swa is not None
        self.plain = network.trainable_variables
        self.stack = Stack(network, replicas)
        self.optimizer = stacked_optimizer(train, [tuple(variable.shape) for variable in self.plain], replicas)
        self.fresh = [variable.numpy() for variable in self.optimizer.variables]
        self.train = tf.function(self._train, jit_compile=True, autograph=False)
        # It has few operations, each on many rows, so compiling would take longer than it saves.
        self._compiled_score = tf.function(self._score, autograph=False, reduce_retracing=True)

    def start(self, weights: dict[str, np.ndarray]) -> State:
        """Return the state before training with weights `[R, ...]` by path."""
        self._load(self.fresh)
        trained = self.optimizer.join([tf.constant(weights[variable.path]) for variable in self.stack.trained])
        self.optimizer.assign(trained)
        statistics = [tf.constant(weights[variable.path]) for variable in self.stack.statistics]
        variables = [tf.constant(variable.numpy()) for variable in self.optimizer.variables]
        averages, means = (trained if has_them else [] for has_them in (self.has_averages, self.has_means))
        return State(variables, statistics, averages, means)

    def weights(self, state: State) -> dict[str, np.ndarray]:
        """Return the weights that score, `[R, ...]` by path."""
        variables = [*self.stack.trained, *self.stack.statistics]
        trained = self.optimizer.split([value.numpy() for value in self._scoring(state)])
        values = [*trained, *(value.numpy() for value in state.statistics)]
        return {variable.path: value for variable, value in zip(variables, values, strict=True)}

    def score(self, state: State, x: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return loss and hit of each row for the weights that score, `[2, R, k]`, dropout and noise off, and outputs.

        That loss is the cross-entropy in nats whatever is trained on; for regression it is the squared error, and there
        are no hits. The outputs are logits or standardized numbers, `[R, k, n_outputs]`.

        Args:
            x, targets: rows `[R, k, n_features]` and `[R, k]`, or `[1, k, ...]` where all replicas share them.
        """
        return self._compiled_score(self._scoring(state), state.statistics, x, targets)

    def _scoring(self, state: State) -> list[tf.Tensor]:
        return state.means or state.averages or self.optimizer.values_in(state.optimizer)

    def _load(self, values: list[Any]) -> None:
        for variable, value in zip(self.optimizer.variables, values, strict=True):
            variable.assign(value)

    def _train(
        self, x: tf.Tensor, y: tf.Tensor, state: State, batches: Batches, strengths: Strengths
    ) -> tuple[State, tf.Tensor]:
        """Train all replicas for one epoch.

        Args:
            x, y: all rows, float32 `[n, n_features]`, and their targets `[n]`.
            strengths: of each replica, `[R]`.

        Returns:
            The state after it, and the mean training loss of each replica, `[R]`: penalties left out, NaN where its
            weights are not finite.
        """
        self._load(state.optimizer)

        def step(number: tf.Tensor, carried: list[Any]) -> list[Any]:
            return self._step(x, y, batches, number, strengths, *carried)

        with gradients_forgotten():
            start = [tf.zeros(self.replicas), state.statistics, state.averages]
            losses, statistics, averages = _loop(batches.steps, step, start)
        variables = [variable.read_value() for variable in self.optimizer.variables]
        # The loss alone does not show it: compiled ReLU turns a NaN into 0, so the loss of broken weights is finite.
        weights = [tf.reshape(weight, (self.replicas, -1)) for weight in self.optimizer.values()]
        finite = [tf.reduce_all(tf.math.is_finite(weight), axis=1) for weight in weights]
        losses = tf.where(tf.reduce_all(finite, axis=0), losses / tf.cast(batches.steps, tf.float32), np.nan)
        # Like the moving averages, they score with the moving statistics of the network itself.
        means = _moved(state.means, averages or self.optimizer.values(), strengths["swa"]) if self.has_means else []
        return State(variables, statistics, averages, means), losses

    def _step(
        self,
        x: tf.Tensor,
        y: tf.Tensor,
        batches: Batches,
        number: tf.Tensor,
        strengths: Strengths,
        losses: tf.Tensor,
        statistics: list[tf.Tensor],
        averages: list[tf.Tensor],
    ) -> list[Any]:
        weights = self.optimizer.split(self.optimizer.values())
        rows, shares = batches.rows[number], batches.shares[number]
        step = Step(self.stack.draw(batches.keys[number], rows.shape[-1]), strengths, shares)
        row_weights = None if batches.weights is None else batches.weights[number]
        mixing = None if batches.mixing is None else Mixing(*(part[number] for part in batches.mixing))
        inputs = self._inputs(x, rows, None if batches.changes is None else batches.changes.each(lambda p: p[number]))
        if mixing is not None:
            inputs = mixing.mix(inputs, mixing.partner(inputs))
        with tf.GradientTape() as tape:
            tape.watch(weights)
            outputs, statistics = self.stack(weights, statistics, inputs, step)
            losses_of_rows = self._losses(outputs, tf.gather(y, rows), strengths, mixing, row_weights)
            data_losses = tf.reduce_sum(losses_of_rows * shares, axis=-1)
        # The replicas share no weight, so the gradient of the sum of their losses is that of each loss.
        gradients = tape.gradient(data_losses, weights, unconnected_gradients="zero")
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        gradients = self._clipped(self._penalized(gradients, weights, strengths), strengths)
        self.optimizer.step(self.optimizer.join(gradients), batches.learning_rates[number], strengths)
        self._constrain(strengths)
        averages = self._averaged(averages, strengths, is_first=batches.first_step + number == 0)
        return [losses + data_losses, statistics, averages]

    def _inputs(self, x: tf.Tensor, rows: tf.Tensor, changes: Changes | None) -> tf.Tensor:
        """Return rows `[R, batch, n_features]`, as images shifted, turned and cut."""
        if changes is None:
            return tf.gather(x, rows)
        images = changes.rotated(changes.shifted(x, rows, self.problem), self.problem)
        return changes.cut(images, self.problem)

    def _losses(
        self,
        outputs: tf.Tensor,
        targets: tf.Tensor,
        strengths: Strengths,
        mixing: Mixing | None,
        row_weights: tf.Tensor | None,
    ) -> tf.Tensor:
        """Return the weighted data loss of each example, `[R, batch]`; of a mixture, that of both of its examples.

        The mixed loss of two targets has the gradient of the loss of the mixed target: the cross-entropy is linear in
        the target, and for the squared error the two differ by a number that no weight changes.
        """
        losses = self._loss(outputs, targets, strengths)
        if row_weights is not None:
            losses *= row_weights
        if mixing is None:
            return losses
        of_partners = self._loss(outputs, mixing.partner(targets), strengths)
        if row_weights is not None:
            of_partners *= mixing.partner(row_weights)
        return mixing.mix(losses, of_partners)

    def _loss(self, outputs: tf.Tensor, targets: tf.Tensor, strengths: Strengths) -> tf.Tensor:
        """Return the data loss of each example, `[R, batch]`."""
        if not self.problem.is_classification:
            return tf.square(outputs[..., 0] - targets)
        labels = tf.one_hot(targets, self.problem.n_outputs)
        if self.squared_error:
            return tf.reduce_mean(tf.square(tf.nn.softmax(outputs) - labels), axis=-1)
        smoothed = labels + along(strengths["label_smoothing"], labels) * (1 / self.problem.n_outputs - labels)
        return tf.nn.softmax_cross_entropy_with_logits(smoothed, outputs)

    def _penalized(self, gradients: list[tf.Tensor], weights: list[tf.Tensor], strengths: Strengths) -> list[tf.Tensor]:
        """Add the gradients of L1 and L2."""
        penalized = []
        for variable, gradient, weight in zip(self.plain, gradients, weights, strict=True):
            if is_penalized(variable):
                l1, l2_twice = (along(strengths[f"{variable.path}/{name}"], weight) for name in ("l1", "l2_twice"))
                gradient += l1 * tf.sign(weight) + l2_twice * weight
            penalized.append(gradient)
        return penalized

    def _clipped(self, gradients: list[tf.Tensor], strengths: Strengths) -> list[tf.Tensor]:
        """Scale each replica's gradient down to the norm it may have (Pascanu, Mikolov and Bengio 2013)."""
        if "clip_norm" not in strengths:
            return gradients
        squares = [tf.reduce_sum(tf.reshape(tf.square(g), (self.replicas, -1)), axis=1) for g in gradients]
        norm, limit = tf.sqrt(tf.add_n(squares)), strengths["clip_norm"]
        factor = limit / tf.maximum(norm, limit)
        return [gradient * along(factor, gradient) for gradient in gradients]

    def _constrain(self, strengths: Strengths) -> None:
        """Apply Keras' constraints; each replica has its own largest norm."""
        if not any(variable.constraint for variable in self.plain):
            return
        constrained = []
        weights = self.optimizer.split(self.optimizer.values())
        for variable, weight in zip(self.plain, weights, strict=True):
            limit = strengths.get(f"{variable.path}/max_norm")
            if limit is not None:
                max_norm = keras.constraints.MaxNorm(along(limit, weight), axis=variable.constraint.axis + 1)
                weight = max_norm(weight)
            elif variable.constraint:
                weight = side_by_side(variable.constraint, weight)
            constrained.append(weight)
        self.optimizer.assign(self.optimizer.join(constrained))

    def _averaged(self, averages: list[tf.Tensor], strengths: Strengths, is_first: tf.Tensor) -> list[tf.Tensor]:
        """Return the moving averages of the weights, which start from those after the first step, as in Keras."""
        if not averages:
            return averages
        momentum = tf.where(is_first, 0.0, strengths["ema"])
        return _moved(averages, self.optimizer.values(), momentum)

    def _score(
        self, trained: list[tf.Tensor], statistics: list[tf.Tensor], x: tf.Tensor, targets: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        with gradients_forgotten():
            outputs, _ = self.stack(self.optimizer.split(trained), statistics, x)
        targets = tf.broadcast_to(targets, tf.shape(outputs)[:-1])
        if not self.problem.is_classification:
            errors = tf.square(outputs[..., 0] - targets)
            return tf.stack([errors, tf.zeros_like(errors)]), outputs
        hits = tf.argmax(outputs, axis=-1, output_type=tf.int32) == targets
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, outputs)
        return tf.stack([losses, tf.cast(hits, tf.float32)]), outputs


def _moved(averages: list[tf.Tensor], weights: list[tf.Tensor], kept: tf.Tensor) -> list[tf.Tensor]:
    """Return averages of which a share is kept, `[R]`, the rest are weights."""
    pairs = [(a, w, along(kept, w)) for a, w in zip(averages, weights, strict=True)]
    return [average * share + weight * (1 - share) for average, weight, share in pairs]


def _loop(times: tf.Tensor, body: Callable[[tf.Tensor, Any], Any], start: Any) -> Any:
    """Call `body(number, result)` for each number in one loop of the graph; AutoGraph's takes long to trace."""
    numbered = (tf.constant(0), start)
    return tf.while_loop(lambda n, _: n < times, lambda n, result: (n + 1, body(n, result)), numbered)[1]
