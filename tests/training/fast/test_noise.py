"""The random numbers: the published generator, even, independent, and each seed's its own."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from pipeline.training.fast import noise


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [
        ((0, 0), (0, 0), (0x9D1C5EC6, 0x8BD50731)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0xFD36D048, 0x2D17272C)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xBA3E4725, 0xF27D669E)),
    ],
)
def test_threefry_gives_the_published_answers(key, counter, expected):
    # tests/kat_vectors of Random123: threefry2x32, 13 rounds.
    words = noise.threefry(tf.constant(key, tf.uint32), *(tf.constant(word, tf.uint32) for word in counter))
    assert tuple(int(word) for word in words) == expected


def roots(seeds: list[int], epoch: int = 1, step: int = 0, rows: int = 50, units: int = 40) -> tf.Tensor:
    return noise.root_uniform(tf.constant(noise.keys(seeds, epoch, steps=step + 1)[step]), rows, units)


def drawn(seeds: list[int], **place: int) -> np.ndarray:
    """Uniform numbers `[R, rows, units]`."""
    return np.square(roots(seeds, **place))


def test_uniform_is_uniform():
    numbers = drawn([0, 1, 2], rows=200, units=100)
    assert stats.kstest(numbers.ravel(), "uniform").pvalue > 0.01
    for seed in numbers:
        assert stats.kstest(seed.ravel(), "uniform").pvalue > 0.01


def test_uniform_never_gives_0_or_1():
    lowest, highest = (np.sqrt((np.float32(bits) + np.float32(0.5)) * np.float32(2.0**-23)) for bits in (0, 2**23 - 1))
    assert lowest > 0
    assert highest < 1
    numbers = roots([0], rows=1000, units=1000).numpy()
    assert numbers.min() > 0
    assert numbers.max() < 1


def assert_unrelated(one: np.ndarray, other: np.ndarray) -> None:
    # 2,000 pairs: a correlation beyond 0.1 comes up once in a hundred thousand times.
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.1


@pytest.mark.parametrize("other", [{"seeds": [1]}, {"epoch": 2}, {"step": 1}], ids=str)
def test_seeds_epochs_and_steps_are_independent(other):
    one, another = drawn([0]), drawn(**({"seeds": [0]} | other))
    assert_unrelated(one, another)
    assert np.isin(one, another).mean() < 0.01


def test_rows_and_units_of_one_draw_are_independent():
    numbers = drawn([0], rows=200, units=20)[0]
    for one, other in (
        (numbers[:-1], numbers[1:]),
        (numbers[:, :-1], numbers[:, 1:]),
        (numbers[:, :10], numbers[:, 10:]),
    ):
        assert_unrelated(one, other)


def test_a_seeds_numbers_do_not_depend_on_the_other_seeds():
    np.testing.assert_array_equal(drawn([5, 3, 8])[1], drawn([3])[0])


def test_keys_of_steps_and_seeds_all_differ():
    keys = np.stack([noise.keys(list(range(50)), epoch, steps=6) for epoch in (1, 2)])
    assert (keys.shape, keys.dtype) == ((2, 6, 50, 2), np.uint32)
    assert len(np.unique(keys.reshape(-1, 2), axis=0)) == 600


@pytest.mark.parametrize("units", [1, 7, 40])
def test_any_number_of_units_is_given(units):
    numbers = drawn([0, 1], rows=3, units=units)
    assert numbers.shape == (2, 3, units)
    assert len(np.unique(numbers)) == numbers.size


def test_normal_is_standard_normal():
    numbers = noise.normal(roots([0, 1], step=3, rows=200, units=51)).numpy()
    assert numbers.shape == (2, 200, 51)
    assert np.isfinite(numbers).all()
    assert stats.kstest(numbers.ravel(), "norm").pvalue > 0.01


def test_normal_is_finite_at_both_ends():
    ends = tf.sqrt((tf.constant([0.0, 2.0**23 - 1]) + 0.5) * 2.0**-23)
    low, high = noise.normal(ends).numpy()
    assert -6 < low < -5
    assert 5 < high < 6


def test_compiled_and_eager_numbers_are_the_same():
    compiled = tf.function(noise.root_uniform, jit_compile=True)
    key = tf.constant(noise.keys([0], epoch=1, steps=1)[0])
    np.testing.assert_array_equal(compiled(key, 5, 7), noise.root_uniform(key, 5, 7))
