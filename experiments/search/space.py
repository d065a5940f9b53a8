"""The search space as data: checked against the schema of `params.yaml`, and turned into the settings of a trial.

A setting `model.l2` with a switch is two parameters of the trial, `model.l2.on` and `model.l2`; hidden units are
`model.hidden_units.width` and `model.hidden_units.depth`. It knows no Optuna: a trial is anything that can suggest.
"""

import itertools
import json
from collections.abc import Iterator
from typing import Any, Protocol

from pipeline.errors import InputError, nearest_first
from pipeline.settings import Dimension, Settings, flat, with_values

Space = dict[str, Dimension]

HIDDEN_UNITS = "model.hidden_units"
OPTIMIZER = "train.optimizer"
# They have no meaning for numbers to be predicted.
FOR_CLASSES = ("train.loss", "train.label_smoothing")
# What the search sets itself.
NOT_SEARCHED = {"train.seeds", "train.epochs", "train.train_score_rows"}


class Suggests(Protocol):
    """The part of `optuna.trial.Trial` that is needed."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int: ...

    def suggest_categorical(self, name: str, choices: list[Any]) -> Any: ...


def searchable() -> dict[str, Any]:
    """The settings that a space may name, each with its default, which for a regularizer is off."""
    every = flat(Settings())
    return {
        name: value
        for name, value in every.items()
        if name.split(".")[0] in ("model", "train") and name not in NOT_SEARCHED
    }


def gives_equal_budgets(settings: Settings) -> bool:
    """Whether the search tries every optimizer that it has trials of equally often."""
    search, dimension = settings.search, settings.search.space.get(OPTIMIZER)
    if search.balance == "none" or search.sampler == "grid" or dimension is None or not dimension.choices:
        return False
    # One that is not among the choices has the first trial alone.
    return settings.train.optimizer in dimension.choices


def check_space(settings: Settings) -> None:
    """Hold every dimension to the schema of the setting that it names.

    Raises:
        InputError: a name that is no setting, an empty range, or a value that the setting may not have.
    """
    space = settings.search.space
    if not space:
        raise InputError("search.space is empty; name at least one setting with its range or choices")
    for name, dimension in space.items():
        where = f"search.space.{name}"
        if name not in searchable():
            raise InputError(f"{where} names no setting that can be searched; those are {_few(name)}")
        if dimension.low is not None and not dimension.low < dimension.high:
            raise InputError(f"{where}: the range is empty, low {dimension.low} is not below high {dimension.high}")
        if dimension.log and not (dimension.low and dimension.low > 0):
            raise InputError(f"{where}: log needs a low above 0, got {dimension.low}")
        if dimension.width and name != HIDDEN_UNITS:
            raise InputError(f"{where}: width and depth are for {HIDDEN_UNITS} alone; give low and high, or choices")
        for value in _values(dimension):
            _check_value(settings, space, name, value, where)
        for other, values in dimension.when.items():
            if other not in space or other == name:
                raise InputError(f"{where}.when names {other}, which must be another setting of search.space")
            for value in values:
                _check_value(settings, space, other, value, f"{where}.when")
    if settings.search.sampler == "grid":
        grid(space)


def grid(space: Space) -> list[dict[str, Any]]:
    """Every combination of the choices, as parameters of a trial; optimizers take turns.

    Raises:
        InputError: a setting of the space is no plain list of choices.
    """
    axes: dict[str, list[Any]] = {}
    # What comes last changes fastest.
    for name, dimension in sorted(space.items(), key=lambda item: item[0] == OPTIMIZER):
        if dimension.switch or dimension.when or dimension.low is not None:
            raise InputError(f"search.sampler grid needs plain choices for every setting; search.space.{name} has none")
        if dimension.width:
            axes |= {f"{name}.width": dimension.width, f"{name}.depth": dimension.depth}
        else:
            axes[name] = _labels(dimension)
    return [dict(zip(axes, point, strict=True)) for point in itertools.product(*axes.values())]


def suggest(trial: Suggests, space: Space, settings: Settings) -> Settings:
    """The settings of one trial.

    Raises:
        InputError: values that are each allowed, but not together.
    """
    chosen: dict[str, Any] = {}
    for name, dimension in _in_order(space):
        if not _applies(dimension, chosen):  # nor does what is configured: momentum is none of Adam's settings
            chosen[name] = searchable()[name]
            continue
        if dimension.switch and not _suggest_parameter(trial, f"{name}.on", dimension):
            chosen[name] = searchable()[name]
            continue
        chosen[name] = _suggest_one(trial, name, dimension)
    return with_values(settings, _applicable(chosen), "the trial's settings")


def represent(settings: Settings, space: Space, learning_rate: float) -> dict[str, Any]:
    """The trial parameters that stand for `settings`, as far as the space has them.

    Args:
        learning_rate: what a learning rate of null means.
    """
    values = flat(settings)
    values["train.learning_rate"] = values["train.learning_rate"] or learning_rate
    found: dict[str, Any] = {}
    for name, dimension in _in_order(space):
        # A section has no value of its own where it is configured.
        if name not in values or not _applies(dimension, values):
            continue
        value = values[name]
        if dimension.switch:
            found[f"{name}.on"] = value != searchable()[name]
            if not found[f"{name}.on"]:
                continue
        if dimension.width:
            if len(set(value)) == 1 and value[0] in dimension.width and len(value) in dimension.depth:
                found |= {f"{name}.width": value[0], f"{name}.depth": len(value)}
        elif _contains(dimension, value):
            found[name] = _labels(dimension)[dimension.choices.index(value)] if dimension.choices else value
    return found


def record(trial: Suggests, space: Space, known: dict[str, Any]) -> None:
    """Let the trial suggest just the parameters that `represent` found; their values are fixed beforehand."""
    for name, dimension in _in_order(space):
        for parameter in _parameters(name, dimension):
            if parameter in known:
                _suggest_parameter(trial, parameter, dimension)


def _suggest_one(trial: Suggests, name: str, dimension: Dimension) -> Any:
    if dimension.width:
        width = _suggest_parameter(trial, f"{name}.width", dimension)
        return [width] * _suggest_parameter(trial, f"{name}.depth", dimension)
    return _suggest_parameter(trial, name, dimension)


def _suggest_parameter(trial: Suggests, parameter: str, dimension: Dimension) -> Any:
    part = parameter.rpartition(".")[2]
    if part == "on":
        return trial.suggest_categorical(parameter, [True, False])
    if dimension.width:
        return trial.suggest_categorical(parameter, getattr(dimension, part))
    if dimension.choices:
        labels = _labels(dimension)
        return dimension.choices[labels.index(trial.suggest_categorical(parameter, labels))]
    if isinstance(dimension.low, int) and isinstance(dimension.high, int):
        return trial.suggest_int(parameter, dimension.low, dimension.high, log=dimension.log)
    return trial.suggest_float(parameter, dimension.low, dimension.high, log=dimension.log)


def _labels(dimension: Dimension) -> list[Any]:
    """The choices as a trial has them: layers, or a section such as that of early stopping, as text.

    Optuna draws and keeps plain values.
    """
    return [json.dumps(choice) if isinstance(choice, list | dict) else choice for choice in dimension.choices]


def _parameters(name: str, dimension: Dimension) -> Iterator[str]:
    if dimension.switch:
        yield f"{name}.on"
    if dimension.width:
        yield from (f"{name}.width", f"{name}.depth")
    else:
        yield name


def _in_order(space: Space) -> list[tuple[str, Dimension]]:
    """What others depend on first."""
    return sorted(space.items(), key=lambda item: bool(item[1].when))


def _applies(dimension: Dimension, chosen: dict[str, Any]) -> bool:
    return all(chosen.get(name) in values for name, values in dimension.when.items())


def _applicable(chosen: dict[str, Any]) -> dict[str, Any]:
    # Label smoothing has no meaning for a squared error; where both are searched it gives way.
    if chosen.get("train.loss") == "mean_squared_error":
        return chosen | {"train.label_smoothing": 0.0}
    return chosen


def _contains(dimension: Dimension, value: Any) -> bool:
    if dimension.choices:
        return value in dimension.choices
    return isinstance(value, int | float) and dimension.low <= value <= dimension.high


def _values(dimension: Dimension) -> list[Any]:
    if dimension.width:
        return [[width] * depth for width in dimension.width for depth in dimension.depth]
    return dimension.choices or [dimension.low, dimension.high]


def _check_value(settings: Settings, space: Space, name: str, value: Any, where: str) -> None:
    together = {name: value}
    # A setting that has a meaning for some values of another is checked beside one of those.
    for other, values in space[name].when.items():
        together[other] = values[0]
    if name == OPTIMIZER:
        together["train.momentum"] = None
    with_values(settings, together, where)


def _few(name: str) -> str:
    return ", ".join(nearest_first(name, searchable()).split(", ")[:4]) + ", ..."
