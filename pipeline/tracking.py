"""What MLflow is told of a run: everything at once, when its result files are written.

Importing mlflow takes most of a second, so it is imported when a run is logged and not before.
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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal

import numpy as np

from pipeline.provenance import git_tags, source_tags
from pipeline.store import first_cause, sqlite_path, tracking_uri, without_password
from pipeline.tracking_model import write_prepared_model
from pipeline.tracking_view import KIND, share_view

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, LoggedModel

# What mlflow reads from the environment; a value that the user has set stays.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # what goes wrong arrives as an exception
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # The defaults, seven retries and 120 s each, would hold up a finished run for minutes when the server is lost.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}

# Limits of `log_batch` and of its values: https://mlflow.org/docs/latest/rest-api.html#request-limits
PARAMS_PER_BATCH = 100
METRICS_PER_BATCH = 900  # of 1,000 entities in all, the params included
PARAM_LENGTH = 6000
DIGEST_LENGTH = 36

# Of all of a child's curves together. SQLite takes some 16 ms for a child, and 0.08 ms more for each point.
CURVE_POINTS = 120


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
        return _log(open_client(uri), record)
    except Exception as error:
        if not is_loss(error):
            raise
        raise TrackingLost(
            f"run {record.name!r} is not logged to {without_password(uri)}: {first_cause(error)}"
        ) from error


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


@dataclass(frozen=True)
class ChildRecord:
    """One of many runs under a parent, all of it in a few requests.

    Attributes:
        key: tells it from its siblings for good, such as a trial's number.
        status: FINISHED, KILLED (ended early on purpose) or FAILED.
        curves: by metric, its value after each epoch, the first one that of epoch 1; None is left out, and so are
            points between others where there are more than `CURVE_POINTS` in all.
        began, ended: milliseconds since 1970.
    """

    key: str
    name: str
    status: Literal["FINISHED", "KILLED", "FAILED"]
    params: Mapping[str, object]
    scores: Mapping[str, float]
    curves: Mapping[str, Sequence[float | None]]
    tags: Mapping[str, str]
    began: int
    ended: int


class ParentRun:
    """A run with children that are logged as they end, each once, however often the parent is resumed.

    When the store is lost, one line says so, and by `log_again` what to do about it, and nothing more is logged;
    opening the parent again logs what is missing. `children` has the run id of each key that is logged.
    """

    KEY = "child.key"

    def __init__(
        self,
        experiment: str,
        name: str,
        run_id: str | None = None,
        log_again: str = "what is missing is logged when it is started again",
    ):
        self.experiment, self.name, self.run_id, self.log_again = experiment, name, run_id, log_again
        self.children: dict[str, str] = {}
        self.lost = False
        self.client = None

    @property
    def logged(self) -> set[str]:
        """The keys of the children that are logged."""
        return set(self.children)

    def open(self) -> None:
        """Make the run, or find it with the children that it has; a run id that the store does not know is no error."""
        self._or_lost(self._open)

    def add(self, children: Iterable[ChildRecord]) -> None:
        """Log those of the children that are not logged yet."""
        for child in children:
            if child.key not in self.children:
                self._or_lost(lambda child=child: self._add(child))

    def finish(
        self,
        scores: Mapping[str, float],
        params: Mapping[str, object],
        files: Sequence[Path],
        datasets: Sequence[Dataset] = (),
    ) -> None:
        """Log the results and end the run."""
        self._or_lost(lambda: self._finish(scores, params, files, datasets))

    def show(self, key: str, columns: Sequence[str]) -> None:
        """Make a view of the children with these columns, and say how to see it; see `tracking_view.share_view`."""
        self._or_lost(lambda: self._show(key, columns))

    def end(self, status: Literal["KILLED", "FAILED"]) -> None:
        """End the run without results; it can be opened again. One that never was is no error."""
        if self.client is None:
            return
        self._or_lost(lambda: self.client.set_terminated(self.run_id, status))

    def _or_lost(self, action: Callable[[], None]) -> None:
        if self.lost:
            return
        try:
            action()
        except Exception as error:
            if not is_loss(error):
                raise
            self.lost = True
            where = without_password(tracking_uri())
            print(
                f"warning: {self.name} is not logged to {where} any more: {first_cause(error)}; {self.log_again}",
                file=sys.stderr,
            )

    def _show(self, key: str, columns: Sequence[str]) -> None:
        link = share_view(self.client, self.experiment_id, key, self.run_id, columns)
        print(f"MLflow run {self.run_id}; `make ui` shows it, and its children at http://127.0.0.1:5000/{link}")

    @_no_garbage_collection()
    def _open(self) -> None:
        self.client = open_client(tracking_uri())
        self.experiment_id = _experiment_id(self.client, self.experiment)
        found = f"tags.`mlflow.parentRunId` = '{self.run_id}'"
        if self.run_id is not None and self._exists():
            self.client.update_run(self.run_id, status="RUNNING")
            for page in self._pages(found):
                self.children |= {run.data.tags[self.KEY]: run.info.run_id for run in page if self.KEY in run.data.tags}
            return
        tags = {**source_tags(), **git_tags(Path.cwd())}
        self.run_id = self.client.create_run(self.experiment_id, tags=tags, run_name=self.name).info.run_id

    def _exists(self) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            return self.client.get_run(self.run_id).info.lifecycle_stage == "active"
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return False

    def _pages(self, found: str) -> Iterator[list]:
        token = None
        while True:
            page = self.client.search_runs([self.experiment_id], found, max_results=1000, page_token=token)
            whole = [run for run in page if run.info.status != "RUNNING"]
            # One that was cut off before it had ended is made anew.
            for run in page:
                if run not in whole:
                    self.client.delete_run(run.info.run_id)
            yield whole
            token = page.token
            if not token:
                return

    def _add(self, child: ChildRecord) -> None:
        from mlflow.entities import Metric, Param

        tags = {"mlflow.parentRunId": self.run_id, self.KEY: child.key, **source_tags(), **child.tags}
        run = self.client.create_run(self.experiment_id, child.began, tags, child.name).info.run_id
        metrics = [Metric(name, float(value), child.ended, 0) for name, value in child.scores.items()]
        for name, curve in child.curves.items():
            points = [(epoch, value) for epoch, value in enumerate(curve, start=1) if value is not None]
            kept = thinned(points, CURVE_POINTS // len(child.curves))
            metrics += [Metric(name, value, child.ended, epoch) for epoch, value in kept]
        params = [Param(name, param_text(value)) for name, value in child.params.items()]
        self.client.log_batch(run, metrics=metrics, params=params[:PARAMS_PER_BATCH])
        self.client.set_terminated(run, child.status, child.ended)
        self.children[child.key] = run

    def _finish(
        self,
        scores: Mapping[str, float],
        params: Mapping[str, object],
        files: Sequence[Path],
        datasets: Sequence[Dataset],
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        had = self.client.get_run(self.run_id).data.params
        texts = {name: param_text(value) for name, value in params.items()}
        # A param never changes, and a run that is gone on with may have other settings, such as more trials.
        changed = [RunTag(name, text) for name, text in texts.items() if had.get(name, text) != text]
        new = [Param(name, text) for name, text in texts.items() if name not in had]
        metrics = [Metric(name, float(value), now, 0) for name, value in scores.items()]
        self.client.log_batch(self.run_id, metrics=metrics, tags=changed)
        for params in _batches(new, PARAMS_PER_BATCH):
            self.client.log_batch(self.run_id, params=params)
        if datasets:
            self.client.log_inputs(self.run_id, [_dataset_input(dataset) for dataset in datasets])
        for path in files:
            self.client.log_artifact(self.run_id, str(path), "results")
        self.client.set_terminated(self.run_id, "FINISHED")


def thinned(points: Sequence, most: int) -> Sequence:
    """At most so many of the points, evenly spread, the first and the last among them."""
    if len(points) <= most:
        return points
    return [points[place] for place in np.linspace(0, len(points) - 1, most).round().astype(int)]


def _log(client: "MlflowClient", record: RunRecord) -> str:
    experiment_id = _experiment_id(client, record.experiment)
    tags = {**source_tags(), **git_tags(Path.cwd()), **record.tags}
    run_id = client.create_run(experiment_id, tags=tags, run_name=record.name).info.run_id
    # A run counts as failed until all of it is there: one that is cut off midway, be it by an error, a kill or a lost
    # server, never looks complete or still running.
    client.update_run(run_id, status="FAILED")
    model_id = (
        log_model(client, experiment_id, run_id, "model", partial(_write_model, record)) if record.model else None
    )
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
            return client.create_experiment(name, _artifact_location(client.tracking_uri), KIND)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        # Another process created it in the meantime.
        experiment = client.get_experiment_by_name(name)
    if experiment.lifecycle_stage == "deleted":
        restore = f"mlflow experiments restore --experiment-id {experiment.experiment_id}"
        raise TrackingLost(
            f"experiment {name!r} is deleted in {without_password(client.tracking_uri)}; {restore} brings it back"
        )
    return experiment.experiment_id


def _artifact_location(uri: str) -> str | None:
    path = sqlite_path(uri)
    return (path.parent / "artifacts").as_uri() if path else None


def _log_values(client: "MlflowClient", run_id: str, record: RunRecord, model_id: str | None) -> None:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    params = [Param(name, param_text(value)) for name, value in record.params.items()]
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


def param_text(value: object) -> str:
    """A setting as it is logged: cut visibly where it is too long."""
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


def _write_model(record: RunRecord, folder: Path, logged: "LoggedModel") -> None:
    write_prepared_model(folder, logged, record.model, record.n_features, record.n_outputs)


def log_model(
    client: "MlflowClient", experiment_id: str, run_id: str, name: str, write: "Callable[[Path, LoggedModel], None]"
) -> str:
    """Log what `write` puts into the folder as a model of the run; its id."""
    from mlflow.entities import LoggedModelOutput

    model = client.create_logged_model(experiment_id, name=name, source_run_id=run_id)
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), model)
        client.log_model_artifacts(model.model_id, folder)
    client.finalize_logged_model(model.model_id, "READY")
    return model.model_id


@functools.cache
def _mlflow() -> ModuleType:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # a warning for each retry
    import mlflow

    return mlflow


@functools.cache
def open_client(uri: str) -> "MlflowClient":
    """A client of the store, which is made if it is an SQLite file that is not there yet."""
    mlflow = _mlflow()
    if (path := sqlite_path(uri)) and not path.exists():
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


def is_loss(error: Exception) -> bool:
    """Whether the error says that the store went away or refuses to write; any other is our bug."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    if isinstance(error, MlflowException):
        # That one is about what we sent, so it is our bug.
        return error.error_code != "INVALID_PARAMETER_VALUE"
    return isinstance(error, OSError | SQLAlchemyError)
