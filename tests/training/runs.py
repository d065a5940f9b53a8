"""Runs of the trainer, and of plain Keras on the same batches, that tests compare."""

from dataclasses import replace

import keras
import numpy as np

from pipeline.data.examples import Examples, Problem
from pipeline.settings import Model, Train
from pipeline.training.batches import epoch_order
from pipeline.training.fitted import Chosen
from pipeline.training.model import build_keras, build_network, initial_weights, set_weights
from pipeline.training.optimizers import make_optimizer

DIGITS = Problem("classification", n_features=64, n_outputs=10)
EPOCHS = 2


def settings(**changes) -> Train:
    return Train(**({"batch_size": 64, "epochs": EPOCHS, "seeds": 1} | changes))


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


def largest_difference(fitted, plain: keras.Model, replica: int = 0) -> float:
    differences = []
    for name, value in fitted.weights.items():
        layer, weight = name.split("/")
        expected = getattr(plain.get_layer(layer), weight).numpy()
        differences.append(np.abs(value[replica] - expected).max())
    return max(differences)


def in_two_halves(examples: Examples) -> Examples:
    """The same with each seed's validation rows of its own, half of them as holdout rows."""
    splits = np.stack([np.random.default_rng(seed).permutation(350) for seed in range(3)])
    return replace(examples, train_rows=splits[:, :250], val_rows=splits[:, 250:300], holdout_rows=splits[:, 300:])


def assert_chosen_alike(chosen: Chosen, expected: Chosen) -> None:
    np.testing.assert_array_equal(chosen.best_epoch, expected.best_epoch)
    assert all((value == expected.weights[name]).all() for name, value in chosen.weights.items())
