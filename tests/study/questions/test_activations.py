"""The activations and losses that a study compares."""

from experiments.study.questions.activations import activations
from tests.study.questions.configured import settings


def test_a_regression_has_one_loss_and_a_linear_model_no_activation():
    assert {arm.factor for arm in activations(settings(), is_classification=False)} == {"activation"}
    linear = settings(model={"hidden_units": []})
    assert {arm.factor for arm in activations(linear, is_classification=True)} == {"loss"}
