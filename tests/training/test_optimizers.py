"""Every optimizer by name, and stacked weights stepped as if each seed were alone."""

from typing import get_args

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.choices import OPTIMIZERS, Optimizer
from pipeline.settings import Train
from pipeline.training.optimizers import default_learning_rate, make_optimizer, stacked_optimizer

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
SHAPES = {
    "hidden_1/kernel": (3, 5, 4),
    "hidden_1/bias": (3, 1, 4),
    "output/kernel": (3, 4, 2),
    "output/bias": (3, 1, 2),
}
STEPS = 4


def plain_shape(name: str) -> tuple[int, ...]:
    return SHAPES[name][1:] if name.endswith("kernel") else SHAPES[name][2:]


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


def random_arrays(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 1, shape).astype(np.float32) for name, shape in SHAPES.items()}


def step_stacked(train: Train, rates: np.ndarray, max_norm: float | None = None) -> dict[str, np.ndarray]:
    stacked = stacked_optimizer(train, SHAPES, max_norm and tf.constant(max_norm))
    stacked.assign(random_arrays(0))
    for step in range(1, len(rates) + 1):
        stacked.step(stacked.as_tensors(random_arrays(step)), tf.constant(rates[step - 1]))
    return {name: value.numpy() for name, value in stacked.named(stacked.tensors()).items()}


def step_alone(optimizer: keras.Optimizer, rates: np.ndarray, replica: int) -> dict[str, np.ndarray]:
    start = random_arrays(0)
    variables = {
        name: keras.Variable(value[replica].reshape(plain_shape(name)), name=name.replace("/", "_"))
        for name, value in start.items()
    }
    optimizer.build(list(variables.values()))
    for step in range(1, STEPS + 1):
        optimizer.learning_rate = float(rates[step - 1, replica])
        gradients = random_arrays(step)
        optimizer.apply([tf.constant(gradients[n][replica].reshape(plain_shape(n))) for n in variables])
    return {name: variable.numpy() for name, variable in variables.items()}


@pytest.mark.parametrize("name", NAMES)
def test_stacked_steps_equal_each_seed_alone_with_stock_keras(name):
    kind, options = KERAS[name]
    # A rate of its own for each seed and step, as plateaus and schedules give.
    rates = np.random.default_rng(9).uniform(0.01, 0.1, (STEPS, 3)).astype(np.float32)
    stacked = step_stacked(Train(optimizer=name), rates)
    for replica in range(3):
        alone = step_alone(kind(**options), rates, replica)
        for weight, value in alone.items():
            among = stacked[weight][replica].reshape(value.shape)
            np.testing.assert_allclose(among, value, rtol=1e-4, atol=1e-6, err_msg=f"{weight} of seed {replica}")


@pytest.mark.parametrize("name", [name for name, facts in OPTIMIZERS.items() if facts.momentum is not None])
def test_momentum_reaches_the_optimizers_that_have_one(name):
    assert make_optimizer(Train(optimizer=name, momentum=0.3)).momentum == 0.3


def test_weight_decay_and_learning_rate_reach_keras():
    optimizer = make_optimizer(Train(optimizer="adamw", weight_decay=0.2, learning_rate=0.5))
    assert optimizer.weight_decay == 0.2
    assert float(optimizer.learning_rate.numpy()) == 0.5


def test_weight_decay_of_muon_is_also_that_of_its_biases():
    rates = np.full((STEPS, 3), 0.1, np.float32)
    decayed, plain = (step_stacked(Train(optimizer="muon", weight_decay=decay), rates) for decay in (0.5, 0.0))
    for name in SHAPES:
        assert (decayed[name] != plain[name]).all(), name


@pytest.mark.parametrize("name", ["adam", "lamb"])
def test_max_norm_is_keras_own_for_each_seeds_kernels_alone(name):
    limit = 1.2
    limited, free = (
        step_stacked(Train(optimizer=name), np.full((1, 3), 0.1, np.float32), norm) for norm in (limit, None)
    )
    for weight, value in free.items():
        expected = keras.constraints.MaxNorm(limit, axis=-2)(value) if weight.endswith("kernel") else value
        np.testing.assert_allclose(limited[weight], expected, atol=1e-6, err_msg=weight)


@pytest.mark.parametrize("name", NAMES)
def test_variables_hold_all_that_a_later_step_depends_on(name):
    stacked = stacked_optimizer(Train(optimizer=name), SHAPES)
    stacked.assign(random_arrays(0))

    def step(number: int) -> list[np.ndarray]:
        stacked.step(stacked.as_tensors(random_arrays(number)), tf.fill(3, 0.1))
        return [tensor.numpy() for tensor in stacked.tensors()]

    step(1)
    state = [variable.numpy() for variable in stacked.variables]
    step(2)
    expected = step(3)
    for variable, value in zip(stacked.variables, state, strict=True):
        variable.assign(value)
    step(2)
    for again, value in zip(step(3), expected, strict=True):
        np.testing.assert_array_equal(again, value)
