"""The replicas of a training that share a graph, and how many do."""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from pipeline.data.examples import Examples, Problem
from pipeline.errors import InputError
from pipeline.settings import Model, Train
from pipeline.training.batches import batch_size, epoch_batches, row_weights
from pipeline.training.encoding import encoding_weights
from pipeline.training.history import further_score
from pipeline.training.images import Changing
from pipeline.training.inputs import input_weights
from pipeline.training.model import build_network, initial_weights
from pipeline.training.replicas import Replicas
from pipeline.training.schedules import kept_share
from pipeline.training.scored_splits import ScoredSplits, first_scored
from pipeline.training.stacked import ONE_BY_ONE
from pipeline.training.strengths import model_strengths, train_strengths
from pipeline.training.structure import structure

# Beyond this many weights in a graph the caches no longer hold them together with the optimizer's state, and stacking
# costs more than it gains: measured on MNIST, 5 seeds of 784-128-10 (102,000 weights each) take 0.9 times as long each
# as one alone, and 5 of 784-512-10 (407,000) 1.2 times.
WEIGHTS_PER_GRAPH = 400_000
# The inputs and hidden outputs of one batch of all seeds take most of the memory of a step; this many numbers at most.
NUMBERS_PER_BATCH = 50_000_000
# The same for the rows that are scored at once.
NUMBERS_PER_SCORED_BLOCK = 4_000_000
_network = lru_cache(maxsize=16)(build_network)


@lru_cache(maxsize=16)
def shared_graph(model: Model, train: Train, problem: Problem, replicas: int) -> Replicas:
    """Return the graph of a `structure`; while it is in use it is compiled once in a process."""
    return Replicas(_network(model, problem), train, problem, replicas)


