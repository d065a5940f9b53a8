"""The numbers by which replicas of one graph may differ: strengths of regularizers, read from a Keras model."""

from collections.abc import Iterator

import keras

from pipeline.settings import Train
from pipeline.training.stacked import RANDOM

Penalty = keras.regularizers.L1 | keras.regularizers.L2 | keras.regularizers.L1L2


def is_penalized(variable: keras.Variable) -> bool:
    """Return whether the graph takes L1 and L2 of a weight as arguments: of each kernel, also where both are off."""
    return isinstance(variable.regularizer, Penalty) or (variable.regularizer is None and variable.name == "kernel")


def model_strengths(model: keras.Model) -> dict[str, float]:
    """Return the strengths in a Keras model by the paths of the weights and layers that they act on.

    A step takes them as they are: a root or a product in the graph would take as long to compile as any kernel.
    """
    return dict(_model_strengths(model))


def _model_strengths(model: keras.Model) -> Iterator[tuple[str, float]]:
    for layer in model.layers:
        if (random := RANDOM.get(type(layer))) is not None:
            yield from ((f"{layer.name}/{name}", value) for name, value in random.strengths(layer).items())
    for variable in model.trainable_variables:
        if is_penalized(variable):
            yield f"{variable.path}/l1", float(getattr(variable.regularizer, "l1", 0.0))
            yield f"{variable.path}/l2_twice", 2 * float(getattr(variable.regularizer, "l2", 0.0))
        if isinstance(variable.constraint, keras.constraints.MaxNorm):
            yield f"{variable.path}/max_norm", variable.constraint.max_value


def train_strengths(train: Train) -> dict[str, float]:
    """Return the strengths in the settings of the training; one that is off and would cost time is left out."""
    optional = {"clip_norm": train.clip_norm, "ema": train.ema, "weight_decay": train.weight_decay}
    return {"label_smoothing": train.label_smoothing} | {n: value for n, value in optional.items() if value is not None}
