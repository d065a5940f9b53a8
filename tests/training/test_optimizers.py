"""Every optimizer by name, and stacked weights stepped as if each seed were alone."""

from typing import get_args

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.choices import OPTIMIZERS, Optimizer
from pipeline.settings import Train
from pipeline.training.optimizers import ALONE, default_learning_rate, make_optimizer, stacked_optimizer

NAMES = get_args(Optimizer)
KERAS = {
    "gd": (keras.optimizers.SGD, {}),
    "sgd": (keras.optimizers.SGD, {}),
    "momentum": (keras.optimizers.SGD, {"momentum": 0.9}),
    "nesterov": (keras.optimizers.SGD, {"momentum": 0.9, "nesterov": True}),
    "adagrad": (keras.optimizers.Adagrad, {}),
    "adadelta": (keras.optimizers.Adadelta, {}),
    "rmsprop": (keras.optimizers.RMSprop, {}),
    "adam": (keras.optimizers.Adam, {}),
    "adamw": (keras.optimizers.AdamW, {}),
    "adamax": (keras.optimizers.Adamax, {}),
    "nadam": (keras.optimizers.Nadam, {}),
    "adafactor": (keras.optimizers.Adafactor, {"epsilon_1": 1e-16}),
    "ftrl": (keras.optimizers.Ftrl, {}),
    "lion": (keras.optimizers.Lion, {}),
    "lamb": (keras.optimizers.Lamb, {}),
    "muon": (keras.optimizers.Muon, {}),
}
SHAPES = [(5, 4), (4,), (4, 2), (2,)]
REPLICAS, STEPS = 3, 4


@pytest.mark.parametrize("name", NAMES)
def test_name_makes_keras_class_with_keras_defaults(name):
    kind, options = KERAS[name]
    optimizer, expected = make_optimizer(Train(optimizer=name)), kind(**options)
    assert type(optimizer) is kind
    left_out = {"name"}
    assert {k: v for k, v in optimizer.get_config().items() if k not in left_out} == {
        k: v for k, v in expected.get_config().items() if k not in left_out
    }
    assert default_learning_rate(Train(optimizer=name)) == pytest.approx(float(expected.learning_rate.numpy()))


def test_facts_about_every_optimizer_are_keras_own():
    assert set(OPTIMIZERS) == set(NAMES)
    for name, facts in OPTIMIZERS.items():
        kind, options = KERAS[name]
        config = kind(**options).get_config()
        assert facts.learning_rate == pytest.approx(config["learning_rate"]), name
        assert facts.has_own_decay == bool(config["weight_decay"]), name
        assert facts.momentum is None or facts.momentum == pytest.approx(config["momentum"]), name


def random_tensors(seed: int) -> list[tf.Tensor]:
    rng = np.random.default_rng(seed)
    return [tf.constant(rng.normal(0, 1, (REPLICAS, *shape)), tf.float32) for shape in SHAPES]


def step_stacked(train: Train, rates: np.ndarray, **strengths: list[float]) -> list[np.ndarray]:
    stacked = stacked_optimizer(train, SHAPES, REPLICAS)
    stacked.assign(stacked.join(random_tensors(0)))
    by_name = {name: tf.constant(values) for name, values in strengths.items()}
    for step, of_step in enumerate(rates, start=1):
        stacked.step(stacked.join(random_tensors(step)), tf.constant(of_step), by_name)
    return [value.numpy() for value in stacked.split(stacked.values())]


def step_alone(optimizer: keras.Optimizer, rates: np.ndarray, replica: int) -> list[np.ndarray]:
    variables = [keras.Variable(value[replica]) for value in random_tensors(0)]
    optimizer.build(variables)
    for step, of_step in enumerate(rates, start=1):
        optimizer.learning_rate = float(of_step[replica])
        optimizer.apply([gradient[replica] for gradient in random_tensors(step)])
    return [variable.numpy() for variable in variables]


def assert_each_as_alone(stacked: list[np.ndarray], optimizers: list[keras.Optimizer], rates: np.ndarray) -> None:
    for replica, optimizer in enumerate(optimizers):
        for among, value in zip(stacked, step_alone(optimizer, rates, replica), strict=True):
            np.testing.assert_allclose(among[replica], value, rtol=1e-4, atol=1e-6, err_msg=f"seed {replica}")


@pytest.fixture
def rates() -> np.ndarray:
    """A rate of its own for each seed and step, as plateaus and schedules give."""
    return np.random.default_rng(9).uniform(0.01, 0.1, (STEPS, REPLICAS)).astype(np.float32)


# Weights as small as these are joined; with at most 8 numbers, all but the first.
@pytest.mark.parametrize(
    ("name", "alone"), [*((name, ALONE) for name in NAMES), ("momentum", 8), ("adam", 8), ("lamb", 8), ("muon", 8)]
)
def test_stacked_steps_equal_each_seed_alone_with_stock_keras(name, alone, rates, monkeypatch):
    monkeypatch.setattr("pipeline.training.optimizers.ALONE", alone)
    kind, options = KERAS[name]
    stacked = step_stacked(Train(optimizer=name), rates)
    assert_each_as_alone(stacked, [kind(**options) for _ in range(REPLICAS)], rates)


@pytest.mark.parametrize("name", ["adam", "lamb", "muon"])
def test_each_seed_has_a_weight_decay_of_its_own(name, rates):
    decays, (kind, options) = [0.0, 0.5, 2.0], KERAS[name]
    stacked = step_stacked(Train(optimizer=name, weight_decay=0.1), rates, weight_decay=decays)
    # Keras' Muon leaves biases to Adam, with a decay that is an option of its own.
    names = ["weight_decay", "adam_weight_decay"] if name == "muon" else ["weight_decay"]
    assert_each_as_alone(stacked, [kind(**options, **dict.fromkeys(names, decay)) for decay in decays], rates)


@pytest.mark.parametrize("name", [name for name, facts in OPTIMIZERS.items() if facts.momentum is not None])
def test_momentum_reaches_the_optimizers_that_have_one(name):
    assert make_optimizer(Train(optimizer=name, momentum=0.3)).momentum == 0.3


def test_weight_decay_and_learning_rate_reach_keras():
    optimizer = make_optimizer(Train(optimizer="adamw", weight_decay=0.2, learning_rate=0.5))
    assert optimizer.weight_decay == 0.2
    assert float(optimizer.learning_rate.numpy()) == 0.5


def test_weight_decay_of_muon_is_also_that_of_its_biases():
    assert make_optimizer(Train(optimizer="muon", weight_decay=0.2)).adam_weight_decay == 0.2


@pytest.mark.parametrize("name", NAMES)
def test_variables_hold_all_that_a_later_step_depends_on(name):
    stacked = stacked_optimizer(Train(optimizer=name), SHAPES, REPLICAS)
    stacked.assign(stacked.join(random_tensors(0)))

    def step(number: int) -> list[np.ndarray]:
        stacked.step(stacked.join(random_tensors(number)), tf.fill(REPLICAS, 0.1), {})
        return [value.numpy() for value in stacked.values()]

    step(1)
    state = [variable.numpy() for variable in stacked.variables]
    step(2)
    expected = step(3)
    for variable, value in zip(stacked.variables, state, strict=True):
        variable.assign(value)
    step(2)
    for again, value in zip(step(3), expected, strict=True):
        np.testing.assert_array_equal(again, value)
