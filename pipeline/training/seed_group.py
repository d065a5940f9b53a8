"""The seeds of a training that share a graph, and how many do."""

import math

import numpy as np
import tensorflow as tf

from pipeline.data.examples import Examples
from pipeline.settings import Model, Train
from pipeline.training.batches import batch_size, epoch_batches
from pipeline.training.model import weight_shapes
from pipeline.training.scored_splits import ScoredSplits, first_scored
from pipeline.training.shared_graph import shared_graph
from pipeline.training.stack import Stack
from pipeline.training.structure import structure

# Beyond this many weights in a graph the caches no longer hold them together with the optimizer's state, and stacking
# costs more than it gains: measured on MNIST, 5 seeds of 784-128-10 (102,000 weights each) take 0.9 times as long each
# as one alone, and 5 of 784-512-10 (407,000) 1.2 times.
WEIGHTS_PER_STACK = 400_000
# The inputs and hidden outputs of one batch of all seeds take most of the memory of a step; this many numbers at most.
NUMBERS_PER_BATCH = 50_000_000
# The same for the rows that are scored at once.
NUMBERS_PER_SCORED_BLOCK = 4_000_000


def seeds_per_stack(examples: Examples, model: Model, train: Train) -> int:
    """Return how many seeds share a graph. It changes the speed and the memory, not the result."""
    weights = sum(math.prod(shape) for shape in weight_shapes(model, examples.problem).values())
    width = examples.problem.n_features + sum(model.hidden_units) + examples.problem.n_outputs
    numbers = batch_size(train, examples.train_rows.shape[1]) * width
    return max(1, min(WEIGHTS_PER_STACK // weights, NUMBERS_PER_BATCH // numbers))


def seed_groups(examples: Examples, model: Model, train: Train, seeds: list[int]) -> list["SeedGroup"]:
    """Share the seeds out among groups, of one size as far as that goes, so that one graph serves them all."""
    groups = -(-len(seeds) // seeds_per_stack(examples, model, train))
    size = -(-len(seeds) // groups)
    parts = (slice(start, start + size) for start in range(0, len(seeds), size))
    return [SeedGroup(examples, model, train, seeds, part) for part in parts]


class SeedGroup:
    """The seeds that share a graph, with the rows that they train and are scored on.

    Every method puts the group's numbers into the graph first, where those of another group may be.

    Args:
        seeds, part: all seeds of the training, and which of them are the group's.
    """

    def __init__(self, examples: Examples, model: Model, train: Train, seeds: list[int], part: slice):
        self.seeds, self.part, self.y = seeds[part], part, examples.y
        self.train_rows, val_rows, holdout_rows = (
            rows if len(rows) == 1 else rows[part]
            for rows in (examples.train_rows, examples.val_rows, examples.holdout_rows)
        )
        self.batch_size = batch_size(train, self.train_rows.shape[1])
        scored = first_scored(self.train_rows, train.train_score_rows)
        width = len(self.seeds) * (examples.problem.n_features + sum(model.hidden_units))
        block_rows = max(1, NUMBERS_PER_SCORED_BLOCK // width)
        self.splits = ScoredSplits(examples, scored, val_rows, holdout_rows, block_rows)
        self.graph = shared_graph(*structure(model, train), examples.problem, len(self.seeds))
        self.put_by: list[np.ndarray] | None = None
        self.enter().start(model, train, self.seeds)

    def enter(self) -> Stack:
        """Put this group's numbers into the graph, and return it."""
        return self.graph.hold(self)

    def leave(self) -> None:
        """Let go of the graph, which outlives the training."""
        self.graph.release()

    def train_epoch(self, x: tf.Tensor, epoch: int, learning_rates: np.ndarray) -> np.ndarray:
        """Train one epoch (from 1) at the learning rates `[steps, R]`.

        Args:
            x: all rows, `[n, n_features]`; the groups of a training share them.

        Returns:
            The mean training loss of each seed, `[R]`, NaN where its weights are not finite.
        """
        stack = self.enter()
        batches = epoch_batches(self.seeds, epoch, self.train_rows, self.y, self.batch_size, learning_rates)
        losses = stack.epoch(x, batches).numpy()
        return np.where(stack.finite(), losses, np.nan)

    def scores(self) -> np.ndarray:
        """Return the mean loss and hits over each split, `[2, splits, R]`."""
        by_split = [self.score(split) for split in self.splits.rows]
        return np.reshape(by_split, (-1, 2, len(self.seeds))).transpose(1, 0, 2)

    def score(self, split: str) -> np.ndarray:
        """Return the mean loss and hits over a split, `[2, R]`."""
        stack = self.enter()
        blocks = [stack.score(x, y).numpy() for x, y in self.splits.blocks(split)]
        return np.concatenate(blocks, axis=-1).mean(axis=-1, dtype=float)

    def weights(self) -> dict[str, np.ndarray]:
        """Return the weights that score, by name, seed first."""
        return self.enter().weights()

    def assign(self, weights: dict[str, np.ndarray]) -> None:
        """Set the weights that score to the group's part of these, which are of all seeds."""
        self.enter().assign({name: value[self.part] for name, value in weights.items()})

    def state(self) -> list[np.ndarray]:
        """Return all numbers that further training depends on."""
        return self.enter().state()

    def restore(self, state: list[np.ndarray]) -> None:
        """Go back to a `state`."""
        self.enter().restore(state)
