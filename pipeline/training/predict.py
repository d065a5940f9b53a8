"""Predictions of trained seeds."""

from functools import lru_cache

import numpy as np
import tensorflow as tf

from pipeline.data.examples import Problem
from pipeline.settings import Model, Train
from pipeline.training.model import build_network
from pipeline.training.stacked import Stack
from pipeline.training.structure import structure

AT_ONCE = 5000  # rows


@lru_cache(maxsize=16)
def _stack(model: Model, problem: Problem, replicas: int) -> Stack:
    return Stack(build_network(model, problem), replicas)


def predict(model: Model, problem: Problem, weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """Compute the network for all rows, float32 `[R, n, n_outputs]`, with noise and dropout off.

    Args:
        weights: of R seeds, `[R, ...]` by path, as the trainer returns them.
        x: float32 `[n, n_features]`, or `[R, n, n_features]` where each seed has rows of its own.
    """
    replicas = len(next(iter(weights.values())))
    stack = _stack(structure(model, Train())[0], problem, replicas)
    trained = [tf.constant(weights[variable.path]) for variable in stack.trained]
    statistics = [tf.constant(weights[variable.path]) for variable in stack.statistics]
    x = x if x.ndim == 3 else x[None]
    # In blocks of rows, so that little more memory is needed than for the outputs. Compiling would take longer than
    # it saves.
    blocks = [
        stack(trained, statistics, tf.constant(x[:, start : start + AT_ONCE]))[0].numpy()
        for start in range(0, x.shape[1], AT_ONCE)
    ]
    return np.concatenate([np.zeros((replicas, 0, problem.n_outputs), np.float32), *blocks], axis=1)
