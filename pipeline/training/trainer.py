"""The training loop: examples, settings and seeds in, fitted seeds out. It knows neither files nor tracking nor search.

The seeds of one configuration train side by side (`pipeline.training.replicas`). Each has its own initial weights,
order of examples and random masks, all drawn from its seed alone, so seed 3 among ten is the same run as seed 3 alone.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import pandas as pd
import tensorflow as tf

from pipeline.data.examples import Examples
from pipeline.files import under
from pipeline.settings import Model, Train
from pipeline.training.checks import check_validation_rows
from pipeline.training.course import Course, Snapshot, Weights
from pipeline.training.fitted import Fitted
from pipeline.training.history import score_columns
from pipeline.training.replica_group import replica_groups
from pipeline.training.scored_outputs import ensemble_column


@dataclass(frozen=True)
class Epoch:
    """The argument of a callback after each epoch; raising ends the training.

    Attributes:
        scores: the history's columns for this epoch, each `[R]`, NaN for seeds that had stopped before.
        lowest_loss: the lowest validation cross-entropy (RMSE) of each seed so far, `[R]`; infinite without one.
        active: which seeds go on, bool `[R]`.
        state: called, gives what `fit(resume=...)` needs to go on after this epoch.
    """

    number: int
    of: int
    scores: dict[str, np.ndarray]
    lowest_loss: np.ndarray
    active: np.ndarray
    state: Callable[[], Snapshot]


def fit(
    examples: Examples,
    model: Model,
    train: Train,
    seeds: list[int],
    callbacks: Iterable[Callable[[Epoch], None]] = (),
    resume: Snapshot | None = None,
) -> Fitted:
    """Train one configuration on several seeds side by side.

    Args:
        resume: an `Epoch.state()` of a training of the same arguments; it goes on from there to the same weights.

    Raises:
        InputError: a setting does not go with the validation rows; see `check_validation_rows`.
    """
    check_validation_rows(train, examples)
    training = Training(examples, [(model, train)], seeds)
    if resume is not None:
        training.restore(resume)
    while training.goes_on:
        training.train_epoch()
        for callback in callbacks:
            callback(training.event())
    return training.fitted()[0]


def fit_together(
    examples: Examples,
    configurations: list[tuple[Model, Train]],
    seeds: list[int],
    ends: Sequence[Callable[[Epoch], bool]] = (),
) -> list[Fitted]:
    """Train configurations of one `structure.together` side by side, each on the same seeds.

    Every replica trains as it would alone; many small ones take less time in one graph than one after another.

    Args:
        ends: for each configuration a function, called after each of its epochs, that returns whether to stop it there.
    """
    for _, train in configurations:
        check_validation_rows(train, examples)
    training = Training(examples, configurations, seeds)
    while training.goes_on:
        training.train_epoch()
        for place, ends_with in enumerate(ends):
            course = training.courses[place]
            if course.active.any() and ends_with(training.event(place)):
                course.active[:] = False
    return training.fitted()


def with_train_scores(examples: Examples, model: Model, train: Train, fitted: Fitted) -> Fitted:
    """Return the training with the scores of its training rows added to the history, at each seed's best epoch.

    For a training that did not score them. The weights of `fitted` must be those of the best epochs, as early stopping
    takes them. A score after every epoch takes a quarter of the time of a small training, and a search needs this one
    alone.
    """
    scores = Training(examples, [(model, train)], fitted.seeds).train_scores(fitted.weights)
    best = pd.DataFrame({"seed": fitted.seeds, "epoch": fitted.best_epoch} | scores)
    return replace(fitted, history=fitted.history.merge(best, how="left", on=["seed", "epoch"]))


class Training:
    """Configurations in training together: their replicas in groups that share graphs, and the course of each.

    Attributes:
        epoch: how many epochs are done.
    """

    def __init__(self, examples: Examples, configurations: list[tuple[Model, Train]], seeds: list[int]):
        self.examples, self.seeds, self.epochs = examples, seeds, configurations[0][1].epochs
        self.groups = replica_groups(examples, configurations, seeds)
        self.splits = list(self.groups[0].splits.rows)
        self.x, self.y = tf.constant(examples.x), tf.constant(examples.y)
        variances = [group.splits.target_variances(len(group.seeds)) for group in self.groups]
        self.target_variances = np.concatenate(variances, axis=-1)
        self.epoch = 0
        self.parts = [
            slice(start, start + len(seeds)) for start in range(0, len(seeds) * len(configurations), len(seeds))
        ]
        unknown = {name: np.full_like(value[: len(seeds)], np.nan) for name, value in self.weights().items()}
        steps = self.groups[0].steps
        self.courses = [Course(examples, train, seeds, steps, unknown) for _, train in configurations]

    @property
    def goes_on(self) -> bool:
        """Return whether there is an epoch left, and a seed that goes on."""
        return self.epoch < self.epochs and any(course.active.any() for course in self.courses)

    def train_epoch(self) -> None:
        """Train and score every replica once, and decide which go on."""
        self.epoch += 1
        rates = np.concatenate([course.learning_rates(self.epoch) for course in self.courses], axis=1)
        losses, scored = [], []
        for group in self.groups:
            losses.append(group.train_epoch(self.x, self.y, self.epoch, rates[:, group.part]))
            scored.append(group.scores(self.x, self.y))
        loss, columns = np.concatenate(losses), self._columns([of_group.means for of_group in scored], self.splits)
        outputs = [of_group.outputs for of_group in scored if of_group.outputs is not None]
        weights = cache(self.weights)  # fetched once, and only if a replica is better than before
        for course, part in zip(self.courses, self.parts, strict=True):
            scores = {name: values[part] for name, values in columns.items()}
            if outputs:
                of_seeds = np.concatenate(outputs)[part]
                scores |= ensemble_column(
                    of_seeds, course.active & np.isfinite(loss[part]), self.examples, course.train
                )
            course.take(self.epoch, loss[part], scores, partial(_part, weights, part))

    def train_scores(self, weights: Weights) -> dict[str, np.ndarray]:
        """Return the history's columns of the training rows for these weights, replica first."""
        means = []
        for group in self.groups:
            group.assign(weights)
            means.append(group.scores(self.x, self.y).means)
        return self._columns(means, ["train"])

    def weights(self) -> Weights:
        """Return the weights as they are now, by path, replica first."""
        parts = [group.weights() for group in self.groups]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def event(self, place: int = 0) -> Epoch:
        """Return what a callback gets to know of the last epoch of a configuration."""
        course = self.courses[place]
        return Epoch(self.epoch, self.epochs, course.history.epochs[-1], course.lowest_loss, course.active, self.state)

    def fitted(self) -> list[Fitted]:
        """Return the result of each configuration, as it stands."""
        weights = cache(self.weights)
        pairs = zip(self.courses, self.parts, strict=True)
        return [course.fitted(partial(_part, weights, part)) for course, part in pairs]

    def state(self) -> Snapshot:
        """Return all that the rest of the training depends on."""
        state = {"epoch": np.array(self.epoch)}
        for index, course in enumerate(self.courses):
            state |= {f"course/{index}/{name}": value for name, value in course.state().items()}
        for index, group in enumerate(self.groups):
            arrays = tf.nest.flatten(group.state)
            state |= {f"group/{index}/{place}": array.numpy() for place, array in enumerate(arrays)}
        return state

    def restore(self, state: Snapshot) -> None:
        """Go back to a `state` of a training of the same settings."""
        self.epoch = int(state["epoch"])
        for index, course in enumerate(self.courses):
            course.restore(under(f"course/{index}/", state))
        for index, group in enumerate(self.groups):
            arrays = under(f"group/{index}/", state)
            tensors = [tf.constant(arrays[str(place)]) for place in range(len(arrays))]
            group.state = tf.nest.pack_sequence_as(group.state, tensors)

    def _columns(self, means: list[np.ndarray], splits: Iterable[str]) -> dict[str, np.ndarray]:
        """Return the history's columns of some splits for all replicas, from the means of all groups."""
        columns, of_all = dict[str, np.ndarray](), np.concatenate(means, axis=-1)
        for split in splits:
            place = self.splits.index(split)
            loss, hits, *further = of_all[:, place]
            columns |= score_columns(split, self.examples, self.target_variances[place], loss, hits)
            columns |= {f"{split}_{self.groups[0].further}": score for score in further}
        return columns


def _part(weights: Callable[[], Weights], part: slice) -> Weights:
    return {path: value[part].copy() for path, value in weights().items()}
