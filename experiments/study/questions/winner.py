"""The search's winner, beside the default that the search began with and the best trials on the way."""

from typing import Any

from experiments.study.arms import Arm
from experiments.study.questions.stopping import at_best_epoch
from pipeline.settings import Settings


def winner(settings: Settings, search: dict[str, Any]) -> list[Arm]:
    """Return the search's default and winner, and each trial that was the best so far; nothing without a winner.

    Args:
        search: the content of `search.json`.
    """
    if not search.get("best") or not search.get("default"):
        return []
    incumbents = [_trial(settings, trial, f"trial {trial['trial']}", "incumbent") for trial in search["incumbents"]]
    return [
        _trial(settings, search["default"], "default", "default"),
        _trial(settings, search["best"], "winner", "winner", reference="default"),
        *incumbents,
    ]


def _trial(settings: Settings, trial: dict[str, Any], name: str, group: str, reference: str | None = None) -> Arm:
    changed = of_trial(settings, trial)
    return Arm.of(changed, "winner", name, "trial", group, x=trial["trial"], reference=reference)


def of_trial(settings: Settings, trial: dict[str, Any]) -> Settings:
    """Return the settings of a trial as the search judged it: by the best epoch of each seed."""
    changed = settings.model_validate(settings.model_dump() | trial["settings"])
    return changed if changed.train.early_stopping else at_best_epoch(changed)
