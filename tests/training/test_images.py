"""Changes of training images against NumPy's, and trainings with them against Keras fed the same images."""

from dataclasses import replace
from itertools import product

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage
from sklearn.datasets import load_digits

from pipeline.data.examples import Examples, Problem, Split
from pipeline.errors import InputError
from pipeline.settings import Model, Train
from pipeline.training.batches import epoch_order
from pipeline.training.checks import check_task
from pipeline.training.images import Changes
from pipeline.training.model import build_keras, build_network, initial_weights, set_weights
from pipeline.training.optimizers import make_optimizer
from pipeline.training.structure import together
from pipeline.training.trainer import fit, fit_together

MODEL, BATCH = Model(hidden_units=[16]), 64


@pytest.fixture(scope="module")
def digits() -> Examples:
    x, y = load_digits(return_X_y=True)
    x, y = (x / 16).astype(np.float32), y.astype(np.int32)
    # 250 rows: the last of the batches of 64 is not full.
    problem = Problem("classification", 64, 10, image_shape=(8, 8))
    return Examples.of_splits(problem, Split(x=x[:250], y=y[:250]), Split(x=x[250:350], y=y[250:350]))


def shifted(image: np.ndarray, down: int, right: int, blank: np.ndarray) -> np.ndarray:
    """The image rolled, with what came around the edge blanked."""
    image = np.roll(image, (down, right), axis=(0, 1))
    image[: max(down, 0)] = blank[: max(down, 0)]
    image[:, : max(right, 0)] = blank[:, : max(right, 0)]
    image[len(image) + min(down, 0) :] = blank[len(image) + min(down, 0) :]
    image[:, image.shape[1] + min(right, 0) :] = blank[:, image.shape[1] + min(right, 0) :]
    return image


def cut(image: np.ndarray, center: np.ndarray, side: int, blank: np.ndarray) -> np.ndarray:
    image, (row, column) = image.copy(), center - side // 2
    part = np.s_[max(row, 0) : row + side, max(column, 0) : column + side]
    image[part] = blank[part]
    return image


def turned(image: np.ndarray, degrees: float, blank: np.ndarray) -> np.ndarray:
    """The image turned by SciPy, whose blank pixels are one number."""
    options = {"reshape": False, "order": 1, "mode": "grid-constant", "cval": blank.flat[0]}
    return ndimage.rotate(image.astype(float), degrees, **options).astype(np.float32)


