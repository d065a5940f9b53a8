"""The optimizers that a study compares, and their learning rates."""

import pytest

from experiments.study.questions.optimizers import optimizers
from tests.study.questions.configured import names, settings


def test_optimizers_stand_at_keras_defaults_and_at_five_rates_around_them():
    every = optimizers(settings(optimizers=["sgd", "momentum"], train={"learning_rate": 0.5}))
    assert names(arm for arm in every if arm.group == "defaults") == [
        "adam, defaults", "momentum, defaults", "sgd, defaults",
    ]  # fmt: skip
    tuned = [arm for arm in every if arm.group == "tuned"]
    rates = {name: [arm.x for arm in tuned if arm.train.optimizer == name] for name in ("adam", "momentum", "sgd")}
    assert rates["adam"] == pytest.approx([1e-4, 10**-3.5, 1e-3, 10**-2.5, 1e-2])
    assert rates["sgd"] == rates["momentum"] == pytest.approx([1e-3, 10**-2.5, 1e-2, 10**-1.5, 1e-1])
    assert all(arm.train.early_stopping for arm in every)
    # The rates of one optimizer compete with each other, and the best is compared with that of the configured one.
    assert {arm.options for arm in tuned} == {"adam, tuned", "momentum, tuned", "sgd, tuned"}
    assert {arm.reference for arm in tuned} == {None, "adam, rate 0.001"}


def test_keras_default_rate_is_one_of_the_five_and_the_same_training():
    every = optimizers(settings(optimizers=["sgd"]))
    default = next(arm for arm in every if arm.name == "sgd, defaults")
    assert next(arm for arm in every if arm.name == "sgd, rate 0.01").train == default.train


@pytest.mark.parametrize(("configured", "left"), [("adam", "adam"), ("adamw", "adamw"), ("sgd", "adam")])
def test_adamw_without_decay_is_adam(configured, left):
    every = optimizers(settings(optimizers=["sgd", "adam", "adamw"], train={"optimizer": configured}))
    assert {arm.train.optimizer for arm in every} == {left, "sgd"}
    assert {arm.train.weight_decay for arm in every if arm.train.optimizer == "adamw"} <= {0.0}
