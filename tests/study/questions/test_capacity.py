"""The shapes of the network that a study compares."""

from experiments.study.questions.capacity import capacity
from experiments.study.questions.remedies import combined, remedies
from tests.study.questions.configured import settings


def test_shapes_are_compared_with_the_configured_one():
    _, _, l2, *_ = remedies(settings(), is_classification=True)
    arms = capacity(settings(widths=[2, 8], depths=[1, 2]), l2, "with")
    assert {arm.model.l2 for arm in arms} == {1e-3}
    assert {arm.name: arm.model.hidden_units for arm in arms} == {
        "8-4, with": (8, 4), "2-2, with": (2, 2), "8-8, with": (8, 8), "8, with": (8,),
    }  # fmt: skip
    assert {arm.reference for arm in arms if arm.name != "8-4, with"} == {"8-4, with"}


def test_a_linear_model_is_what_its_other_shapes_are_compared_with():
    linear = settings(model={"hidden_units": []}, widths=[2, 8], depths=[1, 2])
    arms = capacity(linear, remedies(linear, is_classification=True)[0], "without")
    assert {arm.name: arm.model.hidden_units for arm in arms} == {
        "2, without": (2,), "8, without": (8,), "linear, without": (), "32, without": (32,), "32-32, without": (32, 32),
    }  # fmt: skip
    assert {arm.reference for arm in arms} == {"linear, without", None}
    assert [arm.x for arm in arms if arm.reference is None] == [0]


def test_a_remedy_that_is_a_shape_has_no_other_shapes():
    together = combined(settings(), (every := remedies(settings(), is_classification=True))[2:3] + every[-1:])
    assert every[-1].name == "half the width"
    assert capacity(settings(), every[-1], "with") == []
    # Beside others it is left out, so that both curves have the same reference.
    assert {arm.reference for arm in capacity(settings(), together[0], "with")} == {"8-4, with", None}
