"""The comparison of gradient descent, mini-batches and single examples."""

import pytest

from experiments.study.questions.batches import batches
from tests.study.questions.configured import settings


def test_batches_have_equal_epochs_and_equal_updates():
    arms = batches(settings(train={"batch_size": 32}), n=1000)
    read = {(arm.factor, arm.group): arm.read_at for arm in arms}
    assert read == {
        ("gradient descent", "equal_epochs"): 10, ("gradient descent", "equal_updates"): 256,
        ("mini-batches", "equal_epochs"): 10, ("mini-batches", "equal_updates"): 32,
        ("single examples", "equal_epochs"): 10, ("single examples", "equal_updates"): 1,
    }  # fmt: skip
    assert {arm.rows for arm in arms} == {256}
    assert all(arm.train.epochs >= arm.read_at for arm in arms)


@pytest.mark.parametrize(("batch_size", "used"), [(1, 2), (32, 32), (64, 64), (256, 64), (5000, 64)])
def test_mini_batches_are_neither_gradient_descent_nor_single_examples(batch_size, used):
    arms = batches(settings(train={"batch_size": batch_size}), n=1000)
    [mini] = {arm.train for arm in arms if arm.factor == "mini-batches" and arm.x == 0.1 and arm.read_at == 10}
    assert (mini.optimizer, mini.batch_size) == ("sgd", used)
    assert {arm.train.batch_size for arm in arms if arm.factor == "single examples"} == {1}
    assert {arm.train.optimizer for arm in arms if arm.factor == "gradient descent"} == {"gd"}
