"""Settings that cannot be trained with on the data at hand."""

from pipeline.data.examples import Examples, Problem
from pipeline.errors import InputError, nearest_first
from pipeline.settings import Train


def check_task(train: Train, problem: Problem) -> None:
    """Refuse settings that are for classes or images where there are none, and weights of classes that there are not.

    Raises:
        InputError: the loss, label smoothing, the monitored score, class weights, or changes of images.
    """
    _check_images(train, problem)
    if problem.is_classification:
        _check_class_names(train, problem)
        return
    if train.loss == "cross_entropy":
        raise InputError("train.loss cross_entropy is for classes, and the target is a number; set it to null")
    if train.label_smoothing:
        raise InputError("train.label_smoothing is for classes, and the target is a number: set it to 0")
    if train.monitor:
        raise InputError(f"train.monitor {train.monitor} is for classes, and the target is a number: set it to null")
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


def _check_class_names(train: Train, problem: Problem) -> None:
    for name, _ in train.class_weight if isinstance(train.class_weight, tuple) else ():
        if name not in problem.class_names:
            known = nearest_first(name, problem.class_names, most=10)
            raise InputError(f"train.class_weight names {name!r}, which is no class of the target; those are {known}")


def check_validation_rows(train: Train, examples: Examples) -> None:
    """Refuse settings that go by the validation score where there are no validation rows.

    Raises:
        InputError: early stopping or the schedule `plateau`.
    """
    if examples.has_validation:
        return
    needs = {
        "train.early_stopping": train.early_stopping,
        "train.schedule.name plateau": train.schedule.name == "plateau",
    }
    for name, wanted in needs.items():
        if wanted:
            raise InputError(f"{name} needs validation rows, and there are none: set data.val_fraction above 0")
