"""Mixup: training on mixtures of pairs of examples (Zhang, Cisse, Dauphin and Lopez-Paz 2018)."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf


class Mixing(NamedTuple):
    """The mixtures of the steps of an epoch, or of one step.

    Attributes:
        partners: of each example, the place in its batch of the one that it is mixed with, int32 `[steps, batch]`.
        shares: of the examples in the mixtures, float32 `[steps, R]`; the partners have the rest.
    """

    partners: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(cls, seeds: list[int], alphas: list[float], epoch: int, counted: np.ndarray) -> "Mixing":
        """Draw the mixtures of an epoch (from 1), a share from Beta(alpha, alpha) for each step and seed.

        The partners are the batch in reverse, whose order is random anyway. Rows that only fill a batch up stay out of
        it, so that the last batch is mixed as a full one.

        Args:
            alphas: of each seed.
            counted: which rows of the batches count, `[steps, batch]`: 1, or 0.
        """
        places, last = np.arange(counted.shape[1]), counted.sum(axis=1, keepdims=True) - 1
        partners = np.where(counted, last - places, places).astype(np.int32)
        generators = [np.random.default_rng([seed, 6, epoch]) for seed in seeds]
        draws = [rng.beta(alpha, alpha, len(counted)) for rng, alpha in zip(generators, alphas, strict=True)]
        return cls(partners, np.stack(draws, axis=1).astype(np.float32))

    def partner(self, values: tf.Tensor) -> tf.Tensor:
        """Return what the partner of each example has in a step, of values `[R, batch, ...]`."""
        return tf.gather(values, self.partners, axis=1)

    def mix(self, values: tf.Tensor, of_partners: tf.Tensor) -> tf.Tensor:
        """Return the mixtures of a step, `[R, batch, ...]`."""
        shares = tf.reshape(self.shares, (-1, *[1] * (len(values.shape) - 1)))
        return shares * values + (1 - shares) * of_partners
