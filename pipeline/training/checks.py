"""Settings that cannot be trained with on the data at hand."""

import numpy as np

from pipeline.choices import OBJECTIVES, objectives_of
from pipeline.data.examples import Examples, Problem
from pipeline.errors import InputError, nearest_first
from pipeline.settings import Train
from pipeline.statistics.scores import score_seeds


def check_task(train: Train, problem: Problem) -> None:
    """Refuse settings that are for classes or images where there are none, and weights of classes that there are not.

    Raises:
        InputError: the loss, label smoothing, the monitored score, class weights, or changes of images.
    """
    _check_images(train, problem)
    _check_monitor(train, problem)
    if problem.is_classification:
        _check_class_names(train, problem)
        return
    if train.loss == "cross_entropy":
        raise InputError("train.loss cross_entropy is for classes, and the target is a number; set it to null")
    if train.label_smoothing:
        raise InputError("train.label_smoothing is for classes, and the target is a number: set it to 0")
    if train.class_weight:
        raise InputError("train.class_weight is for classes, and the target is a number: set it to null")


def _check_images(train: Train, problem: Problem) -> None:
    changes = {"train.shift": train.shift, "train.cutout": train.cutout, "train.rotate": train.rotate}
    for name, strength in changes.items():
        if strength is None:
            continue
        if not problem.image_shape:
            raise InputError(f"{name} needs images, and the data are a table; set it to null")
        height, width = problem.image_shape[:2]
        if name != "train.rotate" and strength >= min(height, width):
            raise InputError(
                f"{name} must be less than a side of the images, {height} by {width} pixels; got {strength}"
            )


def _check_monitor(train: Train, problem: Problem) -> None:
    allowed = objectives_of(problem.task)
    if train.monitor is None or train.monitor in allowed:
        return
    kinds = ("numbers", "one of classes") if problem.is_classification else ("classes", "a number")
    scores = ", ".join(name for name in allowed if OBJECTIVES[name].is_score)
    raise InputError(
        f"train.monitor {train.monitor} is for {kinds[0]}, and the target is {kinds[1]}: take one of {scores}, or null"
    )


def _check_class_names(train: Train, problem: Problem) -> None:
    for name, _ in train.class_weight if isinstance(train.class_weight, tuple) else ():
        if name not in problem.class_names:
            known = nearest_first(name, problem.class_names, most=10)
            raise InputError(f"train.class_weight names {name!r}, which is no class of the target; those are {known}")


def check_validation_rows(train: Train, examples: Examples) -> None:
    """Refuse settings that go by a validation score where there are no such rows, or where it is not defined.

    Raises:
        InputError: early stopping or the schedule `plateau` without validation rows, stopping together on rows that the
            seeds do not share, or a `train.monitor` that is not defined.
    """
    if examples.has_validation:
        check_shared_validation(train, are_shared=len(examples.val_rows) == 1 and not examples.holdout_rows.size)
        _check_monitor_is_defined(train, examples)
        return
    needs = {
        "train.early_stopping": train.early_stopping,
        "train.schedule.name plateau": train.schedule.name == "plateau",
    }
    for name, wanted in needs.items():
        if wanted:
            raise InputError(f"{name} needs validation rows, and there are none: set data.val_fraction above 0")


def check_shared_validation(train: Train, are_shared: bool) -> None:
    """Refuse early stopping of all seeds together where they do not validate on the same rows.

    No row would have a prediction of all seeds, and rows that judge one seed would stop it by the score of another.

    Raises:
        InputError: `train.early_stopping.unit` is ensemble.
    """
    if train.stops_together and not are_shared:
        raise InputError(
            "train.early_stopping.unit ensemble needs validation rows that all seeds share, and each seed of a study, "
            "or of a search with search.folds, validates on other rows; set it to seed"
        )


def _check_monitor_is_defined(train: Train, examples: Examples) -> None:
    """Refuse a `train.monitor` that is not defined on the validation rows of a seed, as R2 is not for equal targets."""
    if train.monitor is None:
        return
    problem, chosen_by = examples.problem, [*examples.val_rows, *examples.holdout_rows]
    for rows in chosen_by:
        outputs = np.zeros((1, len(rows), problem.n_outputs) if problem.is_classification else (1, len(rows)))
        if len(rows) and np.isnan(score_seeds(train.monitor, problem.task, outputs, examples.y[rows])).any():
            raise InputError(
                f"train.monitor {train.monitor} is not defined on validation rows that are all of one class or value, "
                "as those of a seed are here: set it to null or to a score that is, such as brier or mae"
            )
