"""Trainings by each peer, timed epoch by epoch; each function is called in a process of its own (`fresh`).

A task holds the settings `model` and `train`, the file `rows` of `works.write_rows`, and `seeds`, of which peers that
train only one take the last. The answer holds the seconds of each epoch as `epochs`, the final `accuracy` on the
validation rows, and the `peak` of the process's memory in MB.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.examples import Examples, Problem, Split
from pipeline.files import read_arrays
from pipeline.settings import Model, Train

Answer = dict[str, Any]


def read_rows(path: str) -> tuple[Split, Split]:
    """Read the training and the validation part."""
    arrays = read_arrays(path)
    train, validation = (Split(arrays[f"{part}/x"], arrays[f"{part}/y"]) for part in ("train", "validation"))
    return train, validation


def problem_of(train: Split) -> Problem:
    """Return the classification problem of these rows."""
    return Problem("classification", train.x.shape[1], int(train.y.max()) + 1)


def peak_memory() -> float:
    """Return the peak memory of this process, in MB."""
    status = Path("/proc/self/status")
    # On Linux, getrusage would include the process that started this one.
    if status.exists():
        lines = status.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def answer(stamps: Sequence[float], accuracy: float) -> Answer:
    """Return the answer for a training that began at the first time stamp and ended an epoch at each later one."""
    return {"epochs": np.diff(stamps).tolist(), "accuracy": float(accuracy), "peak": peak_memory()}


def trainer(task: Answer) -> Answer:
    """Train with this project's `trainer.fit`, all seeds side by side."""
    from pipeline.training.trainer import fit

    model, train = Model.model_validate(task["model"]), Train.model_validate(task["train"])
    rows, validation = read_rows(task["rows"])
    examples = Examples.of_splits(problem_of(rows), rows, validation)
    del rows, validation  # they would count in the peak of memory
    stamps = [time.perf_counter()]
    fitted = fit(examples, model, train, task["seeds"], [lambda epoch: stamps.append(time.perf_counter())])
    return answer(stamps, fitted.history.groupby("seed").tail(1)["validation_accuracy"].mean())


def model_fit(task: Answer) -> Answer:
    """Train with stock `keras.Model.fit`; `task["compile"]` has options for `Model.compile`."""
    model, train = Model.model_validate(task["model"]), Train.model_validate(task["train"])
    stamps, history = fit_keras(model, train, *read_rows(task["rows"]), task["seeds"][-1], task.get("compile", {}))
    return answer(stamps, history["val_accuracy"][-1])


def fit_keras(
    model: Model, train: Train, rows: Split, validation: Split, seed: int, options: dict[str, Any] | None = None
) -> tuple[list[float], dict[str, list[float]]]:
    """Build, compile and fit as one does by hand; return the times before and after each epoch, and Keras' history.

    Weight averaging and clipping are left out, which makes this peer a little faster.
    """
    import keras

    from pipeline.training.model import build_keras
    from pipeline.training.optimizers import make_optimizer

    keras.utils.set_random_seed(seed)
    began, problem = time.perf_counter(), problem_of(rows)
    plain = build_keras(model, problem)
    labels, loss = (rows.y, validation.y), "sparse_categorical_crossentropy"
    if train.label_smoothing:
        labels = tuple(keras.utils.to_categorical(y, problem.n_outputs) for y in labels)
        loss = keras.losses.CategoricalCrossentropy(label_smoothing=train.label_smoothing)
    plain.compile(make_optimizer(train), loss, metrics=["accuracy"], **(options or {}))
    stamps = [began]
    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: stamps.append(time.perf_counter()))]
    if train.early_stopping:
        patience = train.early_stopping.patience
        callbacks.append(keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True))
    history = plain.fit(
        rows.x,
        labels[0],
        batch_size=len(rows) if train.optimizer == "gd" else train.batch_size,
        epochs=train.epochs,
        validation_data=(validation.x, labels[1]),
        callbacks=callbacks,
        verbose=0,
    ).history
    return stamps, history


def mlp_classifier(task: Answer) -> Answer:
    """Train with scikit-learn; an epoch is one `partial_fit`, which keeps Adam's moments, and a validation."""
    from sklearn.metrics import accuracy_score, log_loss
    from sklearn.neural_network import MLPClassifier

    model, train = Model.model_validate(task["model"]), Train.model_validate(task["train"])
    rows, validation = read_rows(task["rows"])
    classes = np.unique(rows.y)
    network = MLPClassifier(
        model.hidden_units, alpha=0.0, batch_size=train.batch_size, random_state=task["seeds"][-1], solver="adam"
    )
    stamps, accuracy = [time.perf_counter()], 0.0
    for _ in range(train.epochs):
        network.partial_fit(rows.x, rows.y, classes=classes)
        outputs = network.predict_proba(validation.x)
        log_loss(validation.y, outputs, labels=classes)
        accuracy = accuracy_score(validation.y, classes[outputs.argmax(axis=1)])
        stamps.append(time.perf_counter())
    return answer(stamps, accuracy)
