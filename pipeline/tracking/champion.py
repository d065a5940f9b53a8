"""The recommended model as a user would call it, in MLflow's registry under the alias `champion`."""

import json
import re
import shutil
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import serving
from pipeline.data.splits import Summary
from pipeline.tracking.model_folder import write_mlmodel
from pipeline.tracking.run import is_loss, log_model, open_client
from pipeline.tracking.store import first_cause, tracking_uri, without_password

if TYPE_CHECKING:
    import keras
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature

ALIAS = "champion"
PACKAGES = ("mlflow", "keras", "tensorflow", "numpy", "pandas")
LOADER = Path(serving.__file__)
INPUT_EXAMPLE = "input_example.json"
SERVING_EXAMPLE = "serving_input_example.json"


def registered_name(source: str) -> str:
    """The name in the registry of the model for this `data.source`."""
    return "overfitting-study-" + (re.sub(r"[^\w-]+", "-", Path(source).stem, flags=re.ASCII).strip("-") or "data")


def register_champion(
    model: "keras.Model | Path",
    summary: Summary,
    preprocessing: Mapping[str, Any],
    run_id: str,
    scores: Mapping[str, float] | None = None,
) -> int | None:
    """Log the model under a run, register it and give it the alias, once for each run; its version.

    A store that is lost or has no registry costs one line on standard error; the version is None then.

    Args:
        model: from prepared rows to probabilities, or to numbers in the target's unit; or its `.keras` file.
        preprocessing: the content of `data/prepared/preprocessing.json`.
        scores: what to expect of it, shown beside it.
    """
    write = partial(write_champion, model=model, summary=summary, preprocessing=preprocessing)
    uri = tracking_uri()
    try:
        return _register(open_client(uri), registered_name(summary.source), run_id, write, scores or {})
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
) -> None:
    """Write the logged form: the loader's code, and as its data the model and the preprocessing; nothing pickled."""
    (folder / "code").mkdir()
    (folder / "data").mkdir()
    shutil.copyfile(LOADER, folder / "code" / LOADER.name)
    if isinstance(model, Path):
        shutil.copyfile(model, folder / "data" / "model.keras")
    else:
        model.save(folder / "data" / "model.keras")
    (folder / "data" / "preprocessing.json").write_text(json.dumps(preprocessing), encoding="utf-8")
    about = {"metadata": _about(summary, preprocessing)}
    if preprocessing["kind"] == "table":
        about["saved_input_example_info"] = _write_example(folder, preprocessing["columns"])
    flavor = {"loader_module": LOADER.stem, "code": "code", "data": "data"}
    write_mlmodel(folder, logged, _signature(preprocessing), {"python_function": flavor}, PACKAGES, **about)


def _about(summary: Summary, preprocessing: Mapping[str, Any]) -> dict[str, Any]:
    about = {"source": summary.source, "task": summary.task, "target": summary.target}
    if preprocessing["kind"] == "image":
        return about | {"image_shape": summary.image_shape}
    return about | {"columns": {column["name"]: column["kind"] for column in preprocessing["columns"]}}


def _signature(preprocessing: Mapping[str, Any]) -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    # Under `double` MLflow refuses whole numbers (int64), under `string` and `boolean` a column that is all NaN, and
    # its server makes a missing boolean False. So it checks that the columns are there, the loader what they hold.
    # Images come as [n, height, width] or as [n, pixels], of any type, which no signature can say.
    named = preprocessing["kind"] == "table"
    inputs = Schema([ColSpec(AnyType(), column["name"]) for column in preprocessing["columns"]]) if named else None
    classes = preprocessing["classes"]
    if classes is None:
        return ModelSignature(inputs, Schema([ColSpec("double", "prediction")]))
    probabilities = [ColSpec("double", f"probability_{name}") for name in classes]
    return ModelSignature(inputs, Schema([ColSpec("string", "class"), *probabilities]))


def _write_example(folder: Path, columns: list[dict[str, Any]]) -> dict[str, str]:
    # What stands for a missing value is the column's middle, or its most frequent value: together a likely row.
    row = [bool(column["missing"]) if column["kind"] == "boolean" else column["missing"] for column in columns]
    example = {"columns": [column["name"] for column in columns], "data": [row]}
    (folder / INPUT_EXAMPLE).write_text(json.dumps(example), encoding="utf-8")
    (folder / SERVING_EXAMPLE).write_text(json.dumps({"dataframe_split": example}), encoding="utf-8")
    return {
        "artifact_path": INPUT_EXAMPLE,
        "serving_input_path": SERVING_EXAMPLE,
        "type": "dataframe",
        "pandas_orient": "split",
    }


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
    client.set_registered_model_alias(name, ALIAS, version)
    return version


def _make_name(client: "MlflowClient", name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, description="What a study recommends; the alias is the last one's.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
