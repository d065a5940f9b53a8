"""Interrupted trainings, which go on to the weights of uninterrupted ones."""

import pytest

from pipeline.settings import EarlyStopping, Model, Schedule
from pipeline.training.trainer import Epoch, fit
from tests.training.runs import assert_chosen_alike, in_two_halves, settings


class Interrupted(Exception):
    pass


def stop_after(epoch: int, states: list):
    def callback(event: Epoch):
        if event.number == epoch:
            states.append(event.state())
            raise Interrupted

    return callback


@pytest.mark.parametrize("optimizer", ["momentum", "nadam", "lamb"])
def test_resumed_training_ends_with_the_weights_of_an_uninterrupted_one(digits, optimizer):
    model = Model(hidden_units=[16], dropout=0.3, batch_norm=True)
    train = settings(
        optimizer=optimizer,
        epochs=6,
        ema=0.9,
        swa=0.9,
        mixup=0.2,
        class_weight="balanced",
        schedule=Schedule(name="plateau", decay_epochs=1),
        early_stopping=EarlyStopping(patience=2),
    )
    whole, states = fit(digits, model, train, [0, 1]), []
    with pytest.raises(Interrupted):
        fit(digits, model, train, [0, 1], [stop_after(3, states)])
    resumed = fit(digits, model, train, [0, 1], resume=states[0])
    assert resumed.history.equals(whole.history)
    assert all((value == resumed.weights[name]).all() for name, value in whole.weights.items())


def test_a_training_that_two_sets_of_rows_stop_is_resumed_to_the_same_weights(digits):
    model, examples = Model(hidden_units=[16]), in_two_halves(digits)
    train = settings(optimizer="momentum", learning_rate=0.2, epochs=12, early_stopping=EarlyStopping(patience=1))
    whole = fit(examples, model, train, [0, 1, 2])
    for epoch in (1, int(whole.best_epoch.min()) + 1):
        states: list = []
        with pytest.raises(Interrupted):
            fit(examples, model, train, [0, 1, 2], [stop_after(epoch, states)])
        resumed = fit(examples, model, train, [0, 1, 2], resume=states[0])
        assert_chosen_alike(resumed, whole)
        assert_chosen_alike(resumed.by_holdout, whole.by_holdout)
        assert resumed.history.equals(whole.history)
