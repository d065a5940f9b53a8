"""The search space: held to the schema, and turned into settings."""

from pathlib import Path
from typing import Any

import pytest

from experiments.search import space
from pipeline.errors import InputError
from pipeline.params import parse_settings, read_settings
from pipeline.settings import Settings

DEFAULT = read_settings(Path(__file__).parents[2] / "params.yaml").model_dump()["search"]["space"]
LEARNING_RATE = {"low": 1e-3, "high": 0.1, "log": True}


class Fixed:
    """A trial that takes what it is told, and else the lowest or the first."""

    def __init__(self, **values: Any):
        self.values, self.asked = {name.replace("__", "."): value for name, value in values.items()}, []

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        self.asked.append(name)
        return self.values.get(name, low)

    suggest_int = suggest_float

    def suggest_categorical(self, name: str, choices: list[Any]) -> Any:
        self.asked.append(name)
        return self.values.get(name, choices[0])


def settings(dimensions: dict[str, Any], **sections: Any) -> Settings:
    search = {"space": dimensions} | sections.pop("search", {})
    return parse_settings({"search": search, **sections})


def suggested(trial: Fixed, dimensions: dict[str, Any], **sections: Any) -> Settings:
    start = settings(dimensions, **sections)
    return space.suggest(trial, start.search.space, start)


@pytest.mark.parametrize(
    ("dimensions", "told"),
    [
        ({}, "search.space is empty"),
        (
            {"train.learning_rat": LEARNING_RATE},
            "train.learning_rat names no setting that can be searched; those are train.learning_rate",
        ),
        ({"train.seeds": {"choices": [1, 2]}}, "search.space.train.seeds names no setting"),
        ({"train.learning_rate": {"low": 0.1, "high": 0.1}}, "the range is empty, low 0.1 is not below high 0.1"),
        ({"train.learning_rate": {"low": 0, "high": 0.1, "log": True}}, "log needs a low above 0, got 0"),
        ({"train.batch_size": {"choices": [8, 16], "log": True}}, "batch_size has log, which is for low and high"),
        (
            {"model.dropout": {"low": 0.5, "high": 1.5}},
            "search.space.model.dropout: model.dropout must be less than 1; got 1.5",
        ),
        ({"train.batch_size": {"low": 0, "high": 8}}, "train.batch_size must be greater than or equal to 1; got 0"),
        ({"train.batch_size": {"low": 1.5, "high": 8.5}}, "train.batch_size must be a valid integer"),
        ({"train.optimizer": {"choices": ["adam", "adan"]}}, "train.optimizer must be one of adam"),
        ({"model.l2": {"width": [1], "depth": [1]}}, "width and depth are for model.hidden_units alone"),
        (
            {"model.l2": LEARNING_RATE | {"when": {"model.l1": [0.1]}}},
            "when names model.l1, which must be another setting",
        ),
    ],
)
def test_wrong_space_is_one_line(dimensions, told):
    with pytest.raises(InputError) as raised:
        space.check_space(settings(dimensions))
    assert told in str(raised.value)


def test_grid_needs_choices():
    with pytest.raises(
        InputError, match=r"grid needs plain choices for every setting; search.space.train.learning_rate"
    ):
        space.check_space(settings({"train.learning_rate": LEARNING_RATE}, search={"sampler": "grid"}))


def test_grid_lets_the_optimizers_take_turns():
    dimensions = {
        "train.optimizer": {"choices": ["sgd", "adam"]},
        "model.hidden_units": {"width": [8, 16], "depth": [1]},
    }
    points = space.grid(settings(dimensions).search.space)
    assert [point["train.optimizer"] for point in points] == ["sgd", "adam"] * 2
    assert {point["model.hidden_units.width"] for point in points} == {8, 16}


def test_switch_off_is_the_default_and_asks_no_strength():
    trial = Fixed(**{"model__l2__on": False})
    found = suggested(trial, {"model.l2": LEARNING_RATE | {"switch": True}}, model={"l2": 0.5})
    assert found.model.l2 == 0.0
    assert trial.asked == ["model.l2.on"]


def test_setting_with_a_condition_is_asked_only_under_it():
    dimensions = {
        "train.momentum": {"low": 0.5, "high": 0.9, "when": {"train.optimizer": ["momentum"]}},
        "train.optimizer": {"choices": ["momentum", "adam"]},
    }
    space.check_space(settings(dimensions))
    assert suggested(Fixed(train__optimizer="momentum"), dimensions).train.momentum == 0.5
    trial = Fixed(train__optimizer="adam")
    assert suggested(trial, dimensions).train.momentum is None
    assert trial.asked == ["train.optimizer"]


@pytest.mark.parametrize("optimizer", DEFAULT["train.optimizer"]["choices"])
def test_configured_momentum_is_not_that_of_trials_with_another_optimizer(optimizer):
    configured = {"optimizer": "momentum", "momentum": 0.95}
    found = suggested(Fixed(train__optimizer=optimizer, train__momentum=0.7), DEFAULT, train=configured).train
    assert (found.optimizer, found.momentum) == (optimizer, 0.7 if optimizer in ("momentum", "nesterov") else None)


def test_width_and_depth_make_equal_layers():
    dimensions = {"model.hidden_units": {"width": [16, 32], "depth": [1, 3]}}
    trial = Fixed(model__hidden_units__width=32, model__hidden_units__depth=3)
    assert suggested(trial, dimensions).model.hidden_units == (32, 32, 32)


def test_what_the_space_holds_of_a_configuration_stands_for_it():
    dimensions = {
        "train.learning_rate": LEARNING_RATE,
        "train.batch_size": {"choices": [32, 64]},
        "model.hidden_units": {"width": [16], "depth": [1, 2]},
        "model.l2": LEARNING_RATE | {"switch": True},
        "model.dropout": {"low": 0.1, "high": 0.5, "switch": True},
    }
    start = settings(dimensions, model={"hidden_units": [16, 16], "dropout": 0.2})
    assert space.represent(start, start.search.space, learning_rate=0.01) == {
        "train.learning_rate": 0.01,
        "model.hidden_units.width": 16,
        "model.hidden_units.depth": 2,
        "model.l2.on": False,
        "model.dropout.on": True,
        "model.dropout": 0.2,
    }  # the batch size of 128 is not among the choices


def test_what_represents_a_configuration_gives_it_back():
    dimensions = {"train.learning_rate": LEARNING_RATE, "model.l2": LEARNING_RATE | {"switch": True}}
    start = settings(dimensions, train={"learning_rate": 0.05}, model={"l2": 0.01})
    known = space.represent(start, start.search.space, 0.001)
    trial = Fixed(**{name.replace(".", "__"): value for name, value in known.items()})
    assert space.suggest(trial, start.search.space, start) == start


def test_layers_are_drawn_as_text_and_given_as_lists():
    dimensions = {"model.hidden_units": {"choices": [[32], [64, 32]]}, "train.optimizer": {"choices": ["adam", "sgd"]}}
    trial = Fixed(model__hidden_units="[64, 32]")
    assert suggested(trial, dimensions).model.hidden_units == (64, 32)
    start = settings(dimensions, model={"hidden_units": [64, 32]}, search={"sampler": "grid"})
    known = space.represent(start, start.search.space, 0.001)
    assert known == {"model.hidden_units": "[64, 32]", "train.optimizer": "adam"}
    assert known in space.grid(start.search.space)
