"""Class weights against those of Keras, and among configurations that train together."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from sklearn.utils import compute_class_weight

from pipeline.data.examples import Examples
from pipeline.settings import Model, Train
from pipeline.training.model import build_keras, build_network, initial_weights, set_weights
from pipeline.training.optimizers import make_optimizer
from pipeline.training.structure import together
from pipeline.training.trainer import fit, fit_together
from tests.training.runs import DIGITS, fit_keras, largest_difference, same_batches, settings


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
