"""Which configurations a study compares."""

from typing import get_args

import pytest

from experiments.study import arms
from pipeline.errors import InputError
from pipeline.settings import EarlyStopping, Model, Optimizer, Settings, Study, Train
from pipeline.training.optimizers import make_optimizer

REMEDIES = {"model.l2": [1e-3, 1e-2], "model.batch_norm": [True], "train.early_stopping.patience": [5]}


def settings(model: dict | None = None, train: dict | None = None, **study: object) -> Settings:
    return Settings(
        model=Model(**({"hidden_units": [8, 4]} | (model or {}))),
        train=Train(**({"epochs": 6} | (train or {}))),
        study=Study(**({"remedies": REMEDIES} | study)),
    )


def names(found: list[arms.Arm]) -> list[str]:
    return [arm.name for arm in found]


def test_the_baseline_is_the_configured_model_with_every_regularizer_off():
    regularized = settings(
        model={"l2": 0.1, "dropout": 0.5, "batch_norm": True, "max_norm": 1.0},
        train={"ema": 0.9, "label_smoothing": 0.1, "early_stopping": EarlyStopping(), "learning_rate": 0.02},
    )
    base = arms.baseline(regularized)
    assert base.model == Model(hidden_units=[8, 4])
    assert base.train == Train(epochs=6, learning_rate=0.02)


@pytest.mark.parametrize("optimizer", get_args(Optimizer))
def test_the_baseline_has_no_weight_decay_of_its_optimizer_s_own(optimizer):
    train = arms.baseline(settings(train={"optimizer": optimizer})).train
    assert not make_optimizer(train).weight_decay
    assert not getattr(make_optimizer(train), "adam_weight_decay", None)


def test_a_remedy_is_the_baseline_with_one_setting_changed():
    found = arms.remedies(settings(), is_classification=True)
    assert names(found) == [
        "baseline", "baseline at its best epoch", "L2 0.001", "L2 0.01", "batch normalization", "early stopping",
        "half the width",
    ]  # fmt: skip
    base = found[0]
    assert found[2].model == base.model.model_copy(update={"l2": 1e-3})
    assert found[5].train == base.train.model_copy(update={"early_stopping": EarlyStopping(patience=5)})
    assert found[6].model.hidden_units == (4, 2)


def test_the_baseline_at_its_best_epoch_trains_as_long_and_is_no_remedy():
    base, at_best, *_ = arms.remedies(settings(), is_classification=True)
    assert at_best.train.early_stopping == EarlyStopping(patience=6)
    assert (at_best.group, at_best.reference, at_best.options) == ("best_epoch", "baseline", None)
    assert at_best.model == base.model


def test_each_remedy_has_a_name_of_its_own():
    remedies = {
        "train.early_stopping.patience": [10],
        "train.early_stopping.min_delta": [0.001],
        "model.l2": [0.01, 0.0100000001, 1e-2],
    }
    found = names(arms.remedies(settings(remedies=remedies, half_width=False), is_classification=True))
    assert found == [
        "baseline", "baseline at its best epoch", "early stopping patience 10", "early stopping min delta 0.001",
        "L2 0.01", "L2 0.0100000001",
    ]  # fmt: skip


def test_label_smoothing_is_left_out_where_it_has_no_meaning():
    remedies = {"train.label_smoothing": [0.1]}
    assert "label smoothing 0.1" in names(arms.remedies(settings(remedies=remedies), is_classification=True))
    assert "label smoothing 0.1" not in names(arms.remedies(settings(remedies=remedies), is_classification=False))
    squared = settings(remedies=remedies, train={"loss": "mean_squared_error"})
    assert "label smoothing 0.1" not in names(arms.remedies(squared, is_classification=True))


@pytest.mark.parametrize(
    ("remedies", "told"),
    [
        ({"model.l3": [0.1]}, r"study\.remedies\.model\.l3: unknown setting model\.l3"),
        ({"model.dropout": [1.5]}, r"study\.remedies\.model\.dropout: model\.dropout must be less than 1; got 1\.5"),
        ({"nothing": [1]}, r"study\.remedies\.nothing"),
    ],
)
def test_a_remedy_that_cannot_be_is_told(remedies, told):
    with pytest.raises(InputError, match=told):
        arms.remedies(settings(remedies=remedies), is_classification=True)


def test_all_together_has_every_chosen_remedy_and_each_of_the_others_all_but_one():
    base, _, l2, _, norm, stop, half = arms.remedies(settings(), is_classification=True)
    together, *others = arms.combined(settings(), [l2, norm, stop, half])
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
    assert arms.combined(settings(), arms.remedies(settings(), is_classification=True)[2:3]) == []


def test_each_training_size_is_compared_with_half_of_it():
    base = arms.remedies(settings(), is_classification=True)[0]
    curve = arms.learning_curve(settings(sizes=4), base, "without", n=1150, fewest=200)
    assert [(arm.x, arm.rows) for arm in curve] == [(287, 287), (575, 575), (1150, None)]
    assert [arm.reference for arm in curve] == [None, "287 rows, without", "575 rows, without"]


