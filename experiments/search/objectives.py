"""The objectives of a search: which way each is better, and what a trial's seeds score on their validation rows."""

from collections.abc import Sequence

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from pipeline.choices import OBJECTIVES, Objective, objectives_of
from pipeline.data.examples import Task
from pipeline.errors import InputError
from pipeline.settings import Search

NAMES = {"cross_entropy": "loss", "roc_auc": "area under the ROC curve", "brier": "Brier score", "f1": "F1"}


def directions(search: Search) -> list[StudyDirection]:
    """Return Optuna's direction of each objective."""
    return [
        StudyDirection.MAXIMIZE if OBJECTIVES[name].is_maximized else StudyDirection.MINIMIZE
        for name in search.objectives
    ]


def as_losses(trial: FrozenTrial, objectives: Sequence[Objective]) -> list[float]:
    """Return the values of a complete trial so that less is better in each: what is maximized, negated."""
    signs = [-1.0 if OBJECTIVES[name].is_maximized else 1.0 for name in objectives]
    return [sign * value for sign, value in zip(signs, trial.values, strict=True)]


def scores_of(objectives: Sequence[Objective]) -> list[Objective]:
    """Return those of the objectives that are computed from predictions."""
    return [name for name in objectives if OBJECTIVES[name].is_score]


def title(objective: Objective) -> str:
    """Return the name of an objective in sentences and pictures."""
    return NAMES.get(objective, objective.replace("_", " "))


def check_objectives(search: Search, task: Task) -> None:
    """Refuse scores that the task has not.

    Raises:
        InputError: one of them is for classes, and the target is a number, or the other way round.
    """
    allowed = objectives_of(task)
    for name in search.objectives:
        if name in allowed:
            continue
        kinds = ("classes", "a number") if task == "regression" else ("numbers", "one of classes")
        raise InputError(
            f"search.objectives has {name}, which is for {kinds[0]}, and the target is {kinds[1]}: take one of "
            f"{', '.join(allowed)}"
        )
