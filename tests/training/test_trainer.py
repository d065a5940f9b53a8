"""The trainer against `keras.Model.fit`, seeds together against seeds alone, resumed against uninterrupted."""

import gc
from dataclasses import replace
from typing import get_args

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn.datasets import load_diabetes, load_digits
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
)
from sklearn.utils import compute_class_weight

from pipeline.choices import OBJECTIVES, Optimizer, Score
from pipeline.data.examples import Examples, Problem, Split
from pipeline.errors import InputError
from pipeline.settings import EarlyStopping, Model, Schedule, Train
from pipeline.training.batches import epoch_order
from pipeline.training.checks import check_task
from pipeline.training.fitted import Chosen, Fitted
from pipeline.training.model import build_keras, build_network, initial_weights, set_weights
from pipeline.training.optimizers import make_optimizer
from pipeline.training.replica_group import shared_graph
from pipeline.training.structure import structure, together
from pipeline.training.trainer import Epoch, fit, fit_together

DIGITS = Problem("classification", n_features=64, n_outputs=10)
EPOCHS = 2


@pytest.fixture(scope="module")
def digits() -> Examples:
    x, y = load_digits(return_X_y=True)
    x, y = (x / 16).astype(np.float32), y.astype(np.int32)
    # 250 rows: the last of the batches of 64 is not full.
    return Examples.of_splits(DIGITS, Split(x=x[:250], y=y[:250]), Split(x=x[250:350], y=y[250:350]))


@pytest.fixture(scope="module")
def diabetes() -> Examples:
    x, y = load_diabetes(return_X_y=True)
    x, y = (x * 20).astype(np.float32), ((y - y.mean()) / y.std()).astype(np.float32)
    problem = Problem("regression", n_features=10, n_outputs=1, target_scale=77.0)
    parts = [Split(x=x[a:b], y=y[a:b]) for a, b in ((0, 300), (300, 400))]
    return Examples.of_splits(problem, *parts)


def settings(**changes) -> Train:
    return Train(**({"batch_size": 64, "epochs": EPOCHS, "seeds": 1} | changes))


def validation_loss(plain: keras.Model, examples: Examples) -> float:
    """Return the cross-entropy of a Keras model on the validation rows."""
    plain.compile(loss="sparse_categorical_crossentropy", run_eagerly=True)
    rows = examples.val_rows[0]
    return plain.evaluate(examples.x[rows], examples.y[rows], verbose=0)


def last_loss(fitted: Fitted, seed: int) -> float:
    """Return the cross-entropy of a seed on the validation rows after its last epoch."""
    history = fitted.history
    return history.loc[history["seed"] == seed, "validation_cross_entropy"].iloc[-1]


def same_batches(examples: Examples, train: Train, seed: int, one_hot: bool):
    """Return what the trainer gives one seed, batch by batch over all epochs, for `Model.fit`."""
    x, y = examples.x[examples.train_rows[0]], examples.y[examples.train_rows[0]]
    if one_hot:
        y = np.eye(examples.problem.n_outputs, dtype=np.float32)[y]
    for epoch in range(1, train.epochs + 1):
        order = epoch_order(seed, epoch, len(x))
        for start in range(0, len(x), train.batch_size):
            rows = order[start : start + train.batch_size]
            if examples.weights is None:
                yield x[rows], y[rows]
            else:
                weights = examples.weights[examples.train_rows[0]]
                yield x[rows], y[rows], weights[rows] / weights.mean()


