"""Random changes of training images: shifts by whole pixels, and cutout (DeVries and Taylor 2017).

Images are changed as the network sees them, so a center and a scale of each pixel stay with their place.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from pipeline.data.examples import Problem
from pipeline.settings import Train


class Changes(NamedTuple):
    """The changes of the images of the steps of an epoch, or of one step.

    Attributes:
        offsets: by how many pixels each image moves down and to the right, int8 `[steps, R, batch, 2]`; None without
            shifts.
        squares: the first row and column of the square that is cut out of each image, and the first below and to the
            right of it, int16 `[steps, R, batch, 2, 2]`; they may lie outside. None without cutout.
    """

    offsets: np.ndarray | None
    squares: np.ndarray | None

    def each(self, function: Callable[[Any], Any]) -> "Changes":
        """Return what a function makes of the arrays that are there."""
        return Changes(*(None if part is None else function(part) for part in self))

    def shifted(self, x: tf.Tensor, rows: tf.Tensor, problem: Problem) -> tf.Tensor:
        """Return the rows of a step, `[R, batch]`, of all, `[n, n_features]`, as shifted images.

        XLA gathers them pixel by pixel in about the time that it takes to gather them whole.
        """
        if self.offsets is None:
            return tf.gather(x, rows)
        offsets, size = tf.cast(self.offsets, tf.int32), problem.image_shape[:2]
        pixels_on = offsets[..., :1] * size[1] + offsets[..., 1:]
        source = tf.range(problem.n_features) - pixels_on * _channels(problem)
        source = tf.clip_by_value(source, 0, problem.n_features - 1)
        places = tf.stack([tf.broadcast_to(rows[..., None], source.shape), source], axis=-1)
        is_image = _within(offsets, tf.add(offsets, size), problem)
        return tf.where(is_image, tf.gather_nd(x, places), tf.constant(problem.blank, tf.float32))

    def cut(self, images: tf.Tensor, problem: Problem) -> tf.Tensor:
        """Return the images of a step, `[R, batch, n_features]`, each without its square."""
        if self.squares is None:
            return images
        squares = tf.cast(self.squares, tf.int32)
        is_cut = _within(squares[..., 0, :], squares[..., 1, :], problem)
        return tf.where(is_cut, tf.constant(problem.blank, tf.float32), images)


def _within(start: tf.Tensor, end: tf.Tensor, problem: Problem) -> tf.Tensor:
    """Return which features lie from a row and column, `[R, batch, 2]`, to before another, `[R, batch, n_features]`."""
    _, width = problem.image_shape[:2]
    row, column = np.divmod(np.arange(problem.n_features, dtype=np.int32) // _channels(problem), np.int32(width))
    in_rows = (row >= start[..., :1]) & (row < end[..., :1])
    return in_rows & (column >= start[..., 1:]) & (column < end[..., 1:])


def _channels(problem: Problem) -> int:
    return problem.n_features // math.prod(problem.image_shape[:2])


@dataclass(frozen=True)
class Changing:
    """How far the images of each replica are changed.

    Attributes:
        shifts: the most pixels that an image moves in each direction, `[R]`; empty without shifts.
        sides: of the square that is cut out, in pixels, `[R]`; empty without cutout.
        size: height and width of the images.
    """

    shifts: list[int]
    sides: list[int]
    size: tuple[int, ...]

    @classmethod
    def of(cls, trains: list[Train], problem: Problem) -> "Changing | None":
        """Return the changes of the replicas, which all have shifts or none, and all cutout or none; None for none."""
        shifts = [train.shift for train in trains if train.shift]
        sides = [train.cutout for train in trains if train.cutout]
        return cls(shifts, sides, problem.image_shape[:2]) if shifts or sides else None

    def draw(self, seeds: list[int], epoch: int, shape: tuple[int, ...]) -> Changes:
        """Draw the changes of an epoch (from 1) for batches of a shape, `[steps, batch]`.

        The center of a square is anywhere in the image, so that a part of the square may lie outside.
        """
        offsets = squares = None
        if self.shifts:
            draws = [
                np.random.default_rng([seed, 7, epoch]).integers(-most, most, (*shape, 2), np.int8, endpoint=True)
                for seed, most in zip(seeds, self.shifts, strict=True)
            ]
            offsets = np.stack(draws, axis=1)
        if self.sides:
            sides = np.array(self.sides, np.int16)[:, None, None]
            draws = [np.random.default_rng([seed, 8, epoch]).integers(self.size, size=(*shape, 2)) for seed in seeds]
            start = np.stack(draws, axis=1).astype(np.int16) - sides // 2
            squares = np.stack([start, start + sides], axis=-2)
        return Changes(offsets, squares)
