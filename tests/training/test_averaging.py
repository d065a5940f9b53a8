"""Averages of weights, over steps and over epochs, against those that Keras makes or that follow from its weights."""

import keras
import numpy as np
import pytest

from pipeline.data.examples import Examples
from pipeline.settings import EarlyStopping, Model
from pipeline.training.fitted import Fitted
from pipeline.training.model import build_keras, set_weights
from pipeline.training.trainer import fit
from tests.training.runs import DIGITS, fit_keras, largest_difference, settings


def validation_loss(plain: keras.Model, examples: Examples) -> float:
    """Return the cross-entropy of a Keras model on the validation rows."""
    plain.compile(loss="sparse_categorical_crossentropy", run_eagerly=True)
    rows = examples.val_rows[0]
    return plain.evaluate(examples.x[rows], examples.y[rows], verbose=0)


def last_loss(fitted: Fitted, seed: int) -> float:
    """Return the cross-entropy of a seed on the validation rows after its last epoch."""
    history = fitted.history
    return history.loc[history["seed"] == seed, "validation_cross_entropy"].iloc[-1]


def test_weight_averaging_equals_keras_ema(digits):
    model, train = Model(hidden_units=[16]), settings(ema=0.9)
    optimizer = keras.optimizers.Adam(use_ema=True, ema_momentum=0.9)
    plain = fit_keras(digits, model, train, 0, optimizer=optimizer)
    assert largest_difference(fit(digits, model, train, [0]), plain) < 1e-4


class WeightsOfEpochs(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.weights: list[list[np.ndarray]] = []

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(self.model.get_weights())

    def set_mean(self, last: int) -> None:
        self.model.set_weights([np.mean(values, axis=0) for values in zip(*self.weights[-last:], strict=True)])


@pytest.mark.parametrize(("swa", "last", "optimizer"), [(0.01, 1, "adam"), (1.0, 4, "momentum"), (0.6, 2, "lamb")])
def test_stochastic_weight_averaging_is_the_mean_of_the_last_epochs_weights_in_keras(digits, swa, last, optimizer):
    model, train = Model(hidden_units=[16]), settings(epochs=4, swa=swa, optimizer=optimizer)
    fitted, recorder = fit(digits, model, train, [2, 3]), WeightsOfEpochs()
    plain = fit_keras(digits, model, train, 3, callbacks=[recorder])
    recorder.set_mean(last)
    assert largest_difference(fitted, plain, replica=1) < 1e-4
    assert last_loss(fitted, seed=3) == pytest.approx(validation_loss(plain, digits), abs=1e-4)


def test_averaged_weights_have_the_moving_statistics_of_the_network_itself_as_keras_averages_have(digits):
    """Keras' own averages leave moving statistics alone too; the paper takes them anew in a pass over the rows."""
    model, train = Model(hidden_units=[16, 8], batch_norm=True), settings(epochs=4, swa=0.5, optimizer="momentum")
    fitted, recorder = fit(digits, model, train, [2, 3]), WeightsOfEpochs()
    plain = fit_keras(digits, model, train, 3, callbacks=[recorder])
    last = plain.get_weights()
    recorder.set_mean(2)
    statistics = [place for place, variable in enumerate(plain.weights) if "moving_" in variable.path]
    assert len(statistics) == 4
    for place in statistics:
        assert np.abs(plain.get_weights()[place] - last[place]).max() > 1e-3  # their mean would be another
        plain.weights[place].assign(last[place])
    assert largest_difference(fitted, plain, replica=1) < 1e-4
    assert last_loss(fitted, seed=3) == pytest.approx(validation_loss(plain, digits), abs=1e-4)


def test_averages_over_steps_are_averaged_over_epochs_where_both_are_asked_for(digits):
    model, train = Model(hidden_units=[16]), settings(epochs=4, swa=0.5, ema=0.9)
    ends = [fit(digits, model, settings(epochs=epochs, ema=0.9), [0]).weights for epochs in (3, 4)]
    for name, value in fit(digits, model, train, [0]).weights.items():
        np.testing.assert_allclose(value, (ends[0][name] + ends[1][name]) / 2, atol=1e-5)


def test_early_stopping_chooses_among_the_means_as_they_were_after_each_epoch(digits):
    model, stopping = Model(hidden_units=[32]), EarlyStopping(patience=3)
    options = {"optimizer": "momentum", "learning_rate": 0.3, "epochs": 20}
    fitted = fit(digits, model, settings(swa=0.9, early_stopping=stopping, **options), [0, 1, 2])
    assert (fitted.best_epoch > 3).any()
    rows = digits.val_rows[0]
    for replica in range(3):
        plain = build_keras(model, DIGITS)
        set_weights(plain, {name: value[replica] for name, value in fitted.weights.items()})
        plain.compile(loss="sparse_categorical_crossentropy", run_eagerly=True)
        loss = plain.evaluate(digits.x[rows], digits.y[rows], verbose=0)
        of_seed = fitted.history.query("seed == @replica")
        assert loss == pytest.approx(of_seed["validation_cross_entropy"].min(), abs=1e-5)
