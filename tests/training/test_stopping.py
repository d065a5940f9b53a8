"""Early stopping and cuts of the rate, seed by seed as Keras has them, by one set of rows and by two at once."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from pipeline.data.examples import Examples
from pipeline.errors import InputError
from pipeline.settings import EarlyStopping, Model, Schedule, Train
from pipeline.training.fitted import Fitted
from pipeline.training.model import build_keras, set_weights
from pipeline.training.trainer import fit
from tests.training.runs import DIGITS, EPOCHS, assert_chosen_alike, fit_keras, in_two_halves, settings


def test_each_seed_stops_on_its_own_as_keras_would(digits):
    model, stopping = Model(hidden_units=[32]), EarlyStopping(patience=2, min_delta=0.001)
    train = settings(optimizer="momentum", learning_rate=0.3, epochs=40, early_stopping=stopping)
    fitted = fit(digits, model, train, [0, 1])
    epochs = fitted.history.groupby("seed")["epoch"].max()
    assert epochs.nunique() > 1
    for replica, seed in enumerate(fitted.seeds):
        callback = keras.callbacks.EarlyStopping("val_loss", patience=2, min_delta=0.001)
        fit_keras(digits, model, train, seed, callbacks=[callback])
        assert epochs[seed] == callback.stopped_epoch + 1
        of_seed = fitted.history.query("seed == @seed")
        assert fitted.best_epoch[replica] == of_seed.loc[of_seed["validation_cross_entropy"].idxmin(), "epoch"]


def test_a_stopped_seed_keeps_the_weights_of_its_best_epoch(digits):
    model, stopping = Model(hidden_units=[32]), EarlyStopping(patience=2)
    train = settings(optimizer="momentum", learning_rate=0.1, epochs=40, early_stopping=stopping)
    fitted = fit(digits, model, train, [0, 1])
    rows = digits.val_rows[0]
    for replica in range(2):
        plain = build_keras(model, DIGITS)
        set_weights(plain, {name: value[replica] for name, value in fitted.weights.items()})
        plain.compile(loss="sparse_categorical_crossentropy", run_eagerly=True)
        loss = plain.evaluate(digits.x[rows], digits.y[rows], verbose=0)
        lowest = fitted.history.query("seed == @replica")["validation_cross_entropy"].min()
        assert loss == pytest.approx(lowest, abs=1e-5)


def test_reduce_on_plateau_cuts_the_rate_of_each_seed_as_keras_would(digits):
    model = Model(hidden_units=[32])
    schedule = Schedule(name="plateau", decay=0.5, decay_epochs=1)
    train = settings(optimizer="momentum", learning_rate=0.3, epochs=10, schedule=schedule)
    fitted = fit(digits, model, train, [0, 1])
    for seed in fitted.seeds:
        plateau = keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=1, min_delta=0.0)
        plain = fit_keras(digits, model, train, seed, callbacks=[plateau])
        # Keras logs the rate before the epoch's cut, as the history here does.
        np.testing.assert_allclose(
            fitted.history.query("seed == @seed")["learning_rate"], plain.history.history["learning_rate"], rtol=1e-5
        )
    assert fitted.history["learning_rate"].min() < 0.3


def stopped_by(examples: Examples, rows: str, model: Model, train: Train) -> Fitted:
    """A training that knows one of the halves alone."""
    alone = replace(examples, val_rows=getattr(examples, rows), holdout_rows=np.empty((1, 0), int))
    return fit(alone, model, train, [0, 1, 2])


@pytest.mark.parametrize("patience", [1, 3])
def test_two_sets_of_rows_stop_at_once_as_each_does_alone(digits, patience):
    model = Model(hidden_units=[16], dropout=0.2)
    stopping = EarlyStopping(patience=patience, min_delta=0.002)
    train = settings(optimizer="momentum", learning_rate=0.2, epochs=30, early_stopping=stopping)
    examples = in_two_halves(digits)
    both = fit(examples, model, train, [0, 1, 2])
    by_val, by_holdout = (stopped_by(examples, rows, model, train) for rows in ("val_rows", "holdout_rows"))
    assert (by_val.best_epoch != by_holdout.best_epoch).any()
    assert_chosen_alike(both, by_val)
    assert_chosen_alike(both.by_holdout, by_holdout)
    # Each seed trains as long as the more patient one of the two.
    last, *alone = (fitted.history.groupby("seed")["epoch"].max() for fitted in (both, by_val, by_holdout))
    np.testing.assert_array_equal(last, np.maximum(*alone))
    for ours, theirs in (("validation", by_val), ("holdout", by_holdout)):
        alone = theirs.history[["seed", "epoch", "validation_cross_entropy"]]
        together = alone[["seed", "epoch"]].merge(both.history, how="left")
        np.testing.assert_array_equal(together[f"{ours}_cross_entropy"], alone["validation_cross_entropy"])


def test_without_early_stopping_both_have_the_last_weights_and_a_best_epoch_each(digits):
    model, train, examples = Model(hidden_units=[16]), settings(epochs=8, learning_rate=0.05), in_two_halves(digits)
    both = fit(examples, model, train, [0, 1, 2])
    assert all((value == both.weights[name]).all() for name, value in both.by_holdout.weights.items())
    for chosen, rows in ((both, "val_rows"), (both.by_holdout, "holdout_rows")):
        assert_chosen_alike(chosen, stopped_by(examples, rows, model, train))


def test_without_holdout_rows_nothing_is_chosen_by_them(digits):
    assert fit(digits, Model(hidden_units=[8]), settings(epochs=1), [0]).by_holdout is None


def test_without_validation_rows_the_last_epoch_is_the_best(digits):
    examples = Examples(DIGITS, digits.x, digits.y, digits.train_rows, digits.val_rows[:, :0])
    fitted = fit(examples, Model(hidden_units=[16]), settings(), [0])
    assert fitted.best_epoch.tolist() == [EPOCHS]
    assert "validation_cross_entropy" not in fitted.history


def test_early_stopping_without_validation_rows_is_refused(digits):
    examples = Examples(DIGITS, digits.x, digits.y, digits.train_rows, digits.val_rows[:, :0])
    with pytest.raises(InputError, match=r"train\.early_stopping needs validation rows.*data\.val_fraction"):
        fit(examples, Model(), settings(early_stopping=EarlyStopping()), [0])


def test_nothing_need_be_scored_after_an_epoch(digits):
    examples = Examples(DIGITS, digits.x, digits.y, digits.train_rows, digits.val_rows[:, :0])
    fitted = fit(examples, Model(hidden_units=[16]), settings(train_score_rows=0), [0])
    scored = fit(examples, Model(hidden_units=[16]), settings(), [0])
    assert list(fitted.history) == ["seed", "epoch", "learning_rate"]
    assert all((value == scored.weights[name]).all() for name, value in fitted.weights.items())
