"""Seeds and configurations that train together, which are the same runs as alone; divergence; graphs in memory."""

import gc
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from pipeline.data.examples import Examples
from pipeline.settings import EarlyStopping, Model, Schedule, Train
from pipeline.training.replica_group import shared_graph
from pipeline.training.structure import structure, together
from pipeline.training.trainer import fit, fit_together
from tests.training.runs import DIGITS, EPOCHS, settings

EVERYTHING = Model(
    hidden_units=[16], l1=1e-4, l2=1e-4, dropout=0.3, input_dropout=0.1, gaussian_noise=0.2, max_norm=2.0
)


def test_a_seed_among_others_is_the_same_run_as_alone(digits):
    train = settings(clip_norm=1.0, ema=0.9, label_smoothing=0.1)
    among, alone = fit(digits, EVERYTHING, train, [1, 2, 3, 4]), fit(digits, EVERYTHING, train, [3])
    for name, value in alone.weights.items():
        np.testing.assert_allclose(value[0], among.weights[name][2], atol=1e-5)
    scores = among.history.query("seed == 3").reset_index(drop=True)
    np.testing.assert_allclose(scores, alone.history, atol=1e-5)


def test_the_same_seeds_twice_give_equal_bits(digits):
    train = settings(ema=0.9)
    once, again = fit(digits, EVERYTHING, train, [1, 2]), fit(digits, EVERYTHING, train, [1, 2])
    assert all((value == again.weights[name]).all() for name, value in once.weights.items())
    assert once.history.equals(again.history)


def test_seeds_split_over_several_graphs_give_the_same_result(digits, monkeypatch):
    model, train = Model(hidden_units=[16], dropout=0.2), settings()
    together = fit(digits, model, train, [0, 1, 2])
    monkeypatch.setattr("pipeline.training.replica_group.WEIGHTS_PER_GRAPH", 1)
    apart = fit(digits, model, train, [0, 1, 2])
    np.testing.assert_allclose(apart.history, together.history, atol=1e-5)


def test_graphs_are_shared_by_configurations_that_differ_in_strengths_alone(digits):
    strong, weak = Model(hidden_units=[16], l2=0.1, dropout=0.5), Model(hidden_units=[16], l2=1e-4, dropout=0.1)
    alone = fit(digits, weak, settings(learning_rate=0.01), [0]).weights
    fit(digits, strong, settings(learning_rate=0.02), [0])
    again = fit(digits, weak, settings(learning_rate=0.01), [0]).weights
    assert all((alone[name] == again[name]).all() for name in alone)


def test_configurations_of_one_structure_train_together_as_they_would_apart(digits):
    stopping = EarlyStopping(patience=2)
    configurations = [
        (EVERYTHING, settings(epochs=6, ema=0.9, early_stopping=stopping, learning_rate=0.1)),
        (
            EVERYTHING.model_copy(update={"dropout": 0.5, "l2": 0.0, "max_norm": 1.0}),
            settings(epochs=6, ema=0.5, early_stopping=stopping),
        ),
        (
            EVERYTHING.model_copy(update={"initializer": "he_normal"}),
            settings(epochs=6, ema=0.9, early_stopping=stopping, schedule=Schedule(name="cosine")),
        ),
    ]
    assert len({together(*configuration) for configuration in configurations}) == 1
    for fitted, (model, train) in zip(fit_together(digits, configurations, [3, 4]), configurations, strict=True):
        apart = fit(digits, model, train, [3, 4])
        pd.testing.assert_frame_equal(fitted.history, apart.history, rtol=1e-4)
        np.testing.assert_array_equal(fitted.best_epoch, apart.best_epoch)
        for name, value in apart.weights.items():
            np.testing.assert_allclose(fitted.weights[name], value, atol=1e-5)


@pytest.mark.parametrize("train", [{"epochs": 9}, {"batch_size": 16}, {"optimizer": "sgd"}, {"ema": 0.9}], ids=str)
def test_configurations_that_cannot_share_the_steps_of_a_graph_are_told_apart(train):
    assert together(Model(), Train()) != together(Model(), Train(**train))


def test_trainings_on_fewer_and_more_rows_share_a_graph(digits):
    model, train = Model(hidden_units=[11]), settings(epochs=1)
    for rows in (70, 150, 350):
        fit(replace(digits, train_rows=np.arange(rows)[None]), model, train, [0, 1])
    graph = shared_graph(*structure(model, train), DIGITS, 2)
    assert graph.train.experimental_get_tracing_count() == 1


def graphs_in_memory() -> int:
    shared_graph.cache_clear()
    gc.collect()
    return sum(isinstance(item, tf.Graph) for item in gc.get_objects())


def test_graphs_that_are_no_longer_needed_leave_the_memory(digits):
    """Batch normalization, SiLU and Keras' LAMB all have gradients of their own, which TensorFlow keeps for good."""
    counts = []
    for _ in range(3):  # the first training pushes out what those before it have left in caches
        model = Model(hidden_units=[7], batch_norm=True, activation="silu")
        fit(digits, model, settings(epochs=1, optimizer="lamb"), [0, 1])
        counts.append(graphs_in_memory())
    assert counts[1] == counts[2]


def test_a_seed_that_is_not_finite_is_stopped_and_marked_and_the_others_go_on(digits):
    broken = digits.x.copy()
    broken[0] = np.nan  # one row that only seed 0 trains on
    rows = np.arange(1, 250)
    examples = Examples(DIGITS, broken, digits.y, np.stack([np.append(0, rows[1:]), rows]), digits.val_rows)
    fitted = fit(examples, Model(hidden_units=[16]), settings(), [0, 1])
    assert fitted.diverged.tolist() == [True, False]
    assert fitted.history["seed"].value_counts().to_dict() == {0: 1, 1: EPOCHS}
    assert np.isfinite(fitted.weights["output/kernel"][1]).all()


def test_a_seed_that_diverges_with_weights_that_are_still_finite_is_no_model(diabetes):
    train = settings(optimizer="gd", learning_rate=3.0, epochs=60, early_stopping=None)
    fitted = fit(diabetes, Model(hidden_units=[]), train, [0, 1])
    assert fitted.diverged.all()
    assert all(np.isnan(value).all() for value in fitted.weights.values())


def test_seeds_may_have_splits_of_their_own(digits):
    splits = [np.random.default_rng(seed).permutation(350) for seed in range(2)]
    rows = np.stack(splits)
    examples = Examples(DIGITS, digits.x, digits.y, rows[:, :250], rows[:, 250:])
    both = fit(examples, Model(hidden_units=[16]), settings(), [0, 1])
    second = Examples(DIGITS, digits.x, digits.y, rows[1:, :250], rows[1:, 250:])
    alone = fit(second, Model(hidden_units=[16]), settings(), [1])
    np.testing.assert_allclose(both.history.query("seed == 1").reset_index(drop=True), alone.history, atol=1e-5)
