"""The part of a configuration that a compiled graph depends on; the rest are numbers that a graph is given."""

import hashlib
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from pipeline.errors import InputError
from pipeline.settings import REGULARIZERS, Model, Train

GRAPH_SETTINGS = {
    "model": ("hidden_units", "activation", "layer_norm", "skip"),
    "train": ("optimizer", "momentum", "loss"),
}
Part = TypeVar("Part", Model, Train)
# Stands for the strength of every regularizer that is on; class weights have none, and pixels are whole numbers.
ANY_STRENGTH, ON = 0.5, {"class_weight": "balanced", "shift": 1, "cutout": 1}


def structure(model: Model, train: Train) -> tuple[Model, Train]:
    """Return the settings that two configurations must share to train in one graph, the others at their defaults.

    The initializer, learning rate, schedule, seeds and sizes are numbers to the graph.
    """
    # The function of `model.build` may make another network of any setting.
    return model if model.build else _structure("model", model), _structure("train", train)


def together(model: Model, train: Train) -> tuple[object, ...]:
    """Return a key; configurations that have the same can train side by side on the same rows (`fit_together`)."""
    scoring = train.epochs, train.batch_size, train.early_stopping, train.monitor, train.train_score_rows
    return (*structure(model, train), *scoring)


def effort(model: Model, train: Train) -> float:
    """Return the cost of a training, relative to others: the weights of the hidden layers times the epochs."""
    return train.epochs * (1 + sum(a * b for a, b in pairwise([64 * (model.bins or 1), *model.hidden_units, 10])))


def source_file(build: str) -> Path:
    """Return the file that a `model.build` names.

    Raises:
        InputError: there is none.
    """
    path = Path(build.rpartition(":")[0])
    if not path.is_file():
        raise InputError(f"model.build {build}: there is no file {path}")
    return path


def source_digest(model: Model) -> str | None:
    """Return the SHA-256 of the file of `model.build`; None where the network is the MLP."""
    return hashlib.sha256(source_file(model.build).read_bytes()).hexdigest() if model.build else None


def _structure(section: str, settings: Part) -> Part:
    fixed = {name: getattr(settings, name) for name in GRAPH_SETTINGS[section]}
    for setting in type(settings).model_fields:
        value, regularizer = getattr(settings, setting), REGULARIZERS.get(f"{section}.{setting}")
        if regularizer is not None and regularizer.graph == "structure":
            fixed[setting] = value
        elif regularizer is not None and regularizer.graph == "switch" and value:
            fixed[setting] = ON.get(setting, ANY_STRENGTH)
    return type(settings).model_validate(fixed)