def fit_keras(examples: Examples, model: Model, train: Train, seed: int, callbacks=(), **compiled) -> keras.Model:
    plain = build_keras(model, examples.problem)
    set_weights(plain, initial_weights(build_network(model, examples.problem), seed))
    loss = "sparse_categorical_crossentropy" if examples.problem.is_classification else "mean_squared_error"
    one_hot = "loss" in compiled
    # A graph would take longer to trace than it saves in so few steps.
    plain.compile(**({"optimizer": make_optimizer(train), "loss": loss, "run_eagerly": True} | compiled))
    rows = examples.val_rows[0]
    plain.fit(
        same_batches(examples, train, seed, one_hot),
        steps_per_epoch=-(-examples.train_rows.shape[1] // train.batch_size),
        epochs=train.epochs,
        shuffle=False,
        verbose=0,
        validation_data=None if one_hot else (examples.x[rows], examples.y[rows]),
        callbacks=list(callbacks),
    )
    return plain


def fit_keras_by_class(
    examples: Examples, model: Model, train: Train, seed: int, by_class: dict[int, float]
) -> keras.Model:
    """The same with Keras' own class weights, which a generator cannot have."""
    plain = build_keras(model, examples.problem)
    set_weights(plain, initial_weights(build_network(model, examples.problem), seed))
    plain.compile(optimizer=make_optimizer(train), loss="sparse_categorical_crossentropy", run_eagerly=True)
    for x, y in same_batches(examples, train, seed, one_hot=False):
        plain.fit(x, y, class_weight=by_class, batch_size=len(x), shuffle=False, verbose=0)
    return plain


def largest_difference(fitted, plain: keras.Model, replica: int = 0) -> float:
    differences = []
    for name, value in fitted.weights.items():
        layer, weight = name.split("/")
        expected = getattr(plain.get_layer(layer), weight).numpy()
        differences.append(np.abs(value[replica] - expected).max())
    return max(differences)


@pytest.mark.parametrize("optimizer", ["momentum", "adam", "rmsprop"])
def test_one_seed_equals_model_fit_fed_the_same_batches(digits, optimizer):
    model, train = Model(hidden_units=[24, 12]), settings(optimizer=optimizer)
    fitted = fit(digits, model, train, [7])
    assert largest_difference(fitted, fit_keras(digits, model, train, seed=7)) < 1e-4


@pytest.mark.parametrize(
    ("optimizer", "model"),
    [
        ("sgd", {"l1": 1e-3, "l2": 1e-2}),
        ("adam", {"max_norm": 0.7, "activation": "tanh", "initializer": "he_normal"}),
        ("lamb", {"max_norm": 0.7}),
        ("sgd", {"batch_norm": True}),
        ("sgd", {"hidden_units": []}),
        ("adam", {"hidden_units": [16, 16, 8], "skip": True, "layer_norm": True, "activation": "gelu", "l2": 1e-3}),
        ("adam", {"build": "networks/residual.py:build"}),
    ],
    ids=str,
)
def test_regularized_seed_equals_model_fit(digits, optimizer, model):
    model, train = Model(**({"hidden_units": [16]} | model)), settings(optimizer=optimizer)
    fitted, plain = fit(digits, model, train, [2, 3]), fit_keras(digits, model, train, seed=3)
    assert largest_difference(fitted, plain, replica=1) < 1e-4


def test_weighted_rows_equal_model_fit_with_sample_weights(digits):
    weighted = replace(digits, weights=np.random.default_rng(0).uniform(0.2, 3, len(digits.x)).astype(np.float32))
    model, train = Model(hidden_units=[16], dropout=0.0), settings()
    fitted = fit(weighted, model, train, [2, 3])
    assert largest_difference(fitted, fit_keras(weighted, model, train, seed=3), replica=1) < 1e-4


def test_class_weights_equal_those_of_model_fit_but_for_their_mean(digits):
    by_class = {0: 0.5, 3: 4.0, 9: 2.0}
    model, train = Model(hidden_units=[16]), settings(class_weight={str(k): v for k, v in by_class.items()}, epochs=2)
    everywhere = {index: by_class.get(index, 1.0) for index in range(10)}
    mean = np.mean([everywhere[index] for index in digits.y[digits.train_rows[0]]])
    divided = {index: weight / mean for index, weight in everywhere.items()}
    fitted = fit(digits, model, train, [2, 3])
    assert largest_difference(fitted, fit_keras_by_class(digits, model, train, 3, divided), replica=1) < 1e-4
    assert largest_difference(fitted, fit_keras(digits, model, train, seed=3), replica=1) > 1e-2


def test_balanced_class_weights_are_those_of_each_seeds_own_training_rows(digits):
    unequal = np.flatnonzero((digits.y > 4) | (np.arange(len(digits.y)) % 5 == 0))
    splits = np.stack([np.random.default_rng(seed).permutation(unequal)[:150] for seed in range(2)])
    examples = Examples(DIGITS, digits.x, digits.y, splits, digits.val_rows)
    model, train = Model(hidden_units=[16]), settings(class_weight="balanced", epochs=2)
    fitted = fit(examples, model, train, [0, 1])
    for replica in range(2):
        y = digits.y[splits[replica]]
        balanced = dict(enumerate(compute_class_weight("balanced", classes=np.unique(y), y=y)))
        alone = replace(examples, train_rows=splits[replica : replica + 1])
        assert largest_difference(fitted, fit_keras_by_class(alone, model, train, replica, balanced), replica) < 1e-4


def test_class_weights_multiply_the_weights_of_rows_and_leave_the_scores(digits):
    by_class = np.linspace(0.5, 2, 10)
    weights = np.random.default_rng(0).uniform(0.2, 3, len(digits.x)).astype(np.float32)
    train = settings(class_weight={str(index): weight for index, weight in enumerate(by_class)}, epochs=1)
    model = Model(hidden_units=[16])
    both = fit(replace(digits, weights=weights), model, train, [0])
    product = replace(digits, weights=(weights * by_class[digits.y]).astype(np.float32))
    expected = fit(product, model, settings(epochs=1), [0])
    for path, value in expected.weights.items():
        np.testing.assert_allclose(both.weights[path], value, atol=1e-5)
    alone = fit(digits, model, train, [0])
    plain = build_keras(model, DIGITS)
    set_weights(plain, {name: value[0] for name, value in alone.weights.items()})
    plain.compile(loss="sparse_categorical_crossentropy", run_eagerly=True)
    for split, rows in (("train", digits.train_rows[0]), ("validation", digits.val_rows[0])):
        loss = plain.evaluate(digits.x[rows], digits.y[rows], verbose=0)
        assert alone.history[f"{split}_cross_entropy"][0] == pytest.approx(loss, abs=1e-5)


def test_configurations_of_different_class_weights_train_together_as_they_would_apart(digits):
    choices = ["balanced", {"3": 5.0}, {"0": 2.0, "1": 0.1}]
    configurations = [(Model(hidden_units=[16]), settings(class_weight=choice)) for choice in choices]
    assert len({together(*configuration) for configuration in configurations}) == 1
    assert together(Model(), Train(class_weight="balanced")) != together(Model(), Train())
    for fitted, (model, train) in zip(fit_together(digits, configurations, [3, 4]), configurations, strict=True):
        apart = fit(digits, model, train, [3, 4])
        for name, value in apart.weights.items():
            np.testing.assert_allclose(fitted.weights[name], value, atol=1e-5)


def mixed_batches(examples: Examples, train: Train, seed: int):
    """The trainer's batches, mixed as Zhang et al. mix them: rows and targets, one-hot or numbers, with the reverse."""
    for epoch in range(1, train.epochs + 1):
        rows = epoch_order(seed, epoch, examples.train_rows.shape[1])
        starts = range(0, len(rows), train.batch_size)
        shares = np.random.default_rng([seed, 6, epoch]).beta(train.mixup, train.mixup, len(starts))
        for start, share in zip(starts, shares, strict=True):
            batch = examples.train_rows[0][rows[start : start + train.batch_size]]
            x, y = examples.x[batch], examples.y[batch]
            if examples.problem.is_classification:
                y = np.eye(examples.problem.n_outputs)[y]
            yield tuple((share * part + (1 - share) * part[::-1]).astype(np.float32) for part in (x, y))


@pytest.mark.parametrize(
    ("name", "loss", "options"),
    [
        ("digits", keras.losses.CategoricalCrossentropy(), {}),
        ("digits", keras.losses.CategoricalCrossentropy(label_smoothing=0.1), {"label_smoothing": 0.1}),
        ("digits", "mean_squared_error", {"loss": "mean_squared_error"}),
        ("diabetes", "mean_squared_error", {}),
    ],
)
def test_mixup_equals_model_fit_fed_the_mixed_batches(request, name, loss, options):
    examples: Examples = request.getfixturevalue(name)
    model, train = Model(hidden_units=[16]), settings(mixup=0.4, **options)
    fitted = fit(examples, model, train, [2, 3])
    plain = build_keras(model, examples.problem)
    set_weights(plain, initial_weights(build_network(model, examples.problem), 3))
    plain.compile(optimizer=make_optimizer(train), loss=loss, run_eagerly=True)
    for batch in mixed_batches(examples, train, 3):
        plain.train_on_batch(*batch)
    assert largest_difference(fitted, plain, replica=1) < 1e-4
    assert largest_difference(fitted, fit_keras(examples, model, settings(), 3), replica=1) > 5e-3


def test_mixup_of_each_strength_is_the_same_alone_and_among_others(digits):
    weighted = replace(digits, weights=np.random.default_rng(0).uniform(0.2, 3, len(digits.x)).astype(np.float32))
    model = Model(hidden_units=[16], dropout=0.2)
    configurations = [(model, settings(mixup=alpha)) for alpha in (0.1, 1.0)]
    assert together(*configurations[0]) == together(*configurations[1])
    for fitted, (_, train) in zip(fit_together(weighted, configurations, [3, 4]), configurations, strict=True):
        alone = fit(weighted, model, train, [4])
        for name, value in alone.weights.items():
            np.testing.assert_allclose(fitted.weights[name][1], value[0], atol=1e-5)


@pytest.mark.parametrize("name", ["digits", "diabetes"])
def test_a_whole_weight_counts_like_that_many_rows(request, name):
    examples: Examples = request.getfixturevalue(name)
    weights = np.random.default_rng(0).integers(1, 4, len(examples.x))
    repeated = replace(
        examples,
        train_rows=np.repeat(examples.train_rows, weights[examples.train_rows[0]], axis=1),
        val_rows=np.repeat(examples.val_rows, weights[examples.val_rows[0]], axis=1),
    )
    model, train = Model(hidden_units=[8]), settings(optimizer="gd", learning_rate=0.05, train_score_rows=None)
    weighted = fit(replace(examples, weights=weights.astype(np.float32)), model, train, [0, 1])
    expected = fit(repeated, model, train, [0, 1])
    pd.testing.assert_frame_equal(weighted.history, expected.history, rtol=1e-4)
    for path, value in expected.weights.items():
        np.testing.assert_allclose(weighted.weights[path], value, atol=1e-5)


def test_label_smoothing_equals_model_fit(digits):
    model, train = Model(hidden_units=[16]), settings(label_smoothing=0.2)
    plain = fit_keras(digits, model, train, 0, loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.2))
    assert largest_difference(fit(digits, model, train, [0]), plain) < 1e-4


