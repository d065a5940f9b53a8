"""Random changes of training images: shifts by whole pixels, rotations, and cutout (DeVries and Taylor 2017).

Images are changed as the network sees them, so a center and a scale of each pixel stay with their place.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
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
        angles: by which each image is turned about its middle, in radians, float32 `[steps, R, batch]`; above 0 is
            counterclockwise. None without rotations.
    """

    offsets: np.ndarray | None
    squares: np.ndarray | None
    angles: np.ndarray | None = None

    def each(self, function: Callable[[Any], Any]) -> "Changes":
        """Return the changes with a function applied to each array that is not None."""
        return Changes(*(None if part is None else function(part) for part in self))

    def shifted(self, x: tf.Tensor, rows: tf.Tensor, problem: Problem) -> tf.Tensor:
        """Gather the rows of a step, `[R, batch]`, from all, `[n, n_features]`, each image shifted by its offset.

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

    def rotated(self, images: tf.Tensor, problem: Problem) -> tf.Tensor:
        """Return the images of a step, `[R, batch, n_features]`, each turned about its middle.

        A pixel is interpolated from the four around its place before, linearly; beyond the image all is blank.
        """
        if self.angles is None:
            return images
        size, channels = problem.image_shape[:2], _channels(problem)
        pixel, channel = np.divmod(np.arange(problem.n_features, dtype=np.int32), np.int32(channels))
        down, right = (
            place.astype(np.float32) - (side - 1) / 2
            for place, side in zip(np.divmod(pixel, np.int32(size[1])), size, strict=True)
        )
        cos, sin = tf.cos(self.angles)[..., None], tf.sin(self.angles)[..., None]
        places = cos * down + sin * right + (size[0] - 1) / 2, cos * right - sin * down + (size[1] - 1) / 2
        before = [tf.floor(place) for place in places]
        turned = tf.zeros_like(images)
        for step in product((0.0, 1.0), repeat=2):
            corner = [start + one for start, one in zip(before, step, strict=True)]
            share = tf.reduce_prod([1 - abs(place - at) for place, at in zip(places, corner, strict=True)], axis=0)
            row, column = (tf.cast(at, tf.int32) for at in corner)
            is_image = (row >= 0) & (row < size[0]) & (column >= 0) & (column < size[1])
            source = tf.clip_by_value((row * size[1] + column) * channels + channel, 0, problem.n_features - 1)
            values = tf.gather(images, source, batch_dims=2)
            turned += share * tf.where(is_image, values, tf.constant(problem.blank, tf.float32))
        return turned

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
        degrees: the most that an image is turned by either way, `[R]`; empty without rotations.
        size: height and width of the images.
    """

    shifts: list[int]
    sides: list[int]
    degrees: list[float]
    size: tuple[int, ...]

    @classmethod
    def of(cls, trains: list[Train], problem: Problem) -> "Changing | None":
        """Return the changes of the replicas, which all have each kind of change or none has it; None for none."""
        shifts = [train.shift for train in trains if train.shift]
        sides = [train.cutout for train in trains if train.cutout]
        degrees = [train.rotate for train in trains if train.rotate]
        return cls(shifts, sides, degrees, problem.image_shape[:2]) if shifts or sides or degrees else None

    def draw(self, seeds: list[int], epoch: int, shape: tuple[int, ...]) -> Changes:
        """Draw the changes of an epoch (from 1) for batches of a shape, `[steps, batch]`.

        The center of a square is anywhere in the image, so that a part of the square may lie outside.
        """
        offsets = squares = angles = None
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
        if self.degrees:
            turns = [np.random.default_rng([seed, 9, epoch]).uniform(-1, 1, shape) for seed in seeds]
            angles = np.stack(turns, axis=1) * np.deg2rad(self.degrees)[:, None]
        return Changes(offsets, squares, None if angles is None else angles.astype(np.float32))
