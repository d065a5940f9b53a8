"""The remedies that a study compares, alone and together."""

import pytest

from experiments.study.questions.remedies import combined, remedies
from pipeline.errors import InputError
from pipeline.settings import EarlyStopping
from tests.study.questions.configured import names, settings


def test_a_remedy_is_the_baseline_with_one_setting_changed():
    arms = remedies(settings(), is_classification=True)
    assert names(arms) == [
        "baseline", "baseline at its best epoch", "L2 0.001", "L2 0.01", "batch normalization", "early stopping",
        "half the width",
    ]  # fmt: skip
    base = arms[0]
    assert arms[2].model == base.model.model_copy(update={"l2": 1e-3})
    assert arms[5].train == base.train.model_copy(update={"early_stopping": EarlyStopping(patience=5)})
    assert arms[6].model.hidden_units == (4, 2)


def test_the_baseline_at_its_best_epoch_trains_as_long_and_is_no_remedy():
    base, at_best, *_ = remedies(settings(), is_classification=True)
    assert at_best.train.early_stopping == EarlyStopping(patience=6)
    assert (at_best.group, at_best.reference, at_best.options) == ("best_epoch", "baseline", None)
    assert at_best.model == base.model


def test_each_remedy_has_a_name_of_its_own():
    strengths = {
        "train.early_stopping.patience": [10],
        "train.early_stopping.min_delta": [0.001],
        "model.l2": [0.01, 0.0100000001, 1e-2],
    }
    arms = names(remedies(settings(remedies=strengths, half_width=False), is_classification=True))
    assert arms == [
        "baseline", "baseline at its best epoch", "early stopping patience 10", "early stopping min delta 0.001",
        "L2 0.01", "L2 0.0100000001",
    ]  # fmt: skip


def test_class_weights_go_by_that_name_alone_where_there_is_one_choice():
    def arms(*choices: object) -> list[str]:
        strengths = {"train.class_weight": list(choices)}
        return names(remedies(settings(remedies=strengths, half_width=False), is_classification=True))[2:]

    assert arms("balanced") == ["class weights"]
    assert arms("balanced", {"yes": 5}) == ["class weights balanced", "class weights yes=5"]


def test_ways_of_training_are_remedies_of_their_own():
    strengths = {"train.mixup": [0.2], "train.swa": [0.25], "train.ema": [0.99]}
    base, _, *alone = remedies(settings(remedies=strengths, half_width=False), is_classification=True)
    assert names(alone) == ["mixup 0.2", "stochastic weight averaging 0.25", "weight averaging 0.99"]
    together, *_ = combined(settings(train={"mixup": 1.0, "swa": 0.5}), alone)
    assert (together.train.mixup, together.train.swa, together.train.ema) == (0.2, 0.25, 0.99)
    assert (base.train.mixup, base.train.swa) == (None, None)


def test_piecewise_linear_inputs_are_a_remedy_that_the_baseline_keeps_where_they_are_configured():
    strengths = {"model.bins": [8, 16], "model.l2": [0.1]}
    base, _, *alone = remedies(settings(remedies=strengths, half_width=False), is_classification=True)
    assert names(alone) == ["piecewise-linear inputs 8", "piecewise-linear inputs 16", "L2 0.1"]
    assert (base.model.bins, alone[1].model) == (None, base.model.model_copy(update={"bins": 16}))
    assert [arm.x for arm in alone[:2]] == [8.0, 16.0]
    configured = remedies(settings(model={"bins": 4}, remedies={"model.l2": [0.1]}), is_classification=True)
    assert {arm.model.bins for arm in configured} == {4}


def test_transformed_inputs_are_remedies_and_exclude_bins():
    strengths = {"model.inputs": ["quantile", "robust"], "model.bins": [8]}
    _, _, *alone = remedies(settings(remedies=strengths, half_width=False), is_classification=True)
    assert names(alone) == ["transformed inputs quantile", "transformed inputs robust", "piecewise-linear inputs 8"]
    assert [arm.model.inputs for arm in alone] == ["quantile", "robust", None]
    with pytest.raises(InputError, match=r"study\.remedies, all together: model\.inputs must be null with model\.bins"):
        combined(settings(), alone[1:])


def test_label_smoothing_is_left_out_where_it_has_no_meaning():
    strengths = {"train.label_smoothing": [0.1]}
    assert "label smoothing 0.1" in names(remedies(settings(remedies=strengths), is_classification=True))
    assert "label smoothing 0.1" not in names(remedies(settings(remedies=strengths), is_classification=False))
    squared = settings(remedies=strengths, train={"loss": "mean_squared_error"})
    assert "label smoothing 0.1" not in names(remedies(squared, is_classification=True))


@pytest.mark.parametrize(
    ("strengths", "message"),
    [
        ({"model.l3": [0.1]}, r"study\.remedies\.model\.l3: unknown setting model\.l3"),
        ({"model.dropout": [1.5]}, r"study\.remedies\.model\.dropout: model\.dropout must be less than 1; got 1\.5"),
        ({"nothing": [1]}, r"study\.remedies\.nothing"),
    ],
)
def test_a_remedy_that_cannot_be_is_told(strengths, message):
    with pytest.raises(InputError, match=message):
        remedies(settings(remedies=strengths), is_classification=True)


def test_all_together_has_every_chosen_remedy_and_each_of_the_others_all_but_one():
    base, _, l2, _, norm, stop, half = remedies(settings(), is_classification=True)
    together, *others = combined(settings(), [l2, norm, stop, half])
    assert (together.model.l2, together.model.batch_norm, together.model.hidden_units) == (1e-3, True, (4, 2))
    assert together.train.early_stopping == EarlyStopping(patience=5)
    assert together.reference == "baseline"
    assert names(others) == [
        "all but L2",
        "all but batch normalization",
        "all but early stopping",
        "all but half the width",
    ]
    assert others[0].model.l2 == 0 and others[0].model.batch_norm
    assert others[3].model.hidden_units == base.model.hidden_units
    assert {arm.reference for arm in others} == {"all together"}


def test_one_remedy_alone_cannot_be_combined():
    assert combined(settings(), remedies(settings(), is_classification=True)[2:3]) == []
