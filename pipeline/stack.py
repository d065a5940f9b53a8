"""R seeds of one configuration in one compiled graph: an epoch of training, and a scoring, are one call each.

The strengths of the regularizers and the learning rates are variables and arguments, not constants of the graph, so
configurations that differ in nothing else share one.
"""

import numpy as np

from pipeline import noise
from pipeline.backend import keras, tf
from pipeline.examples import Problem
from pipeline.model import Training, forward, initial_weights, is_trained
from pipeline.optimizers import is_kernel, stacked_optimizer
from pipeline.params import Model, Train


def strengths(model: Model, train: Train) -> dict[str, float]:
    """The regularizers that are on, each with its strength."""
    every = {
        name: getattr(section, name)
        for section, names in (
            (model, ("l1", "l2", "dropout", "input_dropout", "max_norm", "gaussian_noise")),
            (train, ("clip_norm", "ema", "label_smoothing")),
        )
        for name in names
    }
    return {name: value for name, value in every.items() if value}


class Stack:
    """The graph and its variables; `start` gives it seeds, each call of `epoch` trains and then scores them.

    `epoch` is called with tensors or arrays:
        x, y: all rows that are trained or scored on, float32 `[n, n_features]`; int32 or float32 `[n]`.
        batches: the rows of each batch, int32 `[steps, R, batch]`.
        example_weights: float32 `[steps, batch]`, 0 for rows that only fill a batch up, else 1.
        learning_rates: float32 `[steps, R]`.
        first_step: int32 scalar, the number of steps before this epoch.
        blocks: the rows to score, int32 `[blocks, R, block]`, or `[blocks, 1, block]` where all seeds share them.
        members: float32 `[blocks, splits, block]`, 1 where the row is one of the split, else 0.

    It returns the mean training loss of each seed, penalties left out, `[R]`, NaN for a seed whose weights are not
    finite; and the sums of loss and hits over each split, `[2, splits, R]`, dropout and noise off. That second loss is
    the cross-entropy in nats whatever is trained on; for regression it is the squared error, and there are no hits.
    """

    def __init__(self, model: Model, train: Train, problem: Problem, replicas: int):
        self.model, self.problem, self.replicas = model, problem, replicas
        self.squared_error = train.loss == "mean_squared_error" or not problem.is_classification
        self.rates = {name: tf.Variable(value) for name, value in strengths(model, train).items()}
        shapes = {
            name: (replicas, *(value.shape if is_kernel(name) else (1, *value.shape)))
            for name, value in initial_weights(model, problem, seed=0).items()
        }
        constraint = keras.constraints.MaxNorm(self.rates["max_norm"], axis=-2) if "max_norm" in self.rates else None
        self.trained = stacked_optimizer(train, {n: s for n, s in shapes.items() if is_trained(n)}, constraint)
        self.moving = {name: tf.Variable(tf.zeros(shape)) for name, shape in shapes.items() if not is_trained(name)}
        self.averages = {
            name: tf.Variable(tf.zeros(shape)) for name, shape in shapes.items() if is_trained(name) and train.ema
        }
        self.keys = tf.Variable(noise.keys([0] * replicas, places=2 + len(model.hidden_units)))
        self.fresh = self.state()
        self.tenant: object | None = None  # whose numbers the variables hold
        self.epoch = tf.function(self._epoch, jit_compile=True, autograph=False)

    def start(self, model: Model, train: Train, seeds: list[int]) -> None:
        """Begin anew with these seeds; `model` and `train` may differ from the graph's in strengths alone."""
        self.restore(self.fresh)
        each = [initial_weights(model, self.problem, seed) for seed in seeds]
        weights = {
            name: np.stack([own[name] if is_kernel(name) else own[name][None] for own in each]) for name in each[0]
        }
        self.trained.assign({name: value for name, value in weights.items() if is_trained(name)})
        for name, variable in self.moving.items():
            variable.assign(weights[name])
        for name, value in strengths(model, train).items():
            self.rates[name].assign(value)
        self.keys.assign(noise.keys(seeds, places=self.keys.shape[0]))

    def weights(self) -> dict[str, np.ndarray]:
        """What scores, so the averages where there are any: `[R, n_in, n_out]` and `[R, n_out]`, by name."""
        return {
            name: value.numpy() if is_kernel(name) else value.numpy()[:, 0]
            for name, value in self._scoring_weights().items()
        }

    def state(self) -> list[np.ndarray]:
        """Everything that further training depends on."""
        return [variable.numpy() for variable in self._variables()]

    def restore(self, state: list[np.ndarray]) -> None:
        """Go back to a `state`."""
        for variable, value in zip(self._variables(), state, strict=True):
            variable.assign(value)

    def _variables(self) -> list:
        return [
            *self.trained.variables,
            *self.moving.values(),
            *self.averages.values(),
            *self.rates.values(),
            self.keys,
        ]

    def _scoring_weights(self) -> dict[str, tf.Tensor]:
        trained = {n: a.read_value() for n, a in self.averages.items()} if self.averages else self.trained.values()
        return trained | {name: variable.read_value() for name, variable in self.moving.items()}

    def _epoch(self, x, y, batches, example_weights, learning_rates, first_step, blocks, members):
        def train(step, losses):
            rows = batches[step]
            training = Training(first_step + step, self.keys, self.rates, example_weights[step][:, None])
            return losses + self._step(tf.gather(x, rows), tf.gather(y, rows), training, learning_rates[step])

        losses = _loop(batches.shape[0], train, tf.zeros(self.replicas))
        mean_losses = tf.where(self._finite(), losses / tf.cast(batches.shape[0], tf.float32), np.nan)
        return mean_losses, self._score(x, y, blocks, members)

    def _finite(self):
        # The loss alone does not tell: compiled, ReLU turns a NaN into 0, and the loss of broken weights is finite.
        each = [tf.reduce_all(tf.math.is_finite(value), axis=(1, 2)) for value in self.trained.values().values()]
        return tf.reduce_all(tf.stack(each), axis=0)

    def _step(self, x, y, training, learning_rates):
        weights = self.trained.values()
        with tf.GradientTape() as tape:
            tape.watch(weights)
            moving = {name: variable.read_value() for name, variable in self.moving.items()}
            outputs, moved = forward(self.model, self.problem, weights | moving, x, training)
            share = training.example_weights[:, 0] / tf.reduce_sum(training.example_weights)
            losses = tf.reduce_sum(self._loss(outputs, y) * share, axis=-1)
            # The seeds share no weight, so the gradient of the sum is each one's own.
            total = tf.reduce_sum(losses) + self._penalty(weights)
        self.trained.step(self._clipped(tape.gradient(total, weights)), learning_rates)
        for name, value in moved.items():
            self.moving[name].assign(value)
        self._average(is_first=training.step == 0)
        return losses

    def _loss(self, outputs, y):
        """The data loss of each example, `[R, batch]`."""
        if not self.problem.is_classification:
            return tf.square(outputs[..., 0] - y)
        if self.squared_error:
            return tf.reduce_mean(tf.square(tf.nn.softmax(outputs) - self._one_hot(y)), axis=-1)
        if "label_smoothing" not in self.rates:
            return tf.nn.sparse_softmax_cross_entropy_with_logits(y, outputs)
        smoothing = self.rates["label_smoothing"]
        labels = self._one_hot(y) * (1 - smoothing) + smoothing / self.problem.n_outputs
        return tf.nn.softmax_cross_entropy_with_logits(labels, outputs)

    def _one_hot(self, y):
        return tf.one_hot(y, self.problem.n_outputs)

    def _penalty(self, weights):
        kernels = [value for name, value in weights.items() if is_kernel(name)]
        penalty = tf.zeros(())
        if "l1" in self.rates:
            penalty += self.rates["l1"] * tf.add_n([tf.reduce_sum(tf.abs(kernel)) for kernel in kernels])
        if "l2" in self.rates:
            penalty += self.rates["l2"] * tf.add_n([tf.reduce_sum(tf.square(kernel)) for kernel in kernels])
        return penalty

    def _clipped(self, gradients):
        """Each seed's gradient scaled down to the norm it may have (Pascanu, Mikolov and Bengio 2013)."""
        if "clip_norm" not in self.rates:
            return gradients
        squares = [tf.reduce_sum(tf.square(g), axis=(1, 2), keepdims=True) for g in gradients.values()]
        norm, limit = tf.sqrt(tf.add_n(squares)), self.rates["clip_norm"]
        return {name: gradient * limit / tf.maximum(norm, limit) for name, gradient in gradients.items()}

    def _average(self, is_first):
        """Exponential moving average of the weights, which starts from those after the first step, as in Keras."""
        if not self.averages:
            return
        kept = tf.where(is_first, 0.0, self.rates["ema"])
        for name, value in self.trained.values().items():
            self.averages[name].assign(self.averages[name] * kept + value * (1 - kept))

    def _score(self, x, y, blocks, members):
        weights, sums = self._scoring_weights(), tf.zeros((2, members.shape[1], self.replicas))
        if blocks.shape[0] == 0:  # a loop that never runs still compiles its body, and a row of none cannot be
            return sums

        def score(block, sums):
            rows = blocks[block]
            outputs, _ = forward(self.model, self.problem, weights, tf.gather(x, rows))
            scores = self._scores(outputs, tf.gather(y, rows))
            return sums + tf.einsum("krb,sb->ksr", scores, members[block])

        return _loop(blocks.shape[0], score, sums)

    def _scores(self, outputs, y):
        """Loss and hit of each example, `[2, R, batch]`."""
        if not self.problem.is_classification:
            errors = tf.square(outputs[..., 0] - y)
            return tf.stack([errors, tf.zeros_like(errors)])
        y = tf.broadcast_to(y, outputs.shape[:-1])
        hits = tf.argmax(outputs, axis=-1, output_type=tf.int32) == y
        return tf.stack([tf.nn.sparse_softmax_cross_entropy_with_logits(y, outputs), tf.cast(hits, tf.float32)])


def _loop(times, body, start):
    """`body(number, result)` for each number in turn, as one loop of the graph; AutoGraph's own takes long to trace."""
    numbered = (tf.constant(0), start)
    return tf.while_loop(lambda n, _: n < times, lambda n, result: (n + 1, body(n, result)), numbered)[1]