def test_shapes_are_compared_with_the_configured_one():
    _, _, l2, *_ = arms.remedies(settings(), is_classification=True)
    found = arms.capacity(settings(widths=[2, 8], depths=[1, 2]), l2, "with")
    assert {arm.model.l2 for arm in found} == {1e-3}
    assert {arm.name: arm.model.hidden_units for arm in found} == {
        "8-4, with": (8, 4), "2-2, with": (2, 2), "8-8, with": (8, 8), "8, with": (8,),
    }  # fmt: skip
    assert {arm.reference for arm in found if arm.name != "8-4, with"} == {"8-4, with"}


def test_a_linear_model_is_what_its_other_shapes_are_compared_with():
    linear = settings(model={"hidden_units": []}, widths=[2, 8], depths=[1, 2])
    found = arms.capacity(linear, arms.remedies(linear, is_classification=True)[0], "without")
    assert {arm.name: arm.model.hidden_units for arm in found} == {
        "2, without": (2,), "8, without": (8,), "linear, without": (), "32, without": (32,), "32-32, without": (32, 32),
    }  # fmt: skip
    assert {arm.reference for arm in found} == {"linear, without", None}
    assert [arm.x for arm in found if arm.reference is None] == [0]


def test_a_remedy_that_is_a_shape_has_no_other_shapes():
    together = arms.combined(settings(), (every := arms.remedies(settings(), is_classification=True))[2:3] + every[-1:])
    assert every[-1].name == "half the width"
    assert arms.capacity(settings(), every[-1], "with") == []
    # Beside others it is left out, so that both curves have the same reference.
    assert {arm.reference for arm in arms.capacity(settings(), together[0], "with")} == {"8-4, with", None}


def test_optimizers_stand_at_keras_defaults_and_at_five_rates_around_them():
    every = arms.optimizers(settings(optimizers=["sgd", "momentum"], train={"learning_rate": 0.5}))
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
    every = arms.optimizers(settings(optimizers=["sgd"]))
    default = next(arm for arm in every if arm.name == "sgd, defaults")
    assert next(arm for arm in every if arm.name == "sgd, rate 0.01").train == default.train


@pytest.mark.parametrize(("configured", "left"), [("adam", "adam"), ("adamw", "adamw"), ("sgd", "adam")])
def test_adamw_without_decay_is_adam(configured, left):
    every = arms.optimizers(settings(optimizers=["sgd", "adam", "adamw"], train={"optimizer": configured}))
    assert {arm.train.optimizer for arm in every} == {left, "sgd"}
    assert {arm.train.weight_decay for arm in every if arm.train.optimizer == "adamw"} <= {0.0}


def test_batches_have_equal_epochs_and_equal_updates():
    found = arms.batches(settings(train={"batch_size": 32}), n=1000)
    read = {(arm.factor, arm.group): arm.read_at for arm in found}
    assert read == {
        ("gradient descent", "equal_epochs"): 10, ("gradient descent", "equal_updates"): 256,
        ("mini-batches", "equal_epochs"): 10, ("mini-batches", "equal_updates"): 32,
        ("single examples", "equal_epochs"): 10, ("single examples", "equal_updates"): 1,
    }  # fmt: skip
    assert {arm.rows for arm in found} == {256}
    assert all(arm.train.epochs >= arm.read_at for arm in found)


@pytest.mark.parametrize(("batch_size", "used"), [(1, 2), (32, 32), (64, 64), (256, 64), (5000, 64)])
def test_mini_batches_are_neither_gradient_descent_nor_single_examples(batch_size, used):
    found = arms.batches(settings(train={"batch_size": batch_size}), n=1000)
    [mini] = {arm.train for arm in found if arm.factor == "mini-batches" and arm.x == 0.1 and arm.read_at == 10}
    assert (mini.optimizer, mini.batch_size) == ("sgd", used)
    assert {arm.train.batch_size for arm in found if arm.factor == "single examples"} == {1}
    assert {arm.train.optimizer for arm in found if arm.factor == "gradient descent"} == {"gd"}


def test_a_regression_has_one_loss_and_a_linear_model_no_activation():
    assert {arm.factor for arm in arms.activations(settings(), is_classification=False)} == {"activation"}
    linear = settings(model={"hidden_units": []})
    assert {arm.factor for arm in arms.activations(linear, is_classification=True)} == {"loss"}


def test_the_winner_is_compared_with_the_default_that_the_search_began_with():
    def trial(number: int, rate: float) -> dict:
        found = settings(train={"learning_rate": rate, "epochs": 9})
        return {"trial": number, "settings": {"model": found.model.model_dump(), "train": found.train.model_dump()}}

    search = {"default": trial(0, 0.1), "best": trial(7, 0.3), "incumbents": [trial(0, 0.1), trial(4, 0.2)]}
    found = arms.winner(settings(), search)
    assert names(found) == ["default", "winner", "trial 0", "trial 4"]
    assert [arm.x for arm in found] == [0, 7, 0, 4]
    assert [arm.reference for arm in found] == [None, "default", None, None]
    assert [arm.train.learning_rate for arm in found] == [0.1, 0.3, 0.1, 0.2]
    # A trial is judged by its best epoch, so it keeps that epoch's weights.
    assert {arm.train.early_stopping.patience for arm in found} == {9}


def test_without_a_finished_trial_there_is_no_winner():
    assert arms.winner(settings(), {"best": None, "default": None}) == []
