"""The same search with KerasTuner and with scikit-learn, each as it is usually written.

Each function is called in a fresh process, in the folder of a project that has prepared its data, and draws from a
space like that of `params.yaml`.
"""

import time
from typing import Any

import numpy as np

from pipeline.data.splits import read_split, read_summary
from pipeline.settings import Model, Train

OPTIMIZERS = ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "nadam", "lion"]


def keras_tuner(task: dict[str, Any]) -> dict[str, float]:
    """Run KerasTuner's `RandomSearch`, with `executions_per_trial` for the seeds; return its seconds."""
    import keras
    import keras_tuner

    from pipeline.training.model import build_keras
    from pipeline.training.optimizers import make_optimizer

    rows, validation, problem = read_split("train"), read_split("validation"), read_summary().problem

    class Network(keras_tuner.HyperModel):
        def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
            width = hp.Choice("width", [32, 64, 128, 256])
            model = Model(
                hidden_units=(width,) * hp.Int("depth", 1, 2),
                activation=hp.Choice("activation", ["relu", "tanh", "gelu"]),
                l2=hp.Float("l2", 1e-6, 1e-2, sampling="log"),
                dropout=hp.Float("dropout", 0.0, 0.5),
                batch_norm=hp.Boolean("batch_norm"),
            )
            rate = hp.Float("learning_rate", 1e-4, 0.3, sampling="log")
            train = Train(optimizer=hp.Choice("optimizer", OPTIMIZERS), learning_rate=rate)
            plain = build_keras(model, problem)
            plain.compile(make_optimizer(train), "sparse_categorical_crossentropy", metrics=["accuracy"])
            return plain

        def fit(self, hp: keras_tuner.HyperParameters, model: keras.Model, *args: Any, **options: Any) -> Any:
            return model.fit(*args, batch_size=hp.Choice("batch_size", [32, 64, 128]), **options)

    stopping = keras.callbacks.EarlyStopping(patience=task["patience"], restore_best_weights=True)
    began = time.perf_counter()
    tuner = keras_tuner.RandomSearch(
        Network(),
        objective="val_loss",
        max_trials=task["trials"],
        executions_per_trial=task["seeds"],
        seed=task["turn"],
        directory="keras_tuner",
        project_name=str(task["turn"]),
    )
    tuner.search(
        rows.x,
        rows.y,
        epochs=task["epochs"],
        validation_data=(validation.x, validation.y),
        callbacks=[stopping],
        verbose=0,
    )
    return {"seconds": time.perf_counter() - began}


def randomized_search(task: dict[str, Any]) -> dict[str, float]:
    """Run `RandomizedSearchCV` of `MLPClassifier`, with folds for seeds and a job per worker; return its seconds."""
    import warnings

    from scipy.stats import loguniform
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import RandomizedSearchCV
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore", ConvergenceWarning)
    rows, validation = read_split("train"), read_split("validation")
    space = {
        "hidden_layer_sizes": [(width,) * depth for width in (32, 64, 128, 256) for depth in (1, 2)],
        "activation": ["relu", "tanh"],
        "solver": ["sgd", "adam"],
        "learning_rate_init": loguniform(1e-4, 0.3),
        "alpha": loguniform(1e-6, 1e-2),
        "batch_size": [32, 64, 128],
    }
    network = MLPClassifier(max_iter=task["epochs"], early_stopping=True, n_iter_no_change=task["patience"])
    began = time.perf_counter()
    search = RandomizedSearchCV(
        network, space, n_iter=task["trials"], cv=task["seeds"], n_jobs=task["workers"], random_state=task["turn"]
    )
    search.fit(np.concatenate([rows.x, validation.x]), np.concatenate([rows.y, validation.y]))
    return {"seconds": time.perf_counter() - began}
