"""The plan of a search, made from its settings alone: its name, and what each trial starts from and has fixed."""

import hashlib
import json
from pathlib import Path
from typing import Any

from experiments.search import space
from experiments.search.objectives import check_objectives
from experiments.search.rows import data_digests
from pipeline.data.splits import Summary
from pipeline.errors import InputError
from pipeline.params import with_values
from pipeline.settings import Settings
from pipeline.training.checks import check_shared_validation, check_task

DEPEND_ON_DATA = (
    "train.class_weight",
    "train.monitor",
    "train.shift",
    "train.cutout",
    "train.rotate",
)  # the values that they may have


def trial_settings(settings: Settings, summary: Summary) -> Settings:
    """Return the settings that trials start from.

    They have `search.epochs`, where that is set, in place of `train.epochs`; for a regression the space loses the
    dimensions that are for classes alone.
    """
    if settings.search.epochs is not None:
        settings = with_values(settings, {"train.epochs": settings.search.epochs}, "search.epochs")
    if summary.task == "classification":
        return settings
    dimensions = {name: dimension for name, dimension in settings.search.space.items() if name not in space.FOR_CLASSES}
    return settings.model_copy(update={"search": settings.search.model_copy(update={"space": dimensions})})


def check_searchable(settings: Settings, summary: Summary) -> None:
    """Check whatever can be checked before any trial is trained.

    Raises:
        InputError: the space, the objectives or the rows cannot be searched with.
    """
    space.check_space(settings)
    space.check_space(trial_settings(settings, summary))
    if settings.search.folds is None and not summary.rows["validation"]:
        raise InputError(
            "the search needs validation rows, and there are none: set data.val_fraction above 0, or search.folds"
        )
    check_objectives(settings.search, summary.task)
    if "gap" in settings.search.objectives and settings.train.train_score_rows == 0:
        raise InputError("search.objectives has gap, which needs train.train_score_rows above 0")
    check_task(settings.train, summary.problem)
    check_shared_validation(settings.train, are_shared=settings.search.folds is None)
    for setting, dimension in trial_settings(settings, summary).search.space.items():
        if setting not in DEPEND_ON_DATA:
            continue
        for value in dimension.choices or (dimension.low, dimension.high):
            with_value = with_values(settings, {setting: value}, f"search.space.{setting}")
            check_task(with_value.train, summary.problem)


def study_name(settings: Settings, summary: Summary) -> str:
    """Return a name that differs wherever the data, the space or the judging of trials differs."""
    digests = data_digests(summary)
    if summary.image_shape is not None:
        digests["images"] = repr((summary.image_shape, summary.image_blank))
    if summary.target_scale is not None:  # the digests are of the scaled target, but a trial is judged in its unit
        digests["target_scale"] = repr(summary.target_scale)
    searched = settings.search.model_dump(include={"seeds", "objectives", "balance", "space"})
    if settings.search.folds is not None:
        searched["folds"] = settings.search.folds
    # A grid fixes every parameter, so it has a study of its own.
    searched["grid"] = settings.search.sampler == "grid"
    content = [digests, searched, settings.model.model_dump(), settings.train.model_dump(exclude={"seeds"})]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{Path(settings.data.source).stem}-{digest[:12]}"


def plan(settings: Settings) -> list[dict[str, Any]]:
    """Return the fixed parameters of each trial of the search; the first has none, since it is the default."""
    search = settings.search
    if search.sampler == "grid":
        return [{}, *space.grid(search.space)][: search.trials]
    optimizers = turns(settings)
    return [
        {space.OPTIMIZER: optimizers[n % len(optimizers)]} if optimizers and n else {} for n in range(search.trials)
    ]


def turns(settings: Settings) -> list[str]:
    """Return the optimizers in the order in which trials take turns, that of trial 0 first; none if not balanced."""
    dimension = settings.search.space.get(space.OPTIMIZER)
    if settings.search.balance == "none" or dimension is None or not dimension.choices:
        return []
    # A configured optimizer that is not among the choices gets the first trial and no other.
    return sorted(dimension.choices, key=lambda name: name != settings.train.optimizer)
