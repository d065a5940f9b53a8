"""The optimizers that a study compares, and the settings over which each is tuned."""

import pytest

from experiments.study.questions.optimizers import optimizers
from tests.study.questions.configured import names, settings


def test_optimizers_stand_at_keras_defaults_and_at_ten_settings_around_them():
    every = optimizers(settings(optimizers=["sgd", "momentum", "rmsprop"], train={"learning_rate": 0.5}))
    assert names(arm for arm in every if arm.group == "defaults") == [
        "adam, defaults", "momentum, defaults", "rmsprop, defaults", "sgd, defaults",
    ]  # fmt: skip
    tuned = [arm for arm in every if arm.group == "tuned"]
    by_name = {name: [arm for arm in tuned if arm.train.optimizer == name] for name in ("adam", "momentum", "rmsprop")}
    assert all(len(arms) == 10 for arms in by_name.values())
    assert [arm.x for arm in by_name["adam"]] == pytest.approx([1e-3 * 10 ** (k / 4) for k in range(-4, 6)])
    for momentum in (None, 0.99):
        rates = [arm.x for arm in by_name["momentum"] if arm.train.momentum == momentum]
        assert rates == pytest.approx([1e-3, 10**-2.5, 1e-2, 10**-1.5, 1e-1])
    assert {arm.train.momentum for arm in by_name["rmsprop"]} == {None, 0.9}
    assert "momentum, rate 0.01, momentum 0.99" in names(tuned)
    assert all(arm.train.early_stopping for arm in every)
    # The settings of one optimizer compete with each other, and the best is compared with that of the configured one.
    assert {arm.options for arm in tuned} == {f"{name}, tuned" for name in ("adam", "momentum", "rmsprop", "sgd")}
    assert {arm.reference for arm in tuned} == {None, "adam, rate 0.001"}


@pytest.mark.parametrize("configured", ["momentum", "adam"])
def test_what_others_are_compared_with_is_an_arm(configured):
    every = optimizers(settings(optimizers=["sgd"], train={"optimizer": configured}))
    assert {arm.reference for arm in every} - {None} <= set(names(every))


def test_keras_defaults_are_one_of_the_ten_and_the_same_training():
    every = optimizers(settings(optimizers=["sgd"]))
    default = next(arm for arm in every if arm.name == "sgd, defaults")
    assert next(arm for arm in every if arm.name == "sgd, rate 0.01").train == default.train


@pytest.mark.parametrize(("configured", "left"), [("adam", "adam"), ("adamw", "adamw"), ("sgd", "adam")])
def test_adamw_without_decay_is_adam(configured, left):
    every = optimizers(settings(optimizers=["sgd", "adam", "adamw"], train={"optimizer": configured}))
    assert {arm.train.optimizer for arm in every} == {left, "sgd"}
    assert {arm.train.weight_decay for arm in every if arm.train.optimizer == "adamw"} <= {0.0}
