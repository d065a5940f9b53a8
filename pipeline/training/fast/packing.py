"""Stacked weights side by side in one long tensor, so that what is done to every number takes one pass, not one each.

A compiled graph costs its compiler about the same for each pass, whether over 10 numbers or over 100,000.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import tensorflow as tf

Shapes = dict[str, tuple[int, ...]]
Values = TypeVar("Values", tf.Tensor, np.ndarray)

# A weight with more numbers than this (of a seed) stays alone: joining it with others copies it at each step, and that
# costs more than a pass of its own (784-32-10 would train a sixth slower).
ALONE = 20_000


@dataclass(frozen=True)
class Pack:
    """Some stacked weights `[R, ...]` as one tensor `[R, n]`."""

    shapes: Shapes

    @property
    def sizes(self) -> list[int]:
        """Return how many numbers of one seed each weight has."""
        return [int(np.prod(shape[1:])) for shape in self.shapes.values()]

    @property
    def shape(self) -> tuple[int, int]:
        """Return the shape of the joined tensor."""
        return next(iter(self.shapes.values()), (0,))[0], sum(self.sizes)

    def where(self, is_so: Callable[[str], bool]) -> np.ndarray:
        """Return 1 for each number whose weight has such a name, else 0: float32 `[1, n]`, or `[1, 1]` if all agree."""
        by_weight = np.array([is_so(name) for name in self.shapes], np.float32)
        return by_weight[None, :1] if len(set(by_weight)) == 1 else np.repeat(by_weight, self.sizes)[None]

    def join(self, values: dict[str, tf.Tensor]) -> tf.Tensor:
        """Join those of the values that are weights of the pack into one tensor."""
        pieces = [
            tf.reshape(values[name], (shape[0], size))
            for (name, shape), size in zip(self.shapes.items(), self.sizes, strict=True)
        ]
        return tf.concat(pieces, axis=1) if len(pieces) > 1 else pieces[0]

    def split(self, joined: Values) -> dict[str, Values]:
        """Take a joined tensor, or its array, apart into weights by name."""
        if isinstance(joined, np.ndarray):  # outside of a graph each operation of TensorFlow's takes much longer
            pieces, reshape = np.split(joined, np.cumsum(self.sizes)[:-1], axis=1), np.reshape
        else:
            pieces, reshape = tf.split(joined, self.sizes, axis=1) if len(self.shapes) > 1 else [joined], tf.reshape
        return {name: reshape(piece, shape) for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)}


def packs(shapes: Shapes) -> list[Pack]:
    """Return packs of all weights, as few as it pays to have."""
    alone = [name for name, shape in shapes.items() if np.prod(shape[1:]) > ALONE]
    together = {name: shape for name, shape in shapes.items() if name not in alone}
    return [Pack({name: shapes[name]}) for name in alone] + ([Pack(together)] if together else [])
