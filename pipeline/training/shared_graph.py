"""Compiled graphs that groups of seeds of one size take turns with, within a training and from one to the next."""

from functools import lru_cache
from typing import Protocol

import numpy as np

from pipeline.data.examples import Problem
from pipeline.settings import Model, Train
from pipeline.training.stack import Stack


class Holder(Protocol):
    """Something whose numbers a graph can hold; `put_by` has them while the graph holds those of another."""

    put_by: list[np.ndarray] | None


class SharedGraph:
    """A graph whose variables hold the numbers of one holder at a time."""

    def __init__(self, stack: Stack):
        self.stack = stack
        self.holder: Holder | None = None

    def hold(self, holder: Holder) -> Stack:
        """Return the graph with the numbers of this holder in it, and put by those of the one before."""
        if self.holder is holder:
            return self.stack
        if self.holder is not None:
            self.holder.put_by = self.stack.state()
        if holder.put_by is not None:
            self.stack.restore(holder.put_by)
        self.holder = holder
        return self.stack

    def release(self) -> None:
        """Forget whose numbers the graph holds: it outlives the training that has used it."""
        self.holder = None


@lru_cache(maxsize=16)
def shared_graph(model: Model, train: Train, problem: Problem, replicas: int) -> SharedGraph:
    """Return the graph of a `structure`; while it is in use it is compiled once in a process."""
    return SharedGraph(Stack(model, train, problem, replicas))