def test_squared_error_on_classes_equals_model_fit(digits):
    model, train = Model(hidden_units=[16]), settings(loss="mean_squared_error")
    plain = fit_keras(digits, model, train, 0, loss="mean_squared_error")
    assert largest_difference(fit(digits, model, train, [0]), plain) < 1e-4


def test_regression_equals_model_fit(diabetes):
    model, train = Model(hidden_units=[16]), settings()
    assert largest_difference(fit(diabetes, model, train, [0]), fit_keras(diabetes, model, train, 0)) < 1e-4


@pytest.mark.parametrize("option", [{"weight_decay": 0.1}, {"learning_rate": 0.05, "momentum": 0.5}], ids=str)
def test_optimizer_options_reach_keras(digits, option):
    model, train = Model(hidden_units=[16]), settings(optimizer="nesterov", **option)
    assert largest_difference(fit(digits, model, train, [0]), fit_keras(digits, model, train, 0)) < 1e-4


def test_clipping_is_of_each_seeds_whole_gradient(digits):
    model, train = Model(hidden_units=[16]), settings(optimizer="sgd", clip_norm=0.1, learning_rate=1.0)
    fitted = fit(digits, model, train, [0, 1])
    for replica, seed in enumerate(fitted.seeds):
        optimizer = keras.optimizers.SGD(1.0, global_clipnorm=0.1)
        assert largest_difference(fitted, fit_keras(digits, model, train, seed, optimizer=optimizer), replica) < 1e-4


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


