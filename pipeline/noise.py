"""Random numbers that depend on nothing but a seed, a place and a step, for R seeds at once.

TensorFlow's generators take one seed a call, so R seeds would cost R calls at every step. A counter-based generator
written as element-wise integer arithmetic takes all seeds as one tensor and is fused by the compiler with what uses
it; a mask costs next to nothing. Seed k draws the same numbers alone and among others.
"""

import numpy as np

from pipeline.backend import tf

# Threefry-2x32 with 20 rounds: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011).
ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
PARITY = np.uint32(0x1BD11BDA)
ROUNDS = 20


def keys(seeds: list[int], places: int) -> np.ndarray:
    """A key for each seed and each place of the model that draws: uint32 `[places, 2, R, 1, 1]`."""
    words = [[np.random.SeedSequence([seed, 2, place]).generate_state(2) for seed in seeds] for place in range(places)]
    return np.asarray(words, np.uint32).transpose(0, 2, 1)[..., None, None]


def threefry(key: tf.Tensor, high: tf.Tensor, low: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Two words of random bits for each counter `(high, low)`; all uint32, shapes broadcast, `key` is `[2, ...]`."""
    schedule = (key[0], key[1], key[0] ^ key[1] ^ PARITY)
    x, y = high + schedule[0], low + schedule[1]
    for block in range(ROUNDS // 4):
        for rotation in ROTATIONS[:4] if block % 2 == 0 else ROTATIONS[4:]:
            x += y
            y = tf.bitwise.left_shift(y, np.uint32(rotation)) | tf.bitwise.right_shift(y, np.uint32(32 - rotation))
            y ^= x
        x += schedule[(block + 1) % 3]
        y += schedule[(block + 2) % 3] + np.uint32(block + 1)
    return x, y


def uniform(key: tf.Tensor, step: tf.Tensor, rows: int, units: int) -> tf.Tensor:
    """Numbers in (0, 1), float32 `[R, rows, units]`, for `key` uint32 `[2, R, 1, 1]` at a step (int32 scalar)."""
    low = tf.cast(tf.reshape(tf.range(rows * units), (1, rows, units)), tf.uint32)
    # The second word is thrown away: to join the two would keep the compiler from fusing this with what uses it.
    bits, _ = threefry(key, tf.cast(step, tf.uint32), low)
    # The upper 23 bits, and half a step so that 0 and 1 never come out.
    return (tf.cast(tf.bitwise.right_shift(bits, np.uint32(9)), tf.float32) + 0.5) * 2.0**-23


def normal(key: tf.Tensor, step: tf.Tensor, rows: int, units: int) -> tf.Tensor:
    """Standard normal numbers, float32 `[R, rows, units]`, by the inverse of the distribution function."""
    return tf.math.ndtri(uniform(key, step, rows, units))
