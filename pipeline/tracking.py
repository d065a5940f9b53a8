"""What MLflow is told of a run: everything at once, when its result files are written. Only this file imports mlflow.

Importing mlflow takes most of a second, so it is imported when a run is logged and not before.
"""

import functools
import gc
import getpass
import importlib.metadata
import itertools
import json
import logging
import os
import platform
import re
import shutil
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import numpy as np

from pipeline.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

DEFAULT_URI = "sqlite:///mlruns/mlflow.db"

# What mlflow reads from the environment; a value that the user has set stays.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # what goes wrong arrives as an exception
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # The defaults, seven retries and 120 s each, would hold up a finished run for minutes when the server is lost.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}

PATIENCE_SECONDS = 5  # for a server or a database to answer before training

# Limits of `log_batch` and of its values: https://mlflow.org/docs/latest/rest-api.html#request-limits
PARAMS_PER_BATCH = 100
METRICS_PER_BATCH = 900  # of 1,000 entities in all, the params included
PARAM_LENGTH = 6000
DIGEST_LENGTH = 36

# What stages write under version control; changes there say nothing of the code that ran.
WRITTEN_BY_STAGES = ("dvc.lock", "experiments/results")


class TrackingLost(Exception):
    """The tracking store was lost, so the run is not logged; the message is one line that says which and why."""


@dataclass(frozen=True)
class Dataset:
    """One split that the run read: where it came from and what tells it from other data."""

    name: str
    digest: str
    source: str
    rows: int
    context: Literal["train", "validation", "test"]


@dataclass(frozen=True)
class RunRecord:
    """All that is logged of one run, as plain data and finished files.

    `curves` has one row per epoch and one column per metric, the epoch as its index; `scores` are final. `model` is a
    `.keras` file of a model from prepared rows, float32 `[n, n_features]`, to `[n, n_outputs]`.

    Raises:
        ValueError: a score has the name of a curve; MLflow would show the curve's last epoch in its place.
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

    def __post_init__(self) -> None:
        curves = () if self.curves is None else self.curves.columns
        if both := sorted(set(curves) & set(self.scores)):
            raise ValueError(f"a score needs a name that no curve has; both are named {', '.join(both)}")


def tracking_uri() -> str:
    """Where runs go: `MLFLOW_TRACKING_URI`, or SQLite under `mlruns/`; the path of an SQLite file made absolute."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI
    path = _sqlite_path(uri)
    return f"sqlite:///{path.as_posix()}" if path else uri


def check_reachable() -> None:
    """Check, before the work and without importing mlflow, that `tracking_uri()` names a store that answers.

    Raises:
        InputError: nothing answers there, it cannot be written to, or it is no store that MLflow knows.
    """
    uri = tracking_uri()
    # "databricks" and the like stand without a colon; so does a folder.
    scheme = uri.partition(":")[0].partition("+")[0]
    check = CHECKS.get(scheme, _check_other)
    if problem := check(uri):
        default = "" if os.environ.get("MLFLOW_TRACKING_URI") else " by default"
        raise InputError(f"MLFLOW_TRACKING_URI is {_shown(uri)}{default}, {problem}")


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    # Half of the time of importing mlflow goes to walking all that Keras and TensorFlow hold, over and over.
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_no_garbage_collection()
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
        return _log(_client(uri), record)
    except Exception as error:
        if not _is_loss(error):
            raise
        raise TrackingLost(f"run {record.name!r} is not logged to {_shown(uri)}: {_first_cause(error)}") from error


def log_run_or_say(record: RunRecord, log_again: str) -> str | None:
    """Like `log_run`, but a lost store costs one line on standard error that names `log_again`, the command to repeat.

    Raises:
        FileNotFoundError: a file of the record does not exist; nothing is logged.
    """
    try:
        return log_run(record)
    except TrackingLost as lost:
        print(f"warning: {lost}; the result files are complete, log them with: {log_again}", file=sys.stderr)
        return None


def _log(client: "MlflowClient", record: RunRecord) -> str:
    experiment_id = _experiment_id(client, record.experiment)
    tags = {**_source_tags(), **_git_tags(Path.cwd()), **record.tags}
    run_id = client.create_run(experiment_id, tags=tags, run_name=record.name).info.run_id
    # A run counts as failed until all of it is there: one that is cut off midway, be it by an error, a kill or a lost
    # server, never looks complete or still running.
    client.update_run(run_id, status="FAILED")
    model_id = _log_model(client, experiment_id, run_id, record) if record.model else None
    _log_values(client, run_id, record, model_id)
    if record.datasets:
        client.log_inputs(run_id, [_dataset_input(dataset) for dataset in record.datasets])
    for path in record.figures:
        client.log_artifact(run_id, str(path), "figures")
    for path in record.files:
        client.log_artifact(run_id, str(path), "results")
    client.set_terminated(run_id, "FINISHED")
    return run_id


