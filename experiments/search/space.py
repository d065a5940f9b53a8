"""The search space as data: checked against the schema of `params.yaml`, and turned into the settings of a trial.

A setting `model.l2` with a switch is two parameters of the trial, `model.l2.on` and `model.l2`; hidden units are
`model.hidden_units.width` and `model.hidden_units.depth`. This module does not import Optuna: a trial is any object
that has the methods of `Suggests`.
"""

import itertools
import json
import math
from typing import Any, Protocol

from pipeline.errors import InputError, nearest_first
from pipeline.params import with_values
from pipeline.settings import Dimension, Settings, flat

Space = dict[str, Dimension]

ON_OR_OFF = [True, False]
HIDDEN_UNITS = "model.hidden_units"
OPTIMIZER = "train.optimizer"
# These settings have no meaning for a regression.
FOR_CLASSES = ("train.loss", "train.label_smoothing", "train.class_weight")
MOST_POINTS = 100_000  # combinations of a grid
# The search sets these itself.
NOT_SEARCHED = {"train.seeds", "train.epochs", "train.train_score_rows"}


class Suggests(Protocol):
    """The methods of `optuna.trial.Trial` that this module needs."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int: ...

    def suggest_categorical(self, name: str, choices: list[Any]) -> Any: ...


def searchable() -> dict[str, Any]:
    """Return the settings that a space may name, each with its default, which for a regularizer is off."""
    defaults = flat(Settings())
    return {
        name: value
        for name, value in defaults.items()
        if name.split(".")[0] in ("model", "train") and name not in NOT_SEARCHED
    }


def check_space(settings: Settings) -> None:
    """Check every dimension against the schema of the setting that it names.

    Raises:
        InputError: a name that is no setting, an empty range, or a value that the setting may not have.
    """
    space = settings.search.space
    if not space:
        raise InputError("search.space is empty; name at least one setting with its range or choices")
    for name, dimension in space.items():
        place = f"search.space.{name}"
        if name not in searchable():
            raise InputError(f"{place} names no setting that can be searched; those are {_few(name)}")
        if dimension.low is not None and dimension.high is not None and not dimension.low < dimension.high:
            raise InputError(f"{place}: the range is empty, low {dimension.low} is not below high {dimension.high}")
        if dimension.log and not (dimension.low and dimension.low > 0):
            raise InputError(f"{place}: log needs a low above 0, got {dimension.low}")
        if dimension.width and name != HIDDEN_UNITS:
            raise InputError(f"{place}: width and depth are for {HIDDEN_UNITS} alone; give low and high, or choices")
        for value in _values(dimension):
            _check_value(settings, space, name, value, place)
        for other, values in dimension.when.items():
            if other not in space or other == name:
                raise InputError(f"{place}.when names {other}, which must be another setting of search.space")
            for value in values:
                _check_value(settings, space, other, value, f"{place}.when")
    if settings.search.sampler == "grid":
        grid(space)


def grid(space: Space) -> list[dict[str, Any]]:
    """Return every combination of the choices, as parameters of a trial; optimizers take turns.

    Raises:
        InputError: a setting of the space is no plain list of choices, or there are too many combinations.
    """
    axes: dict[str, list[Any]] = {}
    # The last axis changes fastest, so optimizers take turns when theirs is the last.
    for name, dimension in sorted(space.items(), key=lambda item: item[0] == OPTIMIZER):
        if dimension.switch or dimension.when or dimension.low is not None:
            raise InputError(f"search.sampler grid needs plain choices for every setting; search.space.{name} has none")
        axes |= _parameters(name, dimension)
    points = math.prod(len(values) for values in axes.values())
    if points > MOST_POINTS:
        raise InputError(f"search.space has {points} combinations; search.sampler grid allows {MOST_POINTS}")
    return [dict(zip(axes, point, strict=True)) for point in itertools.product(*axes.values())]


def suggest(trial: Suggests, space: Space, settings: Settings) -> Settings:
    """Return the settings of one trial, with the values that it suggests.

    Raises:
        InputError: the values are allowed one by one, but not together.
    """
    chosen: dict[str, Any] = {}
    for name, dimension in _in_order(space):
        is_on = _applies(dimension, chosen) and (
            not dimension.switch or trial.suggest_categorical(f"{name}.on", ON_OR_OFF)
        )
        # Where it is off the configured value does not apply either: Adam, for instance, has no momentum.
        chosen[name] = _suggest_one(trial, name, dimension) if is_on else searchable()[name]
    return with_values(settings, _applicable(chosen), "the trial's settings")


def represent(settings: Settings, space: Space, learning_rate: float) -> dict[str, Any]:
    """Return the trial parameters that stand for `settings`, as far as the space has them.

    Args:
        learning_rate: the rate that a learning rate of null means.
    """
    values = flat(settings)
    values["train.learning_rate"] = values["train.learning_rate"] or learning_rate
    parameters: dict[str, Any] = {}
    for name, dimension in _in_order(space):
        # A setting that is configured as a section is in `values` by its parts only.
        if name not in values or not _applies(dimension, values):
            continue
        value = values[name]
        if dimension.switch:
            parameters[f"{name}.on"] = value != searchable()[name]
            if not parameters[f"{name}.on"]:
                continue
        if dimension.width and dimension.depth:
            if len(set(value)) == 1 and value[0] in dimension.width and len(value) in dimension.depth:
                parameters |= {f"{name}.width": value[0], f"{name}.depth": len(value)}
        elif _contains(dimension, value):
            choices = dimension.choices or [value]
            parameters[name] = _labels(choices)[choices.index(value)]
    return parameters


def record(trial: Suggests, space: Space, known: dict[str, Any]) -> None:
    """Let the trial suggest just the parameters that `represent` returned; their values are fixed beforehand."""
    for name, dimension in _in_order(space):
        if f"{name}.on" in known:
            trial.suggest_categorical(f"{name}.on", ON_OR_OFF)
        for parameter, choices in _parameters(name, dimension).items():
            if parameter in known:
                _draw(trial, parameter, choices, dimension)


def _suggest_one(trial: Suggests, name: str, dimension: Dimension) -> Any:
    drawn = [_draw(trial, *parameter, dimension) for parameter in _parameters(name, dimension).items()]
    if dimension.width:
        return [drawn[0]] * drawn[1]
    return dimension.choices[_labels(dimension.choices).index(drawn[0])] if dimension.choices else drawn[0]


def _parameters(name: str, dimension: Dimension) -> dict[str, list[Any]]:
    """Return the parameters of a trial for a setting, its switch aside, each with its choices; a range has none."""
    if dimension.width and dimension.depth:
        return {f"{name}.width": dimension.width, f"{name}.depth": dimension.depth}
    return {name: _labels(dimension.choices or [])}


def _draw(trial: Suggests, parameter: str, choices: list[Any], dimension: Dimension) -> Any:
    if choices:
        return trial.suggest_categorical(parameter, choices)
    low, high = _values(dimension)
    suggest = trial.suggest_int if isinstance(low, int) and isinstance(high, int) else trial.suggest_float
    return suggest(parameter, low, high, log=dimension.log)


def _labels(choices: list[Any]) -> list[Any]:
    """Return choices as Optuna stores them: lists and sections, such as that of early stopping, as JSON text."""
    return [json.dumps(choice) if isinstance(choice, list | dict) else choice for choice in choices]


def _in_order(space: Space) -> list[tuple[str, Dimension]]:
    """Return the dimensions in an order in which those that others depend on come first."""
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
    low, high = _values(dimension)
    return isinstance(value, int | float) and low <= value <= high


def _values(dimension: Dimension) -> list[Any]:
    if dimension.width and dimension.depth:
        return [[width] * depth for width in dimension.width for depth in dimension.depth]
    return dimension.choices or [dimension.low, dimension.high]


def _check_value(settings: Settings, space: Space, name: str, value: Any, place: str) -> None:
    together = {name: value}
    # A setting that applies only beside some values of another setting is checked beside one of those.
    for other, values in space[name].when.items():
        together[other] = values[0]
    if name == OPTIMIZER:
        together["train.momentum"] = None
    with_values(settings, together, place)


def _few(name: str) -> str:
    return ", ".join(nearest_first(name, searchable()).split(", ")[:4]) + ", ..."
