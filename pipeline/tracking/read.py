"""Reading of runs from MLflow: the looks at a test set, and a run with its children."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import without_password
from pipeline.tracking.client import TrackingLost, is_loss, open_client, pages
from pipeline.tracking.entities import DIGEST_LENGTH, param_text
from pipeline.tracking.parent import ParentRun
from pipeline.tracking.run import SETTINGS
from pipeline.tracking.store import first_cause, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class Looks:
    """The number of runs that have read a test set, and whether their settings differ."""

    looks: int
    settings_changed: bool


@dataclass(frozen=True)
class LoggedRun:
    """A run in MLflow; a metric with several steps has the value of the last one."""

    run_id: str
    name: str
    status: str
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]


def count_test_looks(digest: str, settings: Mapping[str, object] | None = None) -> Looks | None:
    """Count the runs that have read the test set with this digest, deleted ones too; None if the store is lost.

    Args:
        settings: the flat settings of the next look, which is not counted; if they differ, settings have changed.
    """
    try:
        runs = list(_looks(open_client(tracking_uri()), digest[:DIGEST_LENGTH]))
    except Exception as error:
        if not is_loss(error):
            raise
        return None
    all_settings = {_settings_of(run.data.params) for run in runs}
    if settings is not None and runs:
        all_settings.add(_settings_of({name: param_text(value) for name, value in settings.items()}))
    return Looks(len(runs), len(all_settings) > 1)


def _settings_of(params: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((name, value) for name, value in params.items() if name.startswith(SETTINGS))


def _looks(client: "MlflowClient", digest: str) -> Iterator["Run"]:
    from mlflow.entities import ViewType

    experiments = pages(client.search_experiments, view_type=ViewType.ALL)
    ids = [experiment.experiment_id for experiment in experiments]
    query = {"filter_string": f"datasets.digest = '{digest}'", "run_view_type": ViewType.ALL}
    for run in pages(client.search_runs, experiment_ids=ids, **query):
        uses = [
            tag.value
            for read in run.inputs.dataset_inputs
            if read.dataset.digest == digest
            for tag in read.tags
            if tag.key == "mlflow.data.context"
        ]
        if "test" in uses:
            yield run


def read_run(run_id: str) -> LoggedRun | None:
    """Read a run; None if the store does not have it or it is deleted.

    Raises:
        TrackingLost: the store cannot be read.
    """
    try:
        run = open_client(tracking_uri()).get_run(run_id)
        return _logged(run) if run.info.lifecycle_stage == "active" else None
    except Exception as error:
        if getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST":
            return None
        if not is_loss(error):
            raise
        raise _lost(error) from error


def read_children(run_id: str) -> dict[str, LoggedRun]:
    """Read the children that a `ParentRun` logged, by key.

    Raises:
        TrackingLost: the store cannot be read.
    """
    try:
        client = open_client(tracking_uri())
        ids = [client.get_run(run_id).info.experiment_id]
        query = f"tags.`mlflow.parentRunId` = '{run_id}'"
        runs = map(_logged, pages(client.search_runs, experiment_ids=ids, filter_string=query))
        return {run.tags[ParentRun.KEY]: run for run in runs if ParentRun.KEY in run.tags}
    except Exception as error:
        if not is_loss(error):
            raise
        raise _lost(error) from error


def _logged(run: "Run") -> LoggedRun:
    return LoggedRun(
        run.info.run_id, run.info.run_name, run.info.status, run.data.metrics, run.data.params, run.data.tags
    )


def _lost(error: Exception) -> TrackingLost:
    return TrackingLost(f"{without_password(tracking_uri())} cannot be read: {first_cause(error)}")
