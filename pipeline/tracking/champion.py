"""The recommended model as a user would call it, in MLflow's registry under the alias `champion`."""

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pipeline import serving
from pipeline.data.splits import Summary
from pipeline.errors import without_password
from pipeline.tracking.client import is_loss, open_client
from pipeline.tracking.logged_model import log_model, requirements, without_advice
from pipeline.tracking.store import first_cause, tracking_uri

if TYPE_CHECKING:
    import keras
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature

ALIAS = "champion"
PACKAGES = ("mlflow", "keras", "tensorflow", "numpy", "pandas", "scikit-learn")
SERVED_MODEL = Path(__file__).parent / "served_model.py"


def registered_name(name: str) -> str:
    """Return the name in the registry of the model for the data of this name, in whatever script that is written."""
    return "overfitting-study-" + (re.sub(r"[^\w-]+", "-", name).strip("-") or "data")


def register_champion(
    model: "keras.Model | Path",
    summary: Summary,
    preprocessing: Mapping[str, Any],
    run_id: str,
    scores: Mapping[str, float] | None = None,
    is_ensemble: bool = False,
) -> int | None:
    """Log the model under a run, register it and give it the alias, once for each run; its version.

    A store that is lost or has no registry costs one line on standard error; the version is None then.

    Args:
        model: from prepared rows to probabilities, or to numbers in the target's unit; or its `.keras` file.
        preprocessing: the content of `data/prepared/preprocessing.json`, and `threshold` where the second of two
            classes is said from that probability on; see `serving.Champion`.
        scores: what to expect of it, shown beside it.
        is_ensemble: whether the model is several seeds, so that its predictions have a spread; see `serving.Champion`.
    """
    write = partial(write_champion, model=model, summary=summary, preprocessing=preprocessing, is_ensemble=is_ensemble)
    uri = tracking_uri()
    try:
        return _register(open_client(uri), registered_name(summary.name), run_id, write, scores or {})
    except Exception as error:
        if not is_loss(error):
            raise
        print(
            f"warning: the champion is not registered in {without_password(uri)}: {first_cause(error)}", file=sys.stderr
        )
        return None


def write_champion(
    folder: Path,
    logged: "LoggedModel",
    model: "keras.Model | Path",
    summary: Summary,
    preprocessing: Mapping[str, Any],
    is_ensemble: bool = False,
) -> None:
    """Write the logged form: code, and as its artifacts the model and the preprocessing; nothing is pickled."""
    with tempfile.TemporaryDirectory() as beside, without_advice():
        import mlflow.pyfunc
        from mlflow.models import Model

        artifacts = {"model": Path(beside) / "model.keras", "preprocessing": Path(beside) / "preprocessing.json"}
        if isinstance(model, Path):
            shutil.copyfile(model, artifacts["model"])
        else:
            model.save(artifacts["model"])
        artifacts["preprocessing"].write_text(json.dumps(preprocessing), encoding="utf-8")
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(SERVED_MODEL),
            code_paths=[serving.__file__],
            artifacts={name: str(path) for name, path in artifacts.items()},
            signature=_signature(preprocessing, is_ensemble),
            input_example=_example(preprocessing),
            pip_requirements=requirements(*PACKAGES),
            metadata=_about(summary, preprocessing),
            mlflow_model=Model(run_id=logged.source_run_id, model_id=logged.model_id),
        )


def _about(summary: Summary, preprocessing: Mapping[str, Any]) -> dict[str, Any]:
    about = {"source": summary.source, "task": summary.task, "target": summary.target}
    if preprocessing["kind"] == "image":
        return about | {"image_shape": summary.image_shape}
    return about | {"columns": {column["name"]: column["kind"] for column in preprocessing["columns"]}}


def _signature(preprocessing: Mapping[str, Any], is_ensemble: bool) -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    # The model itself checks what comes in, and the columns stand in the metadata. Under `double` MLflow refuses whole
    # numbers (int64), under `string` and `boolean` a column that is all NaN, its server makes a missing boolean False,
    # and of columns of any type it reads no text/csv. Images are [n, height, width] or [n, pixels], of any type.
    classes, spread = preprocessing["classes"], [ColSpec("double", "spread")] if is_ensemble else []
    if classes is None:
        return ModelSignature(outputs=Schema([ColSpec("double", "prediction"), *spread]))
    probabilities = [ColSpec("double", f"probability_{name}") for name in classes]
    balanced = [ColSpec("string", "class_balanced")] if "threshold" in preprocessing else []
    return ModelSignature(outputs=Schema([ColSpec("string", "class"), *probabilities, *balanced, *spread]))


def _example(preprocessing: Mapping[str, Any]) -> pd.DataFrame | None:
    """Return a possible row: a number's median, a boolean's most frequent value, a text's last category."""
    if preprocessing["kind"] == "image":
        return None
    return pd.DataFrame([{column["name"]: _example_value(column) for column in preprocessing["columns"]}])


def _example_value(column: Mapping[str, Any]) -> object:
    if column["kind"] == "text":
        return column["categories"][-1]
    return bool(column["missing"]) if column["kind"] == "boolean" else column["missing"]


def _register(client: "MlflowClient", name: str, run_id: str, write: Any, scores: Mapping[str, float]) -> int:
    from mlflow.entities import Metric

    if registered := client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'"):
        return int(registered[0].version)
    run = client.get_run(run_id)
    model_id = log_model(client, run.info.experiment_id, run_id, ALIAS, write)
    metrics = [Metric(key, float(value), run.info.start_time, 0, model_id) for key, value in scores.items()]
    client.log_batch(run_id, metrics=metrics)
    _make_name(client, name)
    # A server looks the model up by its id; where there is none, MLflow would look in the store of its default URI.
    is_server = client.tracking_uri.startswith("http")
    source = f"models:/{model_id}" if is_server else client.get_logged_model(model_id).artifact_location
    version = int(client.create_model_version(name, source, run_id, model_id=model_id).version)
    # The interface takes the way from the model to its version from here, as `mlflow.register_model` leaves it.
    client.set_logged_model_tags(model_id, {"mlflow.modelVersions": json.dumps([{"name": name, "version": version}])})
    client.set_registered_model_alias(name, ALIAS, str(version))
    return version


def _make_name(client: "MlflowClient", name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, description="What a study recommends; the alias is the last one's.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
