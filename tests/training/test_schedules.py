"""Learning rates against Keras' schedules, patience against Keras' early stopping."""

import keras
import numpy as np
import pytest

from pipeline.settings import Schedule
from pipeline.training.schedules import Patience, learning_rates

STEPS, EPOCHS, BASE = 4, 6, 0.1
KERAS = keras.optimizers.schedules


@pytest.mark.parametrize(
    ("schedule", "keras_schedule"),
    [
        (Schedule(name="cosine"), KERAS.CosineDecay(BASE, STEPS * EPOCHS)),
        (
            Schedule(name="cosine", warmup_epochs=2),
            KERAS.CosineDecay(0.0, STEPS * (EPOCHS - 2), warmup_target=BASE, warmup_steps=STEPS * 2),
        ),
        (Schedule(name="cosine_restarts", decay_epochs=2), KERAS.CosineDecayRestarts(BASE, STEPS * 2, t_mul=1.0)),
        (
            Schedule(name="exponential", decay=0.3, decay_epochs=2),
            KERAS.ExponentialDecay(BASE, decay_steps=STEPS * 2, decay_rate=0.3),
        ),
        (
            Schedule(name="step", decay=0.3, decay_epochs=2),
            KERAS.ExponentialDecay(BASE, decay_steps=STEPS * 2, decay_rate=0.3, staircase=True),
        ),
    ],
    ids=["cosine", "cosine after a warm-up", "cosine with restarts", "exponential", "step"],
)
def test_rates_are_those_of_keras(schedule, keras_schedule):
    expected = np.array([float(keras_schedule(step)) for step in range(STEPS * EPOCHS)])
    rates = learning_rates(schedule, BASE, STEPS, EPOCHS).ravel()
    warmup = schedule.warmup_epochs * STEPS
    np.testing.assert_allclose(rates[warmup:], expected[warmup:], rtol=1e-5, atol=1e-9)
    # While it warms up, Keras' first step has the rate 0 and moves nothing; here it has the first share.
    np.testing.assert_allclose(rates[: max(0, warmup - 1)], expected[1:warmup], rtol=1e-5)


def test_constant_is_the_base_at_every_step():
    assert (learning_rates(Schedule(), BASE, STEPS, EPOCHS) == BASE).all()
    assert (learning_rates(Schedule(name="plateau"), BASE, STEPS, EPOCHS) == BASE).all()


@pytest.mark.parametrize("name", ["constant", "cosine", "cosine_restarts", "exponential", "step"])
def test_warm_up_rises_linearly_to_the_base_and_the_schedule_starts_after_it(name):
    schedule = Schedule(name=name, warmup_epochs=2, decay=0.5, decay_epochs=1)
    rates = learning_rates(schedule, BASE, STEPS, EPOCHS)
    np.testing.assert_allclose(rates[:2].ravel(), BASE * np.arange(1, 9) / 8)
    without = learning_rates(schedule.model_copy(update={"warmup_epochs": 0}), BASE, STEPS, EPOCHS - 2)
    np.testing.assert_allclose(rates[2:], without)


def test_warm_up_may_last_the_whole_training():
    rates = learning_rates(Schedule(name="cosine", warmup_epochs=EPOCHS), BASE, STEPS, EPOCHS).ravel()
    assert (np.diff(rates) > 0).all()
    assert rates[-1] == pytest.approx(BASE)


@pytest.mark.parametrize(
    "options",
    [{"patience": 1}, {"patience": 3}, {"patience": 2, "min_delta": 0.05}, {"patience": 2, "start": 5}],
    ids=str,
)
def test_patience_ends_when_keras_early_stopping_does(options):
    patience, min_delta, start = options["patience"], options.get("min_delta", 0.0), options.get("start", 0)
    # Scores that fall, level off and rise again, for many seeds at once.
    rng = np.random.default_rng(0)
    scores = np.abs(np.linspace(-1, 0.5, 30))[:, None] + rng.normal(0, 0.1, (30, 20))
    ours = Patience.of(patience, 20, min_delta, start)
    stopped = np.zeros(20, int)
    for epoch, row in enumerate(scores, start=1):
        stopped = np.where((stopped == 0) & ours.exhausted(epoch, row), epoch, stopped)
    expected = [keras_stops(column, patience, min_delta, start) for column in scores.T]
    assert stopped.tolist() == expected
    assert len(set(expected)) > 3


def keras_stops(scores: np.ndarray, patience: int, min_delta: float, start: int) -> int:
    """The epoch (from 1) after which Keras would stop, 0 for never."""
    callback = keras.callbacks.EarlyStopping(
        "val_loss", patience=patience, min_delta=min_delta, start_from_epoch=start, mode="min"
    )
    callback.set_model(keras.Sequential())
    callback.model.stop_training = False
    callback.on_train_begin()
    for epoch, score in enumerate(scores):
        callback.on_epoch_end(epoch, {"val_loss": score})
        if callback.model.stop_training:
            return epoch + 1
    return 0


def test_score_that_is_not_a_number_is_no_improvement():
    patience = Patience.of(2, 1)
    exhausted = [
        bool(patience.exhausted(epoch, np.array([score]))[0]) for epoch, score in enumerate([1, np.nan, np.nan], 1)
    ]
    assert exhausted == [False, False, True]
