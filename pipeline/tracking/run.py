"""Logging of a run to MLflow: all at once, after its result files are written."""

import itertools
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import without_password
from pipeline.tracking.client import TrackingLost, is_loss, no_garbage_collection, open_client
from pipeline.tracking.entities import (
    METRICS_PER_BATCH,
    PARAMS_PER_BATCH,
    Dataset,
    batches,
    curve_points,
    dataset_input,
    param_text,
)
from pipeline.tracking.logged_model import log_model, write_keras_model
from pipeline.tracking.provenance import git_tags, source_tags
from pipeline.tracking.store import first_cause, sqlite_path, tracking_uri
from pipeline.tracking.view import KIND

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Metric

EXPERIMENT = "pipeline"  # of the trainings and their evaluations
# The tag with a digest of what is logged: an unfinished run with the same digest is resumed.
IDENTITY = "parent.identity"

# Params with these prefixes are the settings that a model depends on which was scored on the test set.
SETTINGS = ("data.", "model.", "train.")


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
    model_id = None
    if record.model:
        write = partial(write_keras_model, record.model, record.n_features, record.n_outputs)
        model_id = log_model(client, experiment_id, run_id, "model", write)
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