@pytest.mark.parametrize("optimizer", ["lamb", "muon", "adafactor"])
def test_optimizers_that_mix_a_tensor_treat_each_seed_alone(digits, optimizer):
    model, train = Model(hidden_units=[16]), settings(optimizer=optimizer)
    fitted = fit(digits, model, train, [5, 6])
    assert largest_difference(fitted, fit_keras(digits, model, train, seed=6), replica=1) < 1e-4


@pytest.mark.parametrize("optimizer", get_args(Optimizer))
def test_every_optimizer_trains(digits, optimizer):
    rates = {"adadelta": 1.0, "ftrl": 0.3, "adagrad": 0.05, "gd": 0.5}
    train = settings(optimizer=optimizer, learning_rate=rates.get(optimizer), batch_size=32, epochs=3)
    history = fit(digits, Model(hidden_units=[]), train, [0]).history
    assert history["train_cross_entropy"].iloc[-1] < history["train_cross_entropy"].iloc[0] - 0.01


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


def one_vs_rest(score, y, p, sample_weight):
    """Return scikit-learn's score of each class against the rest, their mean."""
    return np.mean([score(y == k, p[:, k], sample_weight=sample_weight) for k in np.unique(y)])


# By scikit-learn, from targets, what the network puts out, and weights of the rows.
MONITORED = {
    "accuracy": lambda y, p, w: accuracy_score(y, p.argmax(1), sample_weight=w),
    "balanced_accuracy": lambda y, p, w: balanced_accuracy_score(y, p.argmax(1), sample_weight=w),
    "f1": lambda y, p, w: f1_score(y, p.argmax(1), average="macro", sample_weight=w),
    "roc_auc": lambda y, p, w: one_vs_rest(roc_auc_score, y, p, w),
    "average_precision": lambda y, p, w: one_vs_rest(average_precision_score, y, p, w),
    "brier": lambda y, p, w: brier_score_loss(y, p, sample_weight=w, scale_by_half=False),
    "mae": lambda y, p, w: 77 * mean_absolute_error(y, p[:, 0], sample_weight=w),
    "r2": lambda y, p, w: r2_score(y, p[:, 0], sample_weight=w),
}


