"""Random bits that depend on nothing but a seed and a step, for R seeds at once.

TensorFlow's generators take one seed a call, so R seeds would cost R calls at every step. A counter-based generator
written as element-wise integer arithmetic takes all seeds as one tensor and is compiled into a single pass over all
that a step draws. Seed k draws the same numbers alone and among others.
"""

import numpy as np
import tensorflow as tf

# Threefry-2x32 with the 13 rounds that pass TestU01's BigCrush: Salmon, Moraes, Dror and Shaw, "Parallel random
# numbers: as easy as 1, 2, 3" (2011).
ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
PARITY = np.uint32(0x1BD11BDA)
ROUNDS = 13


def keys(seeds: list[int], epoch: int, steps: int) -> np.ndarray:
    """Return a key for each step of an epoch and each seed: uint32 `[steps, R, 2]`."""
    generators = [np.random.default_rng([seed, 2, epoch]) for seed in seeds]
    return np.stack([rng.integers(2**32, size=(steps, 2), dtype=np.uint32) for rng in generators], axis=1)


def threefry(key: tuple[tf.Tensor, tf.Tensor], high: tf.Tensor, low: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return two words of random bits for each counter `(high, low)`; all uint32, shapes broadcast."""
    schedule = (key[0], key[1], key[0] ^ key[1] ^ PARITY)
    x, y = high + schedule[0], low + schedule[1]
    for number in range(ROUNDS):
        rotation = ROTATIONS[number % 8]
        x += y
        y = tf.bitwise.left_shift(y, np.uint32(rotation)) | tf.bitwise.right_shift(y, np.uint32(32 - rotation))
        y ^= x
        block, place = divmod(number + 1, 4)
        if place == 0:
            x += schedule[block % 3]
            y += schedule[(block + 1) % 3] + np.uint32(block)
    return x, y


def root_uniform(key: tf.Tensor, rows: int, units: int) -> tf.Tensor:
    """Draw square roots of uniform numbers in (0, 1), float32 `[R, rows, units]`, with the key of a step, `[R, 2]`.

    Roots, because XLA repeats operations that it takes for cheap, such as those on bits, wherever their result is used,
    forward and backward; a result that ends in a root is computed once.
    """
    low = tf.constant(np.arange(rows * units, dtype=np.uint32).reshape(1, rows, units))
    # The second word is not used: if the two were joined, XLA would compute both words for each number.
    bits, _ = threefry((key[:, :1, None], key[:, 1:, None]), np.uint32(0), low)
    # The upper 23 bits make the number, half a step more keeps it from 0 and 1.
    return tf.sqrt((tf.cast(tf.bitwise.right_shift(bits, np.uint32(9)), tf.float32) + 0.5) * 2.0**-23)


def normal(roots: tf.Tensor) -> tf.Tensor:
    """Return standard normal numbers, float32, by the inverse of the distribution function."""
    return tf.math.erfinv(2 * tf.square(roots) - 1) * 2.0**0.5
