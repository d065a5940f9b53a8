"""The training loop: examples, settings and seeds in, fitted seeds out. It knows neither files nor tracking nor search.

The seeds of one configuration train side by side (`pipeline.training.stack`). Each has its own initial weights, order
of examples and random masks, all drawn from its seed alone, so seed 3 among ten is the same run as seed 3 alone.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd
import tensorflow as tf

from pipeline.data.examples import Examples
from pipeline.settings import Model, Train
from pipeline.training.best_epoch import BestEpoch
from pipeline.training.checks import check_validation_rows
from pipeline.training.fitted import Chosen, Fitted
from pipeline.training.history import History, loss_column, score_columns
from pipeline.training.optimizers import default_learning_rate
from pipeline.training.schedules import Patience, learning_rates
from pipeline.training.seed_group import seed_groups

State = dict[str, np.ndarray]


@dataclass(frozen=True)
class Epoch:
    """The argument of a callback after each epoch; raising ends the training.

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
    check_validation_rows(train, examples)
    training = Training(examples, model, train, seeds)
    if resume is not None:
        training.restore(resume)
    try:
        while training.epoch < train.epochs and training.active.any():
            training.train_epoch()
            for callback in callbacks:
                callback(training.event())
        return training.fitted()
    finally:
        training.leave()


def with_train_scores(examples: Examples, model: Model, train: Train, fitted: Fitted) -> Fitted:
    """Return a training that did not score training rows with their scores at each seed's best epoch in its history.

    The weights of `fitted` must be those of the best epochs, as early stopping takes them. A score after every epoch
    takes a quarter of the time of a small training, and a search needs this one alone.
    """
    training = Training(examples, model, train, fitted.seeds)
    try:
        scores = training.train_scores(fitted.weights)
    finally:
        training.leave()
    best = pd.DataFrame({"seed": fitted.seeds, "epoch": fitted.best_epoch} | scores)
    return replace(fitted, history=fitted.history.merge(best, how="left", on=["seed", "epoch"]))