def monitored_by_scikit_learn(examples: Examples, fitted: Fitted, monitor: str, replica: int) -> float:
    """Return the score on the validation rows of a seed's weights in a plain Keras model."""
    plain, rows = build_keras(Model(hidden_units=[32]), examples.problem), examples.val_rows[0]
    set_weights(plain, {name: value[replica] for name, value in fitted.weights.items()})
    predicted = plain.predict(examples.x[rows], verbose=0)
    return MONITORED[monitor](examples.y[rows], predicted, None if examples.weights is None else examples.weights[rows])


@pytest.mark.parametrize("monitor", get_args(Score))
def test_the_monitored_score_chooses_the_epoch_and_the_weights(digits, diabetes, monitor):
    examples = diabetes if OBJECTIVES[monitor].task == "regression" else digits
    train = settings(
        optimizer="momentum", learning_rate=0.1, epochs=20, early_stopping={"patience": 3}, monitor=monitor
    )
    fitted, column = fit(examples, Model(hidden_units=[32]), train, [0, 1]), f"validation_{monitor}"
    for replica, of_seed in fitted.history.groupby("seed"):
        best = of_seed.loc[of_seed[column].idxmax() if OBJECTIVES[monitor].is_maximized else of_seed[column].idxmin()]
        assert fitted.best_epoch[replica] == best["epoch"]
        assert best["epoch"] == of_seed["epoch"].max() - 3 or of_seed["epoch"].max() == 20
        assert best[column] == pytest.approx(monitored_by_scikit_learn(examples, fitted, monitor, replica), rel=1e-5)