def replicas_per_graph(examples: Examples, model: Model, train: Train) -> int:
    """Return how many replicas share a graph at most. It changes the speed and the memory, not the result."""
    network = _network(model, examples.problem)
    if any(isinstance(layer, ONE_BY_ONE) for layer in network.layers):
        return 1
    numbers = batch_size(train, examples.train_rows.shape[1]) * _width(network)
    return max(1, min(WEIGHTS_PER_GRAPH // network.count_params(), NUMBERS_PER_BATCH // numbers))


def _width(network: keras.Model) -> int:
    """Return how many numbers the network computes for a row."""
    return sum(math.prod(layer.output.shape[1:]) for layer in network.layers)


def replica_groups(
    examples: Examples, configurations: list[tuple[Model, Train]], seeds: list[int]
) -> list["ReplicaGroup"]:
    """Share the replicas out among groups, of one size as far as that goes, so that one graph serves them all.

    All are one group if they fit into a graph. If not, a configuration has as many groups as it would have alone: a
    graph that is full gains nothing from more, and one of another size would have to be compiled.

    Args:
        configurations: they have one `structure`, one batch size and one way of scoring.

    Returns:
        Groups of the replicas of the first configuration, seed by seed, then those of the second, and so on.
    """
    replicas = [(*configuration, place) for configuration in configurations for place in range(len(seeds))]
    most = replicas_per_graph(examples, *configurations[0])
    whole = len(replicas) if len(replicas) <= most else len(seeds)
    size = -(-whole // -(-whole // most))
    parts = [
        slice(start + first, start + min(first + size, whole))
        for start in range(0, len(replicas), whole)
        for first in range(0, whole, size)
    ]
    return [ReplicaGroup(examples, replicas[part], seeds, part) for part in parts]


class GroupScores(NamedTuple):
    """The scores of a group after an epoch.

    Attributes:
        means: the mean loss and hits over each split, `[2, splits, R]`. Where `train.monitor` is no mean of these, it
            comes third.
        outputs: on the validation rows, `[R, n, n_outputs]`, where the seeds stop together.
    """

    means: np.ndarray
    outputs: np.ndarray | None = None


class ReplicaGroup:
    """The replicas that share a graph, their state, and the rows that they train and are scored on.

    Args:
        replicas: the configuration of each, and the place of its seed among the seeds.
        part: which of all replicas of the training these are.

    Raises:
        InputError: mixup for a network that looks its inputs up.
    """

    def __init__(self, examples: Examples, replicas: list[tuple[Model, Train, int]], seeds: list[int], part: slice):
        (model, train, _), places = replicas[0], [place for _, _, place in replicas]
        self.seeds, self.part = [seeds[place] for place in places], part
        self.train_rows, val_rows, holdout_rows = (
            rows if len(rows) == 1 else rows[places]
            for rows in (examples.train_rows, examples.val_rows, examples.holdout_rows)
        )
        self.batch_size = batch_size(train, self.train_rows.shape[1])
        self.steps = -(-self.train_rows.shape[1] // self.batch_size)
        self.trains = [of_replica for _, of_replica, _ in replicas]
        self.row_weights = row_weights(examples, self.train_rows, self.trains)
        self.alphas = [of_replica.mixup for of_replica in self.trains if of_replica.mixup]
        self.changing = Changing.of(self.trains, examples.problem)
        scored = first_scored(self.train_rows, train.train_score_rows)
        network = _network(model, examples.problem)
        if self.alphas and any(isinstance(layer, keras.layers.Embedding) for layer in network.layers):
            raise InputError(
                f"train.mixup mixes the inputs, and those of an Embedding, which model.build {model.build} has, are "
                "codes; set it to null"
            )
        block_rows = max(1, NUMBERS_PER_SCORED_BLOCK // (len(self.seeds) * _width(network)))
        self.splits = ScoredSplits(examples, scored, val_rows, holdout_rows, block_rows)
        self.further, self.stops_together = further_score(train.monitor, examples.problem), train.stops_together
        self.graph = shared_graph(*structure(model, train), examples.problem, len(self.seeds))
        networks = [_network(of_replica, examples.problem) for of_replica, _, _ in replicas]
        settings = zip(networks, [of_replica for _, of_replica, _ in replicas], strict=True)
        strengths = [model_strengths(network) | train_strengths(train) for network, train in settings]
        self.strengths = {name: tf.constant(values, tf.float32) for name, values in _by_name(strengths).items()}
        first: dict[tuple[str | None, int], dict[str, np.ndarray]] = {}  # equal for all that share initializer and seed
        keys = [(of_replica.initializer, seed) for (of_replica, _, _), seed in zip(replicas, self.seeds, strict=True)]
        for key, network in zip(keys, networks, strict=True):
            if key not in first:
                first[key] = initial_weights(network, key[1])
        weights = _stacked([first[key] for key in keys])
        if model.bins or model.inputs:
            weights |= self._of_inputs(examples, model)
        self.state = self.graph.start(weights)

    def _of_inputs(self, examples: Examples, model: Model) -> dict[str, np.ndarray]:
        """Return the weights of the input layers by path, `[R, ...]`: each replica's come from its training rows."""
        encodings = []
        for rows in self.train_rows:
            x, weights = examples.x[rows], None if examples.weights is None else examples.weights[rows]
            encodings.append(encoding_weights(x, model.bins, weights) if model.bins else {})
            encodings[-1] |= input_weights(x, model.inputs, weights) if model.inputs else {}
        return _stacked(encodings if len(encodings) > 1 else encodings * len(self.seeds))

    def train_epoch(self, x: tf.Tensor, y: tf.Tensor, epoch: int, learning_rates: np.ndarray) -> np.ndarray:
        """Train one epoch (from 1) at the learning rates `[steps, R]`.

        Args:
            x, y: all rows, `[n, n_features]`, and their targets; the groups of a training share them.

        Returns:
            The mean training loss of each replica, `[R]`, NaN where its weights are not finite.
        """
        rows = self.train_rows, self.batch_size
        batches = epoch_batches(self.seeds, epoch, *rows, learning_rates, self.row_weights, self.alphas, self.changing)
        strengths = self.strengths
        if kept := [kept_share(train.swa, epoch, train.epochs) for train in self.trains if train.swa]:
            strengths = strengths | {"swa": tf.constant(kept, tf.float32)}
        self.state, losses = self.graph.train(x, y, self.state, batches, strengths)
        return losses.numpy()

    def scores(self, x: tf.Tensor, y: tf.Tensor) -> "GroupScores":
        """Return the scores of all replicas as they are now; for `x` and `y` see `train_epoch`."""
        blocks = [self.graph.score(self.state, *block) for block in self.splits.blocks(x, y)]
        if not blocks:
            return GroupScores(np.zeros((2, 0, len(self.seeds))))
        means = self.splits.means(np.concatenate([by_row.numpy() for by_row, _ in blocks], axis=-1))
        if self.further is None and not self.stops_together:
            return GroupScores(means)
        outputs = np.concatenate([of_block.numpy() for _, of_block in blocks], axis=1)
        if self.further is not None:
            means = np.concatenate([means, self.splits.scores(self.further, outputs)[None]])
        return GroupScores(means, self.splits.of_validation(outputs) if self.stops_together else None)

    def assign(self, weights: dict[str, np.ndarray]) -> None:
        """Start the group anew from its part of these weights of all replicas, with a new state of the optimizer."""
        self.state = self.graph.start({path: value[self.part] for path, value in weights.items()})

    def weights(self) -> dict[str, np.ndarray]:
        """Return the weights that score, by path, replica first."""
        return self.graph.weights(self.state)


def _stacked(of_replicas: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {path: np.stack(values) for path, values in _by_name(of_replicas).items()}


def _by_name(of_replicas: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [values[name] for values in of_replicas] for name in of_replicas[0]}
