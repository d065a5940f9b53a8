"""Logging of a run to MLflow: all at once, after its result files are written.

Importing mlflow takes most of a second, so it is only imported when a run is logged.
"""

import functools
import gc
import itertools
import json
import logging
import os
import sqlite3
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from pipeline.errors import without_password
from pipeline.tracking.provenance import git_tags, source_tags
from pipeline.tracking.sqlite import create_sqlite
from pipeline.tracking.store import first_cause, sqlite_path, tracking_uri
from pipeline.tracking.view import KIND

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, LoggedModel, Metric

Item = TypeVar("Item")

# Defaults of environment variables that mlflow reads; values that the user has set are not changed.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # problems are reported by exceptions
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # With MLflow's defaults, seven retries and 120 s, a finished run would wait for minutes when the server is lost.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}

EXPERIMENT = "pipeline"  # of the trainings and their evaluations
# The tag with a digest of what is logged, by which a run is gone on with.
IDENTITY = "parent.identity"

# Limits of `log_batch` and of its values: https://mlflow.org/docs/latest/rest-api.html#request-limits
PARAMS_PER_BATCH = 100
METRICS_PER_BATCH = 900  # at most 1,000 entities in all, including params
PARAM_LENGTH = 6000
PAGE = 1000
DIGEST_LENGTH = 36
# Params with these prefixes are the settings that the model of a look at the test set depends on.
SETTINGS = ("data.", "model.", "train.")


class TrackingLost(Exception):
    """The tracking store is lost, so the run is not logged; the message is one line with the store and the cause."""


@dataclass(frozen=True)
class Dataset:
    """A split that the run read: its source, and the digest that identifies it."""

    name: str
    digest: str
    source: str
    rows: int
    context: Literal["train", "validation", "test"]


@dataclass(frozen=True)
class RunRecord:
    """The content of a run to log, as plain data and finished files.

    `curves` has one row per epoch, with the epoch as index, and one column per metric; `scores` are final. `model` is
    the `.keras` file of a model from prepared rows, float32 `[n, n_features]`, to `[n, n_outputs]`. An
    unfinished run of the same `identity` is completed.

    Raises:
        ValueError: a score has the name of a curve, whose last epoch MLflow would show in its place.
    """

    experiment: str
    name: str
    params: Mapping[str, object] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    curves: "pd.DataFrame | None" = None
    scores: Mapping[str, float] = field(default_factory=dict)
    datasets: Sequence[Dataset] = ()
    figures: Sequence[Path] = ()
    files: Sequence[Path] = ()
    model: Path | None = None
    n_features: int = 0
    n_outputs: int = 0
    identity: str | None = None

    def __post_init__(self) -> None:
        curves = () if self.curves is None else self.curves.columns
        if both := sorted(set(curves) & set(self.scores)):
            raise ValueError(f"a score needs a name that no curve has; both are named {', '.join(both)}")


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Suspend the garbage collector, for the first import of mlflow."""
    # Half of the time of that import is spent in the collector, which walks all objects of Keras and TensorFlow.
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@no_garbage_collection()
def log_run(record: RunRecord) -> str:
    """Log a finished run to `tracking_uri()` and return its id.

    Raises:
        TrackingLost: the store went away or refuses to write.
        FileNotFoundError: a file of the record does not exist; nothing is logged.
    """
    for path in [*record.figures, *record.files, *filter(None, [record.model])]:
        Path(path).stat()
    uri = tracking_uri()
    try:
        return _log(open_client(uri), record)
    except Exception as error:
        if not is_loss(error):
            raise
        raise TrackingLost(
            f"run {record.name!r} is not logged to {without_password(uri)}: {first_cause(error)}"
        ) from error


def log_run_or_say(record: RunRecord, log_again: str) -> str | None:
    """Log a run as `log_run` does; if the store is lost, print one line with `log_again`, the command to repeat.

    Raises:
        FileNotFoundError: a file of the record does not exist; nothing is logged.
    """
    try:
        return log_run(record)
    except TrackingLost as lost:
        print(f"warning: {lost}; the result files are complete, log them with: {log_again}", file=sys.stderr)
        return None


def _log(client: "MlflowClient", record: RunRecord) -> str:
    from mlflow.entities import RunTag

    experiment_id = experiment_id_of(client, record.experiment)
    tags = {**source_tags(), **git_tags(Path.cwd()), **record.tags}
    begun = unfinished_run(client, experiment_id, record.identity)
    run_id = begun or client.create_run(experiment_id, tags=tags, run_name=record.name).info.run_id
    # A run counts as failed until all of it is logged, so that one that is cut off by an error, a kill or a lost server
    # never looks complete or still running.
    client.update_run(run_id, status="FAILED", name=record.name)
    if begun:
        client.log_batch(run_id, tags=[RunTag(*tag) for tag in tags.items()])
    model_id = (
        log_model(client, experiment_id, run_id, "model", partial(_write_model, record)) if record.model else None
    )
    curves = [] if record.curves is None else curve_points(record.curves)
    _log_values(client, run_id, record, model_id, points_to_log(client, run_id, curves) if begun else curves)
    if record.datasets:
        client.log_inputs(run_id, [dataset_input(dataset) for dataset in record.datasets])
    for path in record.figures:
        client.log_artifact(run_id, str(path), "figures")
    for path in record.files:
        client.log_artifact(run_id, str(path), "results")
    client.set_terminated(run_id, "FINISHED")
    return run_id


def experiment_id_of(client: "MlflowClient", name: str) -> str:
    """Return the id of the experiment of this name, which is created if there is none."""
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            return client.create_experiment(name, _artifact_location(client.tracking_uri), KIND)
        except MlflowException as error:
            # Another process may have created it in the meantime.
            experiment = client.get_experiment_by_name(name) if error.error_code == "RESOURCE_ALREADY_EXISTS" else None
            if experiment is None:
                raise
    if experiment.lifecycle_stage == "deleted":
        restore = f"mlflow experiments restore --experiment-id {experiment.experiment_id}"
        raise TrackingLost(
            f"experiment {name!r} is deleted in {without_password(client.tracking_uri)}; {restore} brings it back"
        )
    return experiment.experiment_id


def _artifact_location(uri: str) -> str | None:
    path = sqlite_path(uri)
    return (path.parent / "artifacts").as_uri() if path else None


def unfinished_run(client: "MlflowClient", experiment_id: str, identity: str | None) -> str | None:
    """Return the id of the latest run with this identity (`IDENTITY`) that is not finished; None if there is none."""
    if identity is None:
        return None
    query = f"tags.`{IDENTITY}` = '{identity}'"
    runs = client.search_runs([experiment_id], query, max_results=20)  # the latest first
    return next((run.info.run_id for run in runs if run.info.status != "FINISHED"), None)


def curve_points(curves: "pd.DataFrame") -> "list[Metric]":
    """Return the points of curves, which have a row per epoch and a column per metric."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [
        Metric(str(name), float(value), now, int(epoch))
        for name, column in curves.items()
        for epoch, value in zip(column.index, column, strict=True)
    ]