def _experiment_id(client: "MlflowClient", name: str) -> str:
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            return client.create_experiment(name, _artifact_location(client.tracking_uri))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        # Another process created it in the meantime.
        experiment = client.get_experiment_by_name(name)
    if experiment.lifecycle_stage == "deleted":
        restore = f"mlflow experiments restore --experiment-id {experiment.experiment_id}"
        raise TrackingLost(f"experiment {name!r} is deleted in {_shown(client.tracking_uri)}; {restore} brings it back")
    return experiment.experiment_id


def _artifact_location(uri: str) -> str | None:
    path = _sqlite_path(uri)
    return (path.parent / "artifacts").as_uri() if path else None


def _source_tags() -> dict[str, str]:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown"
    script = Path(sys.argv[0])
    name = script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script
    return {"mlflow.user": user, "mlflow.source.name": name.as_posix(), "mlflow.source.type": "LOCAL"}


@functools.cache
def _git_tags(folder: Path) -> dict[str, str]:
    outside = [f":(exclude){path}" for path in WRITTEN_BY_STAGES]
    command = ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch", "--untracked-files=no", "--", "."]
    try:
        status = subprocess.run(
            [*command, *outside], cwd=folder, capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    commit = re.search(r"^# branch\.oid ([0-9a-f]+)$", status, re.MULTILINE)
    if commit is None:  # no commit yet
        return {}
    dirty = any(not line.startswith("#") for line in status.splitlines())
    return {"mlflow.source.git.commit": commit[1], "mlflow.source.git.dirty": str(dirty).lower()}


def _log_values(client: "MlflowClient", run_id: str, record: RunRecord, model_id: str | None) -> None:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    params = [Param(name, _param_text(value)) for name, value in record.params.items()]
    scores = [Metric(name, float(value), now, 0, model_id) for name, value in record.scores.items()]
    columns = () if record.curves is None else record.curves.items()
    curves = [
        Metric(name, float(value), now, int(epoch)) for name, column in columns for epoch, value in column.items()
    ]
    batches = itertools.zip_longest(
        _batches(params, PARAMS_PER_BATCH), _batches(scores + curves, METRICS_PER_BATCH), fillvalue=()
    )
    for some_params, some_metrics in batches:
        client.log_batch(run_id, metrics=some_metrics, params=some_params)


def _param_text(value: object) -> str:
    text = str(value)
    return text if len(text) <= PARAM_LENGTH else f"{text[: PARAM_LENGTH - 1]}…"


def _batches(items: list, size: int) -> Iterator[list]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _dataset_input(dataset: Dataset) -> "DatasetInput":
    # The entities themselves: what `mlflow.data` adds is a hash of the data, and the pipeline has one.
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


def _log_model(client: "MlflowClient", experiment_id: str, run_id: str, record: RunRecord) -> str:
    from mlflow.entities import LoggedModelOutput

    model = client.create_logged_model(experiment_id, name="model", source_run_id=run_id)
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    with tempfile.TemporaryDirectory() as folder:
        _write_model(Path(folder), record, model)
        client.log_model_artifacts(model.model_id, folder)
    client.finalize_logged_model(model.model_id, "READY")
    return model.model_id


def _write_model(folder: Path, record: RunRecord, logged: Any) -> None:
    # What `mlflow.keras.save_model` writes. That function loads and saves the model again, spends 0.3 s on listing
    # every installed package, and takes no column signature, without which MLflow's server reads no CSV.
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    model = Model(artifact_path=logged.artifact_location, run_id=logged.source_run_id, model_id=logged.model_id)
    model.signature = ModelSignature(
        Schema([ColSpec("double")] * record.n_features),
        Schema([TensorSpec(np.dtype("float32"), (-1, record.n_outputs))]),
    )
    versions = {name: importlib.metadata.version(name) for name in ("mlflow", "keras", "tensorflow", "numpy")}
    model.add_flavor(
        "keras",
        data="data",
        keras_version=versions["keras"],
        keras_backend="tensorflow",
        save_exported_model=False,
    )
    model.add_flavor(
        "python_function",
        loader_module="mlflow.keras",
        python_version=platform.python_version(),
        env={"virtualenv": "python_env.yaml"},
    )
    (folder / "data").mkdir()
    shutil.copyfile(record.model, folder / "data" / "model.keras")
    (folder / "data" / "keras_module.txt").write_text("keras", encoding="utf-8")
    requirements = "".join(f"{name}=={version}\n" for name, version in versions.items())
    (folder / "requirements.txt").write_text(requirements, encoding="utf-8")
    environment = (
        f"python: {platform.python_version()}\nbuild_dependencies:\n- pip\ndependencies:\n- -r requirements.txt\n"
    )
    (folder / "python_env.yaml").write_text(environment, encoding="utf-8")
    model.save(str(folder / "MLmodel"))


def _check_server(uri: str) -> str | None:
    parts = urlsplit(uri)
    # Not /health, which also answers while the server's database is down and which compatible servers lack.
    path = f"{parts.path.rstrip('/')}/api/2.0/mlflow/experiments/search"
    url = parts._replace(netloc=parts.netloc.rpartition("@")[2], path=path, query="max_results=1").geturl()
    remedy = "start the server, or unset MLFLOW_TRACKING_URI to log to a local file"
    try:
        urlopen(url, timeout=PATIENCE_SECONDS).close()
    except HTTPError as error:
        # Any other refusal comes from a server that wants to know who asks; MLflow sends the credentials.
        if error.code == 404 or error.code >= 500:
            return f"which answers {error.code} {error.reason} to {path}, so it is no working MLflow server; {remedy}"
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        # There is a server; MLflow has settings of its own for certificates.
        if not isinstance(reason, ssl.SSLError):
            return f"where no server answers ({reason}); {remedy}"
    return None


def _check_sqlite(uri: str) -> str | None:
    path = _sqlite_path(uri)
    if path is None:
        return f"which names no file, so runs would be lost; give one, such as {DEFAULT_URI}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        return f"whose folder cannot be written to ({error.strerror}); make it writable or name another file"
    if not path.exists():
        return None
    try:
        # Waits for its turn when another run is writing.
        with closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        return f"which cannot be written to ({error}); repair it, move it away or name another file"
    return None


def _check_database(uri: str) -> str | None:
    import sqlalchemy

    # The drivers of these two take the same argument; ODBC has its own limit.
    limit = {} if uri.startswith("mssql") else {"connect_timeout": PATIENCE_SECONDS}
    try:
        sqlalchemy.create_engine(uri, connect_args=limit).connect().close()
    except (sqlalchemy.exc.SQLAlchemyError, ImportError) as error:
        return f"which cannot be used ({_first_cause(error)}); start the database, install its driver or name another"
    return None


def _check_other(uri: str) -> str | None:
    scheme = uri.partition(":")[0]
    plugins = importlib.metadata.entry_points(group="mlflow.tracking_store").names
    if scheme in {"databricks", "databricks-uc", "uc", *plugins}:
        return None
    if scheme in {"file", uri}:
        return f"a folder, which MLflow no longer writes to; use SQLite, such as {DEFAULT_URI}"
    return (
        f"whose scheme {scheme} MLflow does not know; use http, https, sqlite, postgresql, mysql, mssql or databricks"
    )


CHECKS: dict[str, Callable[[str], str | None]] = {
    "http": _check_server,
    "https": _check_server,
    "sqlite": _check_sqlite,
    "postgresql": _check_database,
    "mysql": _check_database,
    "mssql": _check_database,
}


@functools.cache
def _mlflow() -> ModuleType:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # a warning for each retry
    import mlflow

    return mlflow


@functools.cache
def _client(uri: str) -> "MlflowClient":
    mlflow = _mlflow()
    if (path := _sqlite_path(uri)) and not path.exists():
        _create_sqlite(path)
    return mlflow.MlflowClient(uri)


def _create_sqlite(path: Path) -> None:
    # MLflow makes the tables in some sixty steps. In memory they do not wait for the disk, seconds on a busy one; and
    # of several processes that come first, one gives its whole file the name: none meets another's half-made tables.
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    engine = SqlAlchemyStore("sqlite:///:memory:", (path.parent / "artifacts").as_uri()).engine
    try:
        with closing(sqlite3.connect(beside)) as file:
            # Readers do not wait for a writer, and a commit waits for the disk once instead of three times. Some
            # network drives cannot do it and go on without.
            with suppress(sqlite3.OperationalError):
                file.execute("PRAGMA journal_mode = wal")
            with closing(engine.raw_connection()) as memory:
                memory.driver_connection.backup(file)
        _claim(path, beside)
    finally:
        engine.dispose()
        beside.unlink(missing_ok=True)


def _claim(path: Path, beside: Path) -> None:
    try:
        path.hardlink_to(beside)
    except FileExistsError:
        pass  # another process was first
    except OSError:
        beside.replace(path)  # a drive without hard links


def _sqlite_path(uri: str) -> Path | None:
    match = re.match(r"sqlite(?:\+\w+)?:///([^?:][^?]*)", uri)
    return Path(match[1]).absolute() if match else None


def _shown(uri: str) -> str:
    return re.sub(r"(://[^/@]*):[^/@]*@", r"\1:***@", uri)


def _is_loss(error: Exception) -> bool:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    if isinstance(error, MlflowException):
        # That one is about what we sent, so it is our bug.
        return error.error_code != "INVALID_PARAMETER_VALUE"
    return isinstance(error, OSError | SQLAlchemyError)


def _first_cause(error: BaseException) -> str:
    # MLflow, requests and urllib3 each wrap the one below; the innermost says what happened. A look into a cache that
    # came to nothing may lie further in still.
    cause = error.__cause__ or error.__context__
    while cause and not isinstance(cause, LookupError | AttributeError):
        error, cause = cause, cause.__cause__ or cause.__context__
    return " ".join(str(error).split())[:300]