class Training:
    """One training in progress: all that `fit` carries from epoch to epoch; the seed is the last axis of each array.

    Attributes:
        epoch: how many epochs are done.
        rate_factor: by which plateaus have cut each seed's learning rate, `[R]`.
        active, diverged: which seeds go on, and which have stopped since they were not finite, bool `[R]`.
        best: the best epochs so far by the rows that choose: `val`, and `holdout` where there are such rows.
    """

    def __init__(self, examples: Examples, model: Model, train: Train, seeds: list[int]):
        self.examples, self.train, self.seeds = examples, train, seeds
        self.groups = seed_groups(examples, model, train, seeds)
        self.splits = list(self.groups[0].splits.rows)
        self.x = tf.constant(examples.x)
        variances = [group.splits.target_variances(len(group.seeds)) for group in self.groups]
        self.target_variances = np.concatenate(variances, axis=-1)
        steps = -(-examples.train_rows.shape[1] // self.groups[0].batch_size)
        base_rate = train.learning_rate or default_learning_rate(train)
        self.rates = learning_rates(train.schedule, base_rate, steps, train.epochs)
        self.rate_factor = np.ones(len(seeds))
        self.plateau = Patience.of(train.schedule.decay_epochs, len(seeds))
        self.epoch, self.history = 0, History(seeds)
        self.active, self.diverged = np.ones(len(seeds), bool), np.zeros(len(seeds), bool)
        unknown = {name: np.full_like(value, np.nan) for name, value in self.weights().items()}
        choosing = ["validation", "holdout"] if examples.holdout_rows.shape[1] else ["validation"]
        self.best = {split: BestEpoch.before_training(train.early_stopping, unknown, len(seeds)) for split in choosing}

    def train_epoch(self) -> None:
        """Train and score every seed once, and decide which go on."""
        self.epoch += 1
        rates = self.rates[self.epoch - 1][:, None] * self.rate_factor
        losses, means = [], []
        for group in self.groups:
            losses.append(group.train_epoch(self.x, self.epoch, rates[:, group.part]))
            means.append(group.scores())
        scores = self._columns(*np.concatenate(means, axis=-1)) | {"learning_rate": rates[-1]}
        self.history.add(scores, self.active)
        self._stop_seeds(np.concatenate(losses), scores)

    def train_scores(self, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the history's columns of the training rows for these weights, seed first."""
        means = []
        for group in self.groups:
            group.assign(weights)
            means.append(group.score("train"))
        loss, hits = np.concatenate(means, axis=-1)
        return score_columns("train", self.examples, loss, hits, self.target_variances[0])

    def weights(self) -> dict[str, np.ndarray]:
        """Return the weights as they are now, by name, seed first."""
        parts = [group.weights() for group in self.groups]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def event(self) -> Epoch:
        """Return what a callback gets to know of the last epoch."""
        best_scores = self.best["validation"].best_score.copy()
        return Epoch(self.epoch, self.train.epochs, self.history.epochs[-1], best_scores, self.active, self.state)

    def fitted(self) -> Fitted:
        """Return the result, as it stands."""
        last = None
        if not self.train.early_stopping:
            last = self.weights()
            for value in last.values():  # the weights of a seed that diverged may be finite, and yet are no model
                value[self.diverged] = np.nan
        chosen = {split: Chosen(last or best.best_weights, best.best_epoch) for split, best in self.best.items()}
        return Fitted(
            weights=chosen["validation"].weights,
            best_epoch=chosen["validation"].best_epoch,
            seeds=self.seeds,
            diverged=self.diverged,
            history=self.history.table(),
            by_holdout=chosen.get("holdout"),
        )

    def leave(self) -> None:
        """Let go of the graphs."""
        for group in self.groups:
            group.leave()

    def state(self) -> State:
        """Return all that the rest of the training depends on, as arrays under unique names."""
        state = {
            "epoch": np.array(self.epoch),
            "rate_factor": self.rate_factor.copy(),
            "active": self.active.copy(),
            "diverged": self.diverged.copy(),
            "plateau.best": self.plateau.best.copy(),
            "plateau.waited": self.plateau.waited.copy(),
        }
        for split, best in self.best.items():
            state |= {f"{split}/{name}": value for name, value in best.state().items()}
            state |= {f"best/{split}/{name}": value.copy() for name, value in best.best_weights.items()}
        state |= {f"table/{name}": values for name, values in self.history.state().items()}
        for index, group in enumerate(self.groups):
            state |= {f"stack/{index}/{place}": value for place, value in enumerate(group.state())}
        return state

    def restore(self, state: State) -> None:
        """Go back to a `state` of a training of the same settings."""
        self.epoch = int(state["epoch"])
        self.rate_factor, self.active, self.diverged, self.plateau.best, self.plateau.waited = (
            state[name].copy() for name in ("rate_factor", "active", "diverged", "plateau.best", "plateau.waited")
        )
        for split, best in self.best.items():
            best.restore(_under(f"{split}/", state))
            best.best_weights = {name: value.copy() for name, value in _under(f"best/{split}/", state).items()}
        self.history.restore(_under("table/", state))
        for index, group in enumerate(self.groups):
            arrays = _under(f"stack/{index}/", state)
            group.restore([arrays[str(place)] for place in range(len(arrays))])

    def _columns(self, loss: np.ndarray, hits: np.ndarray) -> dict[str, np.ndarray]:
        """Return the history's columns from the mean loss and hits of each split and seed, `[splits, R]`."""
        columns: dict[str, np.ndarray] = {}
        for split, *means in zip(self.splits, loss, hits, self.target_variances, strict=True):
            columns |= score_columns(split, self.examples, *means)
        return columns

    def _stop_seeds(self, losses: np.ndarray, scores: dict[str, np.ndarray]) -> None:
        """Stop the seeds that are not finite, and those that none of the rows that choose waits for any longer."""
        monitored = {split: scores.get(loss_column(split, self.examples.problem)) for split in self.best}
        finite = np.isfinite(losses + sum(score for score in monitored.values() if score is not None))
        self.diverged |= self.active & ~finite
        going = self.active & finite
        if self.train.schedule.name == "plateau" and (validation_scores := monitored["validation"]) is not None:
            self._cut_rates(going, validation_scores)
        waited_for = np.zeros(len(self.seeds), bool)
        weights = cache(self.weights)  # fetched once, and only if a seed is better than before
        for split, best in self.best.items():
            waited_for |= best.choose(self.epoch, going, monitored[split], weights)
        self.active = going & waited_for

    def _cut_rates(self, going: np.ndarray, scores: np.ndarray) -> None:
        """Cut the learning rate of the seeds whose validation score has stayed on a plateau for too long."""
        cut = self.plateau.exhausted(self.epoch, scores) & going
        self.rate_factor[cut] *= self.train.schedule.decay
        self.plateau.waited[cut] = 0


def _under(prefix: str, state: State) -> State:
    """Return the part of a state whose names begin with a prefix, under the rest of their names."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
