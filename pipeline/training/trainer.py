"""The training loop: examples, settings and seeds in, fitted seeds out. It knows neither files nor tracking nor search.

The seeds of one configuration train side by side (`pipeline.training.stack`). Each has its own initial weights, order
of examples and random masks, all drawn from its seed alone, so seed 3 among ten is the same run as seed 3 alone.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache, lru_cache

import numpy as np
import pandas as pd
import tensorflow as tf

from pipeline.data.examples import Examples, Problem
from pipeline.errors import InputError
from pipeline.settings import EarlyStopping, Model, Train
from pipeline.training.fast import noise
from pipeline.training.model import weight_shapes
from pipeline.training.optimizers import default_learning_rate
from pipeline.training.schedules import Patience, learning_rates
from pipeline.training.stack import Batches, Stack
from pipeline.training.structure import structure

State = dict[str, np.ndarray]

# Beyond this many weights in a graph the caches no longer hold them with what the optimizer keeps, and stacking costs
# more than it gains: measured on MNIST, 5 seeds of 784-128-10 (102,000 weights each) take 0.9 times as long each as one
# alone, and 5 of 784-512-10 (407,000) 1.2 times.
WEIGHTS_PER_STACK = 400_000
# Numbers in the inputs and hidden outputs of one batch of all seeds: what bounds the memory of a step.
NUMBERS_PER_BATCH = 50_000_000
SCORED_NUMBERS_PER_BLOCK = 4_000_000
# In the rows of a split that are kept gathered to be scored.
NUMBERS_KEPT = 50_000_000
# That a graph is made for, or the next power of 2; a graph of a single step is one of its own.
FEWEST_STEPS = 64


@dataclass(frozen=True)
class Epoch:
    """What a callback sees after each epoch; raising ends the training.

    Attributes:
        scores: the history's columns for this epoch, each `[R]`, NaN for seeds that had stopped before.
        best: the lowest validation cross-entropy (RMSE) of each seed so far, `[R]`, infinite where there is none.
        active: which seeds go on, bool `[R]`.
        state: called, gives what `fit(resume=...)` needs to go on after this epoch.
    """

    number: int
    of: int
    scores: dict[str, np.ndarray]
    best: np.ndarray
    active: np.ndarray
    state: Callable[[], State]


@dataclass(frozen=True)
class Chosen:
    """The epoch of each seed that some rows choose, and the weights that a training with these rows ends with.

    Attributes:
        weights: by name as in `model.initial_weights`, with the seed as first axis. With early stopping they are those
            of each seed's best epoch, else those of its last; NaN for a seed that has no such epoch or diverged before
            the last.
        best_epoch: epoch of the lowest cross-entropy (RMSE) on these rows, counted from 1; the last one without such
            rows; 0 where no epoch had a finite score.
    """

    weights: dict[str, np.ndarray]
    best_epoch: np.ndarray


@dataclass(frozen=True)
class Fitted:
    """R trained seeds.

    Attributes:
        weights, best_epoch: as the validation rows choose them, see `Chosen`.
        history: a row per seed and epoch: training, validation and holdout cross-entropy (nats; dropout off, penalties
            out) and accuracy, or RMSE (target's unit) and R2, and the learning rate of the epoch's last step.
        diverged: seeds that were stopped because their loss was not finite.
        by_holdout: what the holdout rows choose in place of the validation rows; None where there are none.
    """

    seeds: list[int]
    weights: dict[str, np.ndarray]
    history: pd.DataFrame
    best_epoch: np.ndarray
    diverged: np.ndarray
    by_holdout: Chosen | None = None


def fit(
    examples: Examples,
    model: Model,
    train: Train,
    seeds: list[int],
    callbacks: Iterable[Callable[[Epoch], None]] = (),
    resume: State | None = None,
) -> Fitted:
    """Train one configuration on several seeds side by side.

    Args:
        resume: an `Epoch.state()` of a training of the same arguments; it goes on from there to the same weights.

    Raises:
        InputError: a setting needs a validation set and there is none.
    """
    _check(examples, train)
    run = _Run(examples, model, train, seeds)
    if resume is not None:
        run.restore(resume)
    try:
        while run.epoch < train.epochs and run.active.any():
            run.train_epoch()
            for callback in callbacks:
                callback(run.event())
        return run.fitted()
    finally:
        run.leave()


def with_train_scores(examples: Examples, model: Model, train: Train, fitted: Fitted) -> Fitted:
    """What a training would have given that scored training rows, where `fitted` did not: at each seed's best epoch.

    The weights of `fitted` must be those of the best epochs, as early stopping takes them. A score after every epoch
    takes a quarter of the time of a small training, and a search needs this one alone.
    """
    run = _Run(examples, model, train, fitted.seeds)
    try:
        scores = run.train_scores(fitted.weights)
    finally:
        run.leave()
    best = pd.DataFrame({"seed": fitted.seeds, "epoch": fitted.best_epoch} | scores)
    return replace(fitted, history=fitted.history.merge(best, how="left", on=["seed", "epoch"]))


def epoch_order(seed: int, epoch: int, rows: int) -> np.ndarray:
    """The order in which a seed sees the training rows in an epoch (from 1), int `[rows]`."""
    return np.random.default_rng([seed, 1, epoch]).permutation(rows)


def batch_size(train: Train, rows: int) -> int:
    """Rows in a batch; gradient descent takes all of them."""
    return rows if train.optimizer == "gd" else min(train.batch_size, rows)


def seeds_per_stack(examples: Examples, model: Model, train: Train) -> int:
    """How many seeds share a graph. It changes the speed and the memory, not the result."""
    weights = sum(math.prod(shape) for shape in weight_shapes(model, examples.problem).values())
    width = examples.problem.n_features + sum(model.hidden_units) + examples.problem.n_outputs
    numbers = batch_size(train, examples.train_rows.shape[1]) * width
    return max(1, min(WEIGHTS_PER_STACK // weights, NUMBERS_PER_BATCH // numbers))


def _check(examples: Examples, train: Train) -> None:
    if examples.has_validation:
        return
    needs = {
        "train.early_stopping": train.early_stopping,
        "train.schedule.name plateau": train.schedule.name == "plateau",
    }
    for name, wanted in needs.items():
        if wanted:
            raise InputError(f"{name} needs validation rows, and there are none: set data.val_fraction above 0")


class _Group:
    """The seeds that share a graph, with the rows that they train and are scored on."""

    def __init__(self, examples: Examples, model: Model, train: Train, seeds: list[int], part: slice):
        self.seeds, self.part, self.size = seeds[part], part, batch_size(train, examples.train_rows.shape[1])
        self.x, self.targets = examples.x, examples.y
        self.gathered: dict[str, list[tuple[tf.Tensor, tf.Tensor]]] = {}  # of the splits that all seeds share
        self.train_rows, val_rows, holdout_rows = (
            rows if len(rows) == 1 else rows[part]
            for rows in (examples.train_rows, examples.val_rows, examples.holdout_rows)
        )
        scored = self.train_rows[:, _scored_positions(self.train_rows.shape[1], train.train_score_rows)]
        every = {"train": scored, "val": val_rows, "holdout": holdout_rows}
        self.splits = {name: np.int32(rows) for name, rows in every.items() if rows.shape[1]}
        width = len(self.seeds) * (examples.problem.n_features + sum(model.hidden_units))
        self.scored_at_once = max(1, SCORED_NUMBERS_PER_BLOCK // width)
        self._stack = _stack(*structure(model, train), examples.problem, len(self.seeds))
        self.saved: list[np.ndarray] | None = None
        self.stack.start(model, train, self.seeds)

    @property
    def stack(self) -> Stack:
        """The graph, with this group's numbers in it: groups of one size take turns with one."""
        tenant, self._stack.tenant = self._stack.tenant, self
        if tenant is self:
            return self._stack
        if tenant is not None:
            tenant.saved = self._stack.state()
        if self.saved is not None:
            self._stack.restore(self.saved)
        return self._stack

    def leave(self) -> None:
        """Let go of the graph, which outlives the training."""
        self._stack.tenant = None

    def epoch(self, x: tf.Tensor, epoch: int, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Train one epoch (from 1) at the learning rates `[steps, R]`.

        Returns:
            The mean training loss of each seed, `[R]`, NaN where its weights are not finite; and the mean loss and hits
            over each split, `[2, splits, R]`.
        """
        losses = self.stack.epoch(x, self.batches(epoch, rates)).numpy()
        scores = [self.score(name) for name in self.splits]
        means = np.reshape(scores, (-1, 2, len(self.seeds))).transpose(1, 0, 2)
        return np.where(self.stack.finite(), losses, np.nan), means

    def score(self, name: str) -> np.ndarray:
        """Mean loss and hits over a split, `[2, R]`."""
        scores = [self.stack.score(x, targets).numpy() for x, targets in self._parts(name)]
        return np.concatenate(scores, axis=-1).mean(axis=-1, dtype=float)

    def _parts(self, name: str) -> Iterable[tuple[tf.Tensor, tf.Tensor]]:
        if name in self.gathered:
            return self.gathered[name]
        rows, size = self.splits[name], self.scored_at_once
        parts = (rows[:, start : start + size] for start in range(0, rows.shape[1], size))
        gathered = ((tf.constant(self.x[part]), tf.constant(self.targets[part])) for part in parts)
        if len(rows) > 1 or rows.size * self.x.shape[1] > NUMBERS_KEPT:
            return gathered
        return self.gathered.setdefault(name, list(gathered))

    def batches(self, epoch: int, rates: np.ndarray) -> Batches:
        """The steps of an epoch (from 1)."""
        orders = [epoch_order(seed, epoch, self.train_rows.shape[1]) for seed in self.seeds]
        rows, counted = in_batches(np.take_along_axis(self.train_rows, np.stack(orders), axis=1), self.size)
        steps = len(rows)
        return Batches(
            np.int32(steps),
            np.int32((epoch - 1) * steps),
            *(
                _lengthened(values)
                for values in (
                    rows,
                    self.targets[rows],
                    counted / counted.sum(axis=1, keepdims=True),
                    np.float32(rates),
                    noise.keys(self.seeds, epoch, steps),
                )
            ),
        )

    def spread(self, y: np.ndarray) -> np.ndarray:
        """Variance of the target in each split, `[splits, R]`."""
        own = [np.broadcast_to(y[rows].var(axis=1), len(self.seeds)) for rows in self.splits.values()]
        return np.stack(own) if own else np.zeros((0, len(self.seeds)))


@dataclass
class _Chooser:
    """Rows that choose each seed's epoch and stop it where it does not improve: best score, epoch and weights."""

    patience: Patience | None
    best_score: np.ndarray
    best_epoch: np.ndarray
    best_weights: dict[str, np.ndarray]
    waiting: np.ndarray

    @classmethod
    def of(cls, stopping: EarlyStopping | None, unknown: dict[str, np.ndarray], seeds: int) -> "_Chooser":
        """Begin with no best epoch; `unknown` are weights of NaN."""
        patience = stopping and Patience.of(stopping.patience, seeds, stopping.min_delta, stopping.start_from_epoch)
        weights = {name: value.copy() for name, value in unknown.items()} if stopping else {}
        return cls(patience, np.full(seeds, np.inf), np.zeros(seeds, int), weights, np.ones(seeds, bool))

    def choose(
        self, epoch: int, going: np.ndarray, scores: np.ndarray | None, weights: Callable[[], dict[str, np.ndarray]]
    ) -> np.ndarray:
        """Take in the scores `[R]` of an epoch, and the weights after it; return which seeds these rows wait for.

        Args:
            going: the seeds that train and have not diverged, bool `[R]`.
            scores: None where there are no such rows, and each epoch is the best so far.
        """
        self.waiting &= going
        better = self.waiting if scores is None else self.waiting & (scores < self.best_score)
        self.best_epoch[better] = epoch
        if scores is not None:
            self.best_score[better] = scores[better]
        if self.patience:
            if better.any():
                for name, value in weights().items():
                    self.best_weights[name][better] = value[better]
            self.waiting &= ~self.patience.exhausted(epoch, scores)
        return self.waiting

    def state(self) -> dict[str, np.ndarray]:
        """Everything but the weights, by name."""
        patience = {"best": self.patience.best, "waited": self.patience.waited} if self.patience else {}
        return {"best_score": self.best_score, "best_epoch": self.best_epoch, "waiting": self.waiting} | {
            f"patience.{name}": value for name, value in patience.items()
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go back to a `state`."""
        self.best_score, self.best_epoch, self.waiting = (
            state[name].copy() for name in ("best_score", "best_epoch", "waiting")
        )
        if self.patience:
            self.patience.best, self.patience.waited = (state[f"patience.{name}"].copy() for name in ("best", "waited"))


class _Run:
    """One training: what `fit` carries from epoch to epoch; the seed is the last axis of each array."""

    def __init__(self, examples: Examples, model: Model, train: Train, seeds: list[int]):
        self.examples, self.train, self.seeds = examples, train, seeds
        # Of one size, as far as that goes, so that they share one graph.
        graphs = -(-len(seeds) // seeds_per_stack(examples, model, train))
        together = -(-len(seeds) // graphs)
        self.groups = [
            _Group(examples, model, train, seeds, slice(start, start + together))
            for start in range(0, len(seeds), together)
        ]
        self.x = tf.constant(examples.x)
        self.spread = np.concatenate([group.spread(examples.y) for group in self.groups], axis=-1)
        steps = -(-examples.train_rows.shape[1] // self.groups[0].size)
        self.rates = learning_rates(
            train.schedule, train.learning_rate or default_learning_rate(train), steps, train.epochs
        )
        self.rate_factor = np.ones(len(seeds))
        self.plateau = Patience.of(train.schedule.decay_epochs, len(seeds))
        self.epoch, self.table = 0, []
        self.active, self.diverged = np.ones(len(seeds), bool), np.zeros(len(seeds), bool)
        unknown = {name: np.full_like(value, np.nan) for name, value in self.weights().items()}
        splits = ["val", "holdout"] if examples.holdout_rows.shape[1] else ["val"]
        self.choosers = {split: _Chooser.of(train.early_stopping, unknown, len(seeds)) for split in splits}

    def train_epoch(self) -> None:
        """Train and score every seed once, and decide which go on."""
        self.epoch += 1
        rates = self.rates[self.epoch - 1][:, None] * self.rate_factor
        parts = [group.epoch(self.x, self.epoch, rates[:, group.part]) for group in self.groups]
        losses, means = (np.concatenate(pieces, axis=-1) for pieces in zip(*parts, strict=True))
        scores = self._scores(*means) | {"learning_rate": rates[-1]}
        self.table.append({name: np.where(self.active, values, np.nan) for name, values in scores.items()})
        self._judge(losses, scores)

    def train_scores(self, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The history's columns of the training rows for these weights, seed first."""
        parts = []
        for group in self.groups:
            group.stack.assign({name: value[group.part] for name, value in weights.items()})
            parts.append(group.score("train"))
        return self._named("train", *np.concatenate(parts, axis=-1), self.spread[0])

    def leave(self) -> None:
        """Let go of the graphs."""
        for group in self.groups:
            group.leave()

    def _scores(self, loss: np.ndarray, hits: np.ndarray) -> dict[str, np.ndarray]:
        """The history's columns from the mean loss and hits of each split and seed, `[splits, R]`."""
        scores = {}
        for place, split in enumerate(self.groups[0].splits):
            scores |= self._named(split, loss[place], hits[place], self.spread[place])
        return scores

    def _named(self, split: str, loss: np.ndarray, hits: np.ndarray, spread: np.ndarray) -> dict[str, np.ndarray]:
        if self.examples.problem.is_classification:
            return {f"{split}_cross_entropy": loss, f"{split}_accuracy": hits}
        varied = np.where(spread > 0, spread, np.nan)
        return {f"{split}_rmse": np.sqrt(loss) * self.examples.target_scale, f"{split}_r2": 1 - loss / varied}

    def _judge(self, losses: np.ndarray, scores: dict[str, np.ndarray]) -> None:
        """Let the rows that choose take in the scores of this epoch, and end the seeds that none of them waits for."""
        monitored = {split: self._monitored(split, scores) for split in self.choosers}
        finite = np.isfinite(losses + sum(score for score in monitored.values() if score is not None))
        self.diverged |= self.active & ~finite
        going = self.active & finite
        if self.train.schedule.name == "plateau":
            self._cut_rates(going, monitored["val"])
        waited_for = np.zeros(len(self.seeds), bool)
        weights = cache(self.weights)
        for split, chooser in self.choosers.items():
            waited_for |= chooser.choose(self.epoch, going, monitored[split], weights)
        self.active = going & waited_for

    def _monitored(self, split: str, scores: dict[str, np.ndarray]) -> np.ndarray | None:
        loss = "cross_entropy" if self.examples.problem.is_classification else "rmse"
        return scores.get(f"{split}_{loss}")

    def _cut_rates(self, going: np.ndarray, monitored: np.ndarray) -> None:
        cut = self.plateau.exhausted(self.epoch, monitored) & going
        self.rate_factor[cut] *= self.train.schedule.decay
        self.plateau.waited[cut] = 0

    def weights(self) -> dict[str, np.ndarray]:
        """The weights as they are now, by name, seed first."""
        parts = [group.stack.weights() for group in self.groups]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def event(self) -> Epoch:
        """What a callback is told of the last epoch."""
        best = self.choosers["val"].best_score.copy()
        return Epoch(self.epoch, self.train.epochs, self.table[-1], best, self.active, self.state)

    def fitted(self) -> Fitted:
        """The result, as it stands."""
        last = None
        if not self.train.early_stopping:
            last = self.weights()
            for value in last.values():  # those of a seed that diverged may be finite, and yet are no model
                value[self.diverged] = np.nan
        chosen = {
            split: Chosen(last or chooser.best_weights, chooser.best_epoch) for split, chooser in self.choosers.items()
        }
        by_val = chosen["val"]
        return Fitted(
            self.seeds, by_val.weights, self._history(), by_val.best_epoch, self.diverged, chosen.get("holdout")
        )

    def _history(self) -> pd.DataFrame:
        epochs = [
            pd.DataFrame({"seed": self.seeds, "epoch": number} | scores)
            for number, scores in enumerate(self.table, start=1)
        ]
        history = pd.concat(epochs, ignore_index=True)
        trained = history.groupby("seed")["learning_rate"].transform("count")
        return history[history["epoch"] <= trained].sort_values(["seed", "epoch"], ignore_index=True, kind="stable")

    def state(self) -> State:
        """Everything that the rest of the training depends on, as arrays under unique names."""
        state = {name: np.array(value) for name, value in self._arrays().items()}
        for split, chooser in self.choosers.items():
            state |= {f"{split}/{name}": value.copy() for name, value in chooser.state().items()}
            state |= {f"best/{split}/{name}": value.copy() for name, value in chooser.best_weights.items()}
        state |= {f"table/{name}": np.stack([row[name] for row in self.table]) for name in self.table[0]}
        for index, group in enumerate(self.groups):
            state |= {f"stack/{index}/{place}": value for place, value in enumerate(group.stack.state())}
        return state

    def _arrays(self) -> dict[str, np.ndarray | int]:
        arrays = {name: getattr(self, name) for name in PROGRESS}
        arrays |= {"plateau.best": self.plateau.best, "plateau.waited": self.plateau.waited}
        return arrays

    def restore(self, state: State) -> None:
        """Go back to a `state` of a run of the same settings."""
        for name in self._arrays():
            owner, _, attribute = name.rpartition(".")
            setattr(getattr(self, owner) if owner else self, attribute, state[name].copy())
        self.epoch = int(self.epoch)
        for split, chooser in self.choosers.items():
            chooser.restore({name.removeprefix(f"{split}/"): value for name, value in state.items()})
            for name in chooser.best_weights:
                chooser.best_weights[name] = state[f"best/{split}/{name}"].copy()
        columns = {name.removeprefix("table/"): value for name, value in state.items() if name.startswith("table/")}
        self.table = [{name: value[row] for name, value in columns.items()} for row in range(self.epoch)]
        for index, group in enumerate(self.groups):
            places = range(len(group.stack.state()))
            group.stack.restore([state[f"stack/{index}/{place}"] for place in places])


PROGRESS = ("epoch", "rate_factor", "active", "diverged")


def in_batches(rows: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut rows `[S, n]` into batches `[steps, S, size]`; 0 in `[steps, size]` where the last is filled up, else 1."""
    n = rows.shape[1]
    steps = -(-n // size)
    # Filled up with a row of its own: what another seed alone trains on must not reach this one, not even times 0.
    padded = np.pad(rows.astype(np.int32), ((0, 0), (0, steps * size - n)), mode="edge" if n else "empty")
    counted = (np.arange(steps * size) < n).astype(np.float32)
    return padded.reshape(len(rows), steps, size).transpose(1, 0, 2), counted.reshape(steps, size)


def _lengthened(values: np.ndarray) -> np.ndarray:
    """With steps of zeros behind, which are not taken, so that trainings on fewer or more rows share a graph."""
    steps = len(values)
    length = 1 if steps == 1 else max(FEWEST_STEPS, 1 << (steps - 1).bit_length())
    return np.pad(values, ((0, length - steps), *[(0, 0)] * (values.ndim - 1)))


def _scored_positions(rows: int, limit: int | None) -> np.ndarray:
    """Which training rows are scored after each epoch: the same at every epoch, and for every seed."""
    if limit is None or limit >= rows:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).permutation(rows)[:limit])


@lru_cache(maxsize=16)
def _stack(model: Model, train: Train, problem: Problem, replicas: int) -> Stack:
    """Return the graph of a `structure`, compiled once in a process while it is in use."""
    return Stack(model, train, problem, replicas)