@pytest.mark.parametrize("monitor", get_args(Score))
def test_a_monitored_score_counts_rows_by_their_weights(digits, diabetes, monitor):
    examples = diabetes if OBJECTIVES[monitor].task == "regression" else digits
    weights = np.random.default_rng(0).uniform(0.1, 3, len(examples.y)).astype(np.float32)
    weighted = replace(examples, weights=weights)
    fitted = fit(weighted, Model(hidden_units=[32]), settings(epochs=1, monitor=monitor), [0])
    expected = monitored_by_scikit_learn(weighted, fitted, monitor, 0)
    assert fitted.history[f"validation_{monitor}"].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("monitor", ["accuracy", "roc_auc"])
def test_a_score_of_classes_is_not_monitored_for_numbers(diabetes, monitor):
    refused = rf"train\.monitor {monitor} is for classes, and the target is a number: take one of mae, r2, or null"
    with pytest.raises(InputError, match=refused):
        check_task(settings(monitor=monitor), diabetes.problem)


def test_a_score_of_numbers_is_not_monitored_for_classes(digits):
    with pytest.raises(
        InputError, match=r"train\.monitor mae is for numbers, and the target is one of classes: .* brier"
    ):
        check_task(settings(monitor="mae"), digits.problem)


def test_a_score_that_rows_of_one_class_have_not_is_not_monitored(digits):
    of_one_class = replace(digits, val_rows=digits.val_rows[:, digits.y[digits.val_rows[0]] == 3])
    with pytest.raises(
        InputError, match=r"train\.monitor roc_auc is not defined on validation rows that are all of one"
    ):
        fit(of_one_class, Model(), settings(monitor="roc_auc"), [0])
    fit(of_one_class, Model(), settings(monitor="f1"), [0])


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


def test_scores_are_taken_with_dropout_off_and_penalties_out(digits):
    model = Model(hidden_units=[16], dropout=0.5, l2=0.1)
    fitted = fit(digits, model, settings(epochs=1), [0])
    plain = build_keras(Model(hidden_units=[16]), DIGITS)
    set_weights(plain, {name: value[0] for name, value in fitted.weights.items()})
    plain.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    for split, rows in (("train", digits.train_rows[0]), ("validation", digits.val_rows[0])):
        loss, accuracy = plain.evaluate(digits.x[rows], digits.y[rows], verbose=0)
        assert fitted.history[f"{split}_cross_entropy"][0] == pytest.approx(loss, abs=1e-5)
        assert fitted.history[f"{split}_accuracy"][0] == pytest.approx(accuracy, abs=1e-7)


def test_regression_is_scored_in_the_targets_unit(diabetes):
    history = fit(diabetes, Model(hidden_units=[16]), settings(epochs=30), [0]).history
    last, spread = history.iloc[-1], diabetes.y[diabetes.val_rows[0]].std() * 77
    assert last["validation_r2"] == pytest.approx(1 - (last["validation_rmse"] / spread) ** 2, abs=1e-5)
    assert 40 < last["validation_rmse"] < 77


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


def in_two_halves(examples: Examples) -> Examples:
    """The same with each seed's validation rows of its own, half of them as holdout rows."""
    splits = np.stack([np.random.default_rng(seed).permutation(350) for seed in range(3)])
    return replace(examples, train_rows=splits[:, :250], val_rows=splits[:, 250:300], holdout_rows=splits[:, 300:])


def stopped_by(examples: Examples, rows: str, model: Model, train: Train) -> Fitted:
    """A training that knows one of the halves alone."""
    alone = replace(examples, val_rows=getattr(examples, rows), holdout_rows=np.empty((1, 0), int))
    return fit(alone, model, train, [0, 1, 2])


def assert_chosen_alike(chosen: Chosen, expected: Chosen) -> None:
    np.testing.assert_array_equal(chosen.best_epoch, expected.best_epoch)
    assert all((value == expected.weights[name]).all() for name, value in chosen.weights.items())


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
