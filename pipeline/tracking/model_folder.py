"""The folder that MLflow takes for a model: what it is made of, how it is loaded, and with which versions.

MLflow's own `save_model` functions load and save the model again, spend 0.3 s on listing every installed package, and
take no column signature, without which MLflow's server reads no CSV.
"""

import importlib.metadata
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature


def write_prepared_model(folder: Path, logged: "LoggedModel", model: Path, n_features: int, n_outputs: int) -> None:
    """A `.keras` file of a model from prepared rows, as `mlflow.keras` loads it."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    signature = ModelSignature(
        Schema([ColSpec("double")] * n_features), Schema([TensorSpec(np.dtype("float32"), (-1, n_outputs))])
    )
    (folder / "data").mkdir()
    shutil.copyfile(model, folder / "data" / "model.keras")
    (folder / "data" / "keras_module.txt").write_text("keras", encoding="utf-8")
    keras = {
        "data": "data",
        "keras_version": importlib.metadata.version("keras"),
        "keras_backend": "tensorflow",
        "save_exported_model": False,
    }
    flavors = {"keras": keras, "python_function": {"loader_module": "mlflow.keras"}}
    write_mlmodel(folder, logged, signature, flavors, ("mlflow", "keras", "tensorflow", "numpy"))


def write_mlmodel(
    folder: Path,
    logged: "LoggedModel",
    signature: "ModelSignature",
    flavors: dict[str, dict[str, Any]],
    packages: Sequence[str],
    **about: Any,
) -> None:
    """Write what tells MLflow how to load the folder's files: `MLmodel`, and the packages with their versions.

    Args:
        flavors: with the fields of each; `python_function` gets its environment here.
        about: other arguments of `mlflow.models.Model`.
    """
    from mlflow.models import Model

    model = Model(
        artifact_path=logged.artifact_location, run_id=logged.source_run_id, model_id=logged.model_id, **about
    )
    model.signature = signature
    environment = {"python_version": platform.python_version(), "env": {"virtualenv": "python_env.yaml"}}
    for name, fields in flavors.items():
        model.add_flavor(name, **fields, **(environment if name == "python_function" else {}))
    requirements = "".join(f"{name}=={importlib.metadata.version(name)}\n" for name in packages)
    (folder / "requirements.txt").write_text(requirements, encoding="utf-8")
    (folder / "python_env.yaml").write_text(
        f"python: {platform.python_version()}\nbuild_dependencies:\n- pip\ndependencies:\n- -r requirements.txt\n",
        encoding="utf-8",
    )
    model.save(str(folder / "MLmodel"))
