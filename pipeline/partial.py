"""Training on rows that come in parts, an epoch on each.

The first part fixes the scale and the categories of each column, and the mean and the scale of a number to predict: the
rows that are still to come are not known.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length

from pipeline.data.examples import Examples, Problem, Split, Task
from pipeline.data.memory import checked_weights, column_of, dataset_of
from pipeline.data.prepare import prepare_splits
from pipeline.data.splits import SplitName
from pipeline.data.targets import Target, read_target
from pipeline.errors import InputError, value_errors
from pipeline.fitting import FittedModel
from pipeline.settings import Data, Model, Train, seed_list
from pipeline.training.checks import check_task
from pipeline.training.course import Snapshot
from pipeline.training.fast.process import quiet
from pipeline.training.fitted import Fitted
from pipeline.training.trainer import Training

NO_ROWS = np.zeros(0, int)


@dataclass(frozen=True, eq=False)
class PartialFit:
    """A fitted model, and the state that its training goes on from.

    Attributes:
        state: None for a model of `pipeline.fit`, which goes on from its weights with an optimizer that begins anew.
    """

    model: FittedModel
    state: Snapshot | None = None

    def go_on(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> "PartialFit":
        """Return what has become of the model after an epoch on further rows.

        Raises:
            ValueError: a value that is not of its column's kind, an unknown class, settings that need validation rows
                or a last epoch, or no seed whose weights stay finite.
        """
        model = self.model
        with value_errors():
            _check_endless(model.train)
            weights = None if sample_weight is None else checked_weights(sample_weight).astype(np.float32)
            rows = Split(model.prepared(X), _targets(model, column_of(y)), weights=weights)
            check_consistent_length(*rows.arrays.values())
            if weights is not None:
                rows = Split(**{name: array[weights > 0] for name, array in rows.arrays.items()})
            training = _training(rows, model.summary.problem, model.model, model.train, self.state)
            if self.state is None:
                for group in training.groups:
                    group.assign(model.fitted.weights)
            return PartialFit(replace(model, fitted=_after_epoch(training)), training.state())


def begin(
    X: Any, y: ArrayLike, model: Model, train: Train, classes: int | None, sample_weight: ArrayLike | None = None
) -> PartialFit:
    """Fit the preprocessing on the first rows, and train an epoch on them.

    Args:
        X, y, sample_weight: as `pipeline.fit` takes them, classes by their indices.
        classes: how many classes there are, of which some may have no row yet; None for regression.

    Raises:
        ValueError: as `pipeline.fit`, and for settings that need validation rows or a last epoch.
    """
    task: Task = "regression" if classes is None else "classification"
    data = Data(source="X", task=task, test_fraction=0.0, val_fraction=0.0)
    with value_errors():
        _check_endless(train)
        dataset = dataset_of(X, y, data, sample_weight)
        if classes is None:
            target = read_target(dataset.target, dataset.target_name, data)
        else:
            target = Target(task, dataset.target.to_numpy(np.int32), [str(index) for index in range(classes)])
        rows: dict[SplitName, np.ndarray] = {"train": np.arange(len(dataset)), "validation": NO_ROWS, "test": NO_ROWS}
        prepared = prepare_splits(dataset, target, rows, data, dataset.messages.warnings)
        check_task(train, prepared.summary.problem)
        training = _training(prepared.splits["train"], prepared.summary.problem, model, train)
        fitted = _after_epoch(training)
    names = None if classes is None else np.arange(classes)
    notes = [*prepared.notes, *prepared.summary.warnings]
    whole = FittedModel(model, train, prepared.summary, prepared.preprocessing, names, fitted, notes)
    return PartialFit(whole, training.state())


def _check_endless(train: Train) -> None:
    """Refuse settings that need validation rows, or to know which epoch will be the last."""
    needed = {
        "early_stopping": train.early_stopping,
        "swa": train.swa,
        f"schedule {train.schedule.name}": train.schedule.name in ("plateau", "cosine"),
    }
    for name, is_set in needed.items():
        if is_set:
            raise InputError(
                f"partial_fit does not support {name}: it has no validation rows, and any epoch may be the last"
            )


def _targets(model: FittedModel, y: pd.Series) -> np.ndarray:
    """Return a target as the network has it.

    Raises:
        InputError: a class that the network does not have.
    """
    problem = model.summary.problem
    if model.classes is None:
        return ((y.to_numpy(float) - problem.target_mean) / problem.target_scale).astype(np.float32)
    places = pd.Index(model.classes).get_indexer(pd.Index(y))
    if (places < 0).any():
        raise InputError(f"y holds {y[places < 0].iloc[0]!r}, which is none of the classes {model.classes.tolist()}")
    return places.astype(np.int32)


def _training(rows: Split, problem: Problem, model: Model, train: Train, state: Snapshot | None = None) -> Training:
    """Return the training on these rows, before its next epoch, which is the last one that it has."""
    epochs = 1 if state is None else 1 + int(state["epoch"])
    every_row = np.arange(len(rows))[None]
    examples = Examples(problem, rows.x, rows.y, every_row, NO_ROWS[None], weights=rows.weights)
    training = Training(examples, [(model, train.model_copy(update={"epochs": epochs}))], seed_list(train.seeds))
    if state is not None:
        training.restore(state)
    return training


def _after_epoch(training: Training) -> Fitted:
    """Train an epoch, and return the result.

    Raises:
        InputError: no seed's weights stay finite.
    """
    with quiet():
        training.train_epoch()
    fitted = training.fitted()[0]
    fitted.first_sound  # noqa: B018 (raises where every seed has diverged)
    return fitted
