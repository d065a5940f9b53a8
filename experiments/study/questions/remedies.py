"""Remedies against overfitting: each alone at each of its strengths, all together, and all but one."""

from collections.abc import Iterable
from typing import Any

from experiments.study.arms import BASELINE, BEST_EPOCH, TOGETHER, Arm, baseline
from experiments.study.questions.stopping import at_best_epoch
from pipeline.params import with_values
from pipeline.settings import REGULARIZERS, Model, Settings, Train

HALF_WIDTH = "half the width"
# These go by their name alone where a study has them once: it has no number to tell.
NAMED_ALONE = {REGULARIZERS[setting].name for setting in ("train.early_stopping", "train.class_weight")}


def remedies(settings: Settings, is_classification: bool) -> list[Arm]:
    """Return the baseline, also with the weights of its best epoch, and each remedy alone at each of its strengths.

    Raises:
        InputError: a remedy is no setting, or a strength is one that it may not have.
    """
    base = baseline(settings)
    arms = [
        Arm.of(base, "remedies", BASELINE, BASELINE, BASELINE),
        Arm.of(at_best_epoch(base), "remedies", BEST_EPOCH, "epoch", "best_epoch", reference=BASELINE),
    ]
    for setting, strengths in settings.study.remedies.items():
        name = remedy_name(setting)
        if name == "label smoothing" and (not is_classification or base.train.loss == "mean_squared_error"):
            continue
        namesakes = [other for other in settings.study.remedies if remedy_name(other) == name]
        for strength in _different(strengths):
            changed = with_values(base, {setting: strength}, f"study.remedies.{setting}")
            is_only = len(namesakes) == len(strengths) == 1
            remedy = name if len(namesakes) == 1 else f"{name} {_last_part(setting)}"
            arms.append(_remedy(name, _arm_name(remedy, strength, is_only), changed, strength))
    half = tuple(max(1, units // 2) for units in base.model.hidden_units)
    if settings.study.half_width and half != base.model.hidden_units:
        changed = with_values(base, {"model.hidden_units": half}, "study.half_width")
        arms.append(_remedy(HALF_WIDTH, HALF_WIDTH, changed, None))
    return arms


def remedy_name(setting: str) -> str:
    """Return the name of a remedy, by its setting or a part of it, such as `train.early_stopping.patience`."""
    for name, regularizer in REGULARIZERS.items():
        if setting == name or setting.startswith(f"{name}."):
            return regularizer.name
    return _last_part(setting)


def _last_part(setting: str) -> str:
    return setting.rpartition(".")[2].replace("_", " ")


def _different(strengths: list[Any]) -> list[Any]:
    return [strength for place, strength in enumerate(strengths) if strength not in strengths[:place]]


def _arm_name(remedy: str, strength: Any, is_only: bool) -> str:
    """Return a name that no other strength has."""
    if strength is True or (remedy in NAMED_ALONE and is_only):
        return remedy
    if isinstance(strength, dict):
        strength = ", ".join(f"{key}={value}" for key, value in strength.items())
    if isinstance(strength, int | float) and float(short := f"{strength:g}") == strength:
        return f"{remedy} {short}"
    return f"{remedy} {strength}"


def _remedy(factor: str, name: str, settings: Settings, strength: Any) -> Arm:
    x = float(strength) if isinstance(strength, int | float) and strength is not True else None
    return Arm.of(settings, "remedies", name, factor, "single", x=x, options=factor, reference=BASELINE)


def combined(settings: Settings, chosen: Iterable[Arm]) -> list[Arm]:
    """Return all chosen remedies together, and all but each; nothing where fewer than two are chosen.

    Raises:
        InputError: two of them exclude each other.
    """
    base, chosen = baseline(settings), list(chosen)
    if len(chosen) < 2:
        return []
    joined = _joined(base, chosen)
    arms = [Arm.of(joined, "remedies", TOGETHER, TOGETHER, "together", reference=BASELINE)]
    for left_out in chosen:
        others, name = _joined(base, [arm for arm in chosen if arm is not left_out]), f"all but {left_out.factor}"
        arms.append(Arm.of(others, "remedies", name, left_out.factor, "leave_one_out", reference=TOGETHER))
    return arms


def _joined(base: Settings, arms: list[Arm]) -> Settings:
    changes: dict[str, Any] = {}
    for arm in arms:
        changes |= _difference("model", arm.model, base.model) | _difference("train", arm.train, base.train)
    return with_values(base, changes, "study.remedies, all together")


def _difference(name: str, section: Model | Train, base: Model | Train) -> dict[str, Any]:
    before = base.model_dump()
    return {f"{name}.{key}": value for key, value in section.model_dump().items() if value != before[key]}