def changed_batches(examples: Examples, train: Train, seed: int):
    """The trainer's batches with each image shifted, turned, cut, then mixed; labels one-hot."""
    shape, steps = examples.problem.image_shape, -(-examples.train_rows.shape[1] // BATCH)
    blank = np.broadcast_to(np.float32(examples.problem.blank), 64).reshape(shape)
    for epoch in range(1, train.epochs + 1):
        rows = examples.train_rows[0][epoch_order(seed, epoch, examples.train_rows.shape[1])]
        offsets, centers, shares = (np.random.default_rng([seed, number, epoch]) for number in (7, 8, 6))
        drawn = (steps, BATCH, 2)
        moves = offsets.integers(-train.shift, train.shift, drawn, np.int8, endpoint=True) if train.shift else None
        turns = np.random.default_rng([seed, 9, epoch]).uniform(-1, 1, (steps, BATCH))
        angles = turns * (train.rotate or 0)
        middles = centers.integers(shape[:2], size=drawn)
        for step in range(steps):
            batch = rows[step * BATCH : (step + 1) * BATCH]
            images = examples.x[batch].reshape(-1, *shape)
            if train.shift:
                images = [shifted(image, *move, blank) for image, move in zip(images, moves[step], strict=False)]
            if train.rotate:
                images = [turned(image, a, blank) for image, a in zip(images, angles[step], strict=False)]
            if train.cutout:
                images = [cut(image, at, train.cutout, blank) for image, at in zip(images, middles[step], strict=False)]
            share = shares.beta(train.mixup, train.mixup) if train.mixup else 1.0
            parts = np.reshape(images, (-1, 64)), np.eye(10)[examples.y[batch]]
            yield tuple((share * part + (1 - share) * part[::-1]).astype(np.float32) for part in parts)


@pytest.mark.parametrize(
    ("shape", "blank", "options"),
    [
        ((4, 16), (-0.5,), {"shift": 1}),
        ((4, 8, 2), tuple(np.linspace(-1, 1, 64).tolist()), {"shift": 3, "cutout": 2}),
        ((8, 8), (0.1,), {"shift": 1, "cutout": 4, "mixup": 0.4}),
        ((8, 8), (0.0,), {"rotate": 30.0}),
        ((4, 8, 2), (-0.5,), {"rotate": 45.0, "shift": 1, "cutout": 2}),
    ],
)
def test_changes_equal_keras_fed_images_that_numpy_changed(digits, shape, blank, options):
    examples = replace(digits, problem=replace(digits.problem, image_shape=shape, blank=blank))
    train = Train(batch_size=BATCH, epochs=2, **options)
    fitted = fit(examples, MODEL, train, [2, 3])
    plain = build_keras(MODEL, examples.problem)
    set_weights(plain, initial_weights(build_network(MODEL, examples.problem), 3))
    plain.compile(optimizer=make_optimizer(train), loss=keras.losses.CategoricalCrossentropy(), run_eagerly=True)
    for batch in changed_batches(examples, train, 3):
        plain.train_on_batch(*batch)
    unchanged = fit(examples, MODEL, Train(batch_size=BATCH, epochs=2), [3])
    for variable in plain.weights:
        np.testing.assert_allclose(fitted.weights[variable.path][1], variable.numpy(), atol=1e-4)
        assert np.abs(unchanged.weights[variable.path][0] - variable.numpy()).max() > 1e-3


@pytest.mark.parametrize(
    "settings", [[{"shift": 1}, {"shift": 4}], [{"cutout": 2}, {"cutout": 5}], [{"rotate": 5.0}, {"rotate": 40.0}]]
)
def test_changes_of_each_strength_are_the_same_alone_and_among_others(digits, settings):
    model = Model(hidden_units=[16], dropout=0.2)
    configurations = [(model, Train(batch_size=BATCH, epochs=2, **options)) for options in settings]
    assert together(*configurations[0]) == together(*configurations[1]) != together(model, Train(batch_size=BATCH))
    for fitted, (_, train) in zip(fit_together(digits, configurations, [3, 4]), configurations, strict=True):
        alone = fit(digits, model, train, [4])
        for name, value in alone.weights.items():
            np.testing.assert_allclose(fitted.weights[name][1], value[0], atol=1e-5)


def test_an_image_moves_as_numpy_rolls_it_with_zeros_for_what_comes_around():
    shape, offsets = (3, 5), list(product(range(-2, 3), range(-4, 5)))
    image = np.arange(1, 16, dtype=np.float32)
    changes = Changes(np.array([offsets], np.int8), None)
    problem = Problem("classification", 15, 2, image_shape=shape)
    moved = changes.shifted(tf.constant(image[None]), tf.zeros((1, len(offsets)), tf.int32), problem)
    expected = [shifted(image.reshape(shape), *offset, np.zeros(shape)) for offset in offsets]
    np.testing.assert_array_equal(moved[0], np.reshape(expected, (-1, 15)))


@pytest.mark.parametrize(("shape", "degrees"), [((7, 7), 90), ((6, 9), -33), ((6, 9), 0), ((5, 4, 3), 45)])
def test_an_image_turns_as_scipys(shape, degrees):
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    problem = Problem("classification", image.size, 2, image_shape=shape, blank=(0.3,))
    changes = Changes(None, None, np.array([[np.deg2rad(degrees)]], np.float32))
    ours = changes.rotated(tf.constant(image.reshape(1, 1, -1)), problem)
    np.testing.assert_allclose(np.reshape(ours, shape), turned(image, degrees, np.full(shape, 0.3)), atol=1e-5)


def test_rotations_need_images_of_any_size(digits):
    with pytest.raises(InputError, match=r"train\.rotate needs images, and the data are a table"):
        check_task(Train(rotate=10.0), replace(digits.problem, image_shape=()))
    check_task(Train(rotate=45.0), digits.problem)


@pytest.mark.parametrize("setting", ["shift", "cutout"])
def test_changes_of_images_are_refused_where_there_are_none_or_too_small_ones(digits, setting):
    table = replace(digits.problem, image_shape=())
    with pytest.raises(InputError, match=rf"train\.{setting} needs images, and the data are a table"):
        check_task(Train(**{setting: 2}), table)
    with pytest.raises(InputError, match=rf"train\.{setting} must be less than .* 8 by 8 pixels; got 8"):
        check_task(Train(**{setting: 8}), digits.problem)
    check_task(Train(**{setting: 7}), digits.problem)
