"""A search and a study as one writes them without this project, with one `Model.fit` after another.

Each function is called in a fresh process, in the folder of a project that has prepared its data.
"""

import time
from typing import Any

import numpy as np

from experiments.benchmarks.training import fit_keras
from pipeline.data.splits import read_split
from pipeline.settings import Model, Train

Configuration = dict[str, Any]


def _settings(configuration: Configuration) -> tuple[Model, Train]:
    return Model.model_validate(configuration["model"]), Train.model_validate(configuration["train"])


def search(task: dict[str, Any]) -> dict[str, float]:
    """Repeat trials with Optuna, `Model.fit` for each seed and an MLflow run for each trial; return seconds and epochs.

    Work that does not depend on the number of trials is left out: imports, and making the stores.
    """
    import keras  # noqa: F401 (imported here, so that its time does not count)
    import mlflow
    import optuna

    rows, validation = read_split("train"), read_split("validation")
    mlflow.set_tracking_uri(f"sqlite:///{task['name']}-mlflow.db")
    mlflow.set_experiment("plain")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(storage=f"sqlite:///{task['name']}-optuna.db")
    epochs = []

    def objective(trial: optuna.Trial) -> float:
        trial.suggest_float("train.learning_rate", 1e-4, 0.3, log=True)  # gives the sampler work; the value is not used
        configuration = task["trials"][trial.number]
        losses = []
        for seed in task["seeds"]:
            _, history = fit_keras(*_settings(configuration), rows, validation, seed)
            losses.append(min(history["val_loss"]))
            epochs.append(len(history["val_loss"]))
        value = sum(losses) / len(losses)
        with mlflow.start_run(run_name=f"trial {trial.number}"):
            mlflow.log_params(configuration["model"] | configuration["train"])
            mlflow.log_metric("value", value)
        return value

    began = time.perf_counter()
    study.optimize(objective, n_trials=len(task["trials"]))
    return {"seconds": time.perf_counter() - began, "epochs": sum(epochs)}


def sample(task: dict[str, Any]) -> dict[str, list[list[float]]]:
    """Train a few epochs of each configuration on its number of `rows`; return the seconds of each epoch."""
    rows, validation = read_split("train"), read_split("validation")
    epochs = []
    for configuration in task["configurations"]:
        model, train = _settings(configuration)
        few = train.model_copy(update={"epochs": 1 + task["epochs"], "early_stopping": None})
        n = configuration["rows"]
        part = type(rows)(rows.x[:n], rows.y[:n])
        stamps, _ = fit_keras(model, few, part, validation, seed=0)
        epochs.append(np.diff(stamps).tolist())  # building counts in the first epoch
    return {"epochs": epochs}
