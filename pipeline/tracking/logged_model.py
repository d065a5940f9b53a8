"""Models as MLflow logs them."""

import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel


def write_keras_model(file: Path, n_features: int, n_outputs: int, folder: Path, logged: "LoggedModel") -> None:
    """Write the `.keras` file of a model from prepared rows into a folder, as `mlflow.keras` loads it."""
    import keras

    with without_advice():
        import mlflow.keras
        from mlflow.models import Model, ModelSignature
        from mlflow.types import ColSpec, Schema, TensorSpec

        rows, outputs = (Schema([TensorSpec(np.dtype("float32"), (-1, width))]) for width in (n_features, n_outputs))
        mlflow.keras.save_model(
            keras.saving.load_model(file, compile=False, safe_mode=True),
            str(folder),
            mlflow_model=Model(run_id=logged.source_run_id, model_id=logged.model_id),
            signature=ModelSignature(rows, outputs),
            pip_requirements=requirements("mlflow", "keras", "tensorflow", "numpy"),
        )
    # MLflow saves a Keras model with a signature of tensors alone, and serves CSV by one of columns alone.
    saved = Model.load(str(folder))
    saved.signature = ModelSignature(Schema([ColSpec("double")] * n_features), outputs)
    saved.save(str(folder / "MLmodel"))


@contextmanager
def without_advice() -> Iterator[None]:
    """Silence MLflow while it saves a model.

    It warns of type hints in its own classes, advises on examples, which say less than the signature, and uses forms
    that pandas 3 deprecates.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def requirements(*packages: str) -> list[str]:
    """Return the packages with the versions that are installed, as pip takes them."""
    return [f"{name}=={version(name)}" for name in packages]


def log_model(
    client: "MlflowClient", experiment_id: str, run_id: str, name: str, write: "Callable[[Path, LoggedModel], None]"
) -> str:
    """Log the files that `write` puts into a folder as a model of the run; return the model's id."""
    from mlflow.entities import LoggedModelOutput

    model = client.create_logged_model(experiment_id, name=name, source_run_id=run_id)
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), model)
        client.log_model_artifacts(model.model_id, folder)
    client.finalize_logged_model(model.model_id, "READY")
    return model.model_id