def points_to_log(client: "MlflowClient", run_id: str, points: "list[Metric]") -> "list[Metric]":
    """Return the points that a run does not have: MLflow would keep both."""
    names = {point.key for point in points}
    logged = {(name, point.step) for name in names for point in client.get_metric_history(run_id, name)}
    return [point for point in points if (point.key, point.step) not in logged]


def _log_values(
    client: "MlflowClient", run_id: str, record: RunRecord, model_id: str | None, curves: "list[Metric]"
) -> None:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    params = [Param(name, param_text(value)) for name, value in record.params.items()]
    scores = [Metric(name, float(value), now, 0, model_id) for name, value in record.scores.items()]
    chunks = itertools.zip_longest(
        batches(params, PARAMS_PER_BATCH), batches(scores + curves, METRICS_PER_BATCH), fillvalue=()
    )
    for some_params, some_metrics in chunks:
        client.log_batch(run_id, metrics=some_metrics, params=some_params)


def param_text(value: object) -> str:
    """Return the text of a setting to log, with an ellipsis where it is too long."""
    text = str(value)
    return text if len(text) <= PARAM_LENGTH else f"{text[: PARAM_LENGTH - 1]}…"


def batches(items: list[Item], size: int) -> Iterator[list[Item]]:
    """Split a list into pieces of at most this size."""
    return (items[start : start + size] for start in range(0, len(items), size))


def pages(search: Callable[..., Any], **query: Any) -> Iterator[Any]:
    """Yield all results of a client's `search`, page by page."""
    token = None
    while True:
        page = search(max_results=PAGE, page_token=token, **query)
        yield from page
        token = page.token
        if not token:
            return


def dataset_input(dataset: Dataset) -> "DatasetInput":
    """Return MLflow's entity for a split."""
    # `mlflow.data` would only add a hash of the data, which the pipeline has already.
    from mlflow.entities import Dataset as MlflowDataset
    from mlflow.entities import DatasetInput, InputTag

    remote = dataset.source.startswith(("http://", "https://"))
    entity = MlflowDataset(
        dataset.name,
        dataset.digest[:DIGEST_LENGTH],
        source_type="http" if remote else "local",
        source=json.dumps({"url" if remote else "uri": dataset.source}),
        profile=json.dumps({"num_rows": dataset.rows}),
    )
    return DatasetInput(entity, [InputTag("mlflow.data.context", dataset.context)])


def _write_model(record: RunRecord, folder: Path, logged: "LoggedModel") -> None:
    """Write a `.keras` file of a model from prepared rows, as `mlflow.keras` loads it."""
    import keras

    with without_advice():
        import mlflow.keras
        from mlflow.models import Model, ModelSignature
        from mlflow.types import ColSpec, Schema, TensorSpec

        rows, outputs = (
            Schema([TensorSpec(np.dtype("float32"), (-1, width))]) for width in (record.n_features, record.n_outputs)
        )
        mlflow.keras.save_model(
            keras.saving.load_model(record.model, compile=False, safe_mode=True),
            str(folder),
            mlflow_model=Model(run_id=logged.source_run_id, model_id=logged.model_id),
            signature=ModelSignature(rows, outputs),
            pip_requirements=requirements("mlflow", "keras", "tensorflow", "numpy"),
        )
    # MLflow saves a Keras model with a signature of tensors alone, and serves CSV by one of columns alone.
    saved = Model.load(str(folder))
    saved.signature = ModelSignature(Schema([ColSpec("double")] * record.n_features), outputs)
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


@functools.cache
def import_mlflow() -> ModuleType:
    """Import MLflow with the defaults of `ENVIRONMENT`; the first call takes most of a second."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # a warning for each retry
    import mlflow

    return mlflow


@functools.cache
def open_client(uri: str) -> "MlflowClient":
    """Return a client of the store; an SQLite file that does not exist is created."""
    mlflow = import_mlflow()
    if (path := sqlite_path(uri)) and not path.exists():
        create_sqlite(path)
    return mlflow.MlflowClient(uri)


def is_loss(error: Exception) -> bool:
    """Return whether the error says that the store is lost or refuses to write; any other error is our bug."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    if isinstance(error, MlflowException):
        # An invalid value was sent by us, so it is our bug.
        return error.error_code != "INVALID_PARAMETER_VALUE"
    return isinstance(error, OSError | SQLAlchemyError | sqlite3.Error)
