"""Mixup against `keras.Model.fit` on batches that are mixed beforehand."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from pipeline.data.examples import Examples
from pipeline.settings import Model, Train
from pipeline.training.batches import epoch_order
from pipeline.training.model import build_keras, build_network, initial_weights, set_weights
from pipeline.training.optimizers import make_optimizer
from pipeline.training.structure import together
from pipeline.training.trainer import fit, fit_together
from tests.training.runs import fit_keras, largest_difference, settings


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
