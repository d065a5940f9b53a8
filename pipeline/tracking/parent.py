"""Logging of a run that lasts: a search and its trials, a study and its arms, the curves of a training."""

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

import numpy as np

from pipeline.errors import without_password
from pipeline.tracking.client import is_loss, no_garbage_collection, open_client, pages
from pipeline.tracking.entities import (
    METRICS_PER_BATCH,
    PARAMS_PER_BATCH,
    Dataset,
    batches,
    curve_points,
    dataset_input,
    param_text,
)
from pipeline.tracking.provenance import git_tags, source_tags
from pipeline.tracking.run import IDENTITY, experiment_id_of, points_to_log, unfinished_run
from pipeline.tracking.store import first_cause, tracking_uri
from pipeline.tracking.view import share_view

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

Point = TypeVar("Point")

# At most so many points in all curves of a child. SQLite takes some 16 ms for a child, and 0.08 ms for each point.
CURVE_POINTS = 120


@dataclass(frozen=True)
class ChildRecord:
    """A child run, which is logged in a few requests.

    Attributes:
        key: identifies it among its siblings for good, such as a trial's number.
        status: FINISHED, KILLED (ended early on purpose) or FAILED.
        curves: by metric, its value after each epoch from epoch 1 on; None is left out, and curves of more than
            `CURVE_POINTS` in all are thinned.
        began, ended: milliseconds since 1970.
    """

    key: str
    name: str
    status: Literal["FINISHED", "KILLED", "FAILED"]
    params: Mapping[str, object]
    scores: Mapping[str, float]
    curves: Mapping[str, Sequence[float | None]]
    tags: Mapping[str, str]
    began: int = 0
    ended: int = 0


class _OpenRun(NamedTuple):
    client: "MlflowClient"
    experiment_id: str
    run_id: str


class ParentRun:
    """A run with children and curves that are logged as they come, each once, however often the parent is resumed.

    When the store is lost, one line says so and how to log what is missing (`log_again`), and nothing more is logged.
    After the parent is opened again, missing children can be added. `children` holds the run ids by key.

    Args:
        run_id: of the run to go on with; None for a new one.
        identity: a digest of what is logged; without `run_id`, an unfinished run with the same digest is resumed.
    """

    KEY = "child.key"

    def __init__(
        self,
        experiment: str,
        name: str,
        run_id: str | None = None,
        log_again: str = "what is missing is logged when it is started again",
        identity: str | None = None,
    ):
        self.experiment, self.name, self.run_id, self.log_again = experiment, name, run_id, log_again
        self.identity = identity
        self.children: dict[str, str] = {}
        self.lost = False
        self._run: _OpenRun | None = None

    @property
    def logged(self) -> set[str]:
        """Return the keys of the children that are logged."""
        return set(self.children)

    def open(self) -> None:
        """Open the run and look up its children; create it if it has no id or the store does not know the id."""
        self._or_lost(lambda run: None)  # the first action opens the run

    def add(self, children: Iterable[ChildRecord]) -> None:
        """Log the children that are not logged yet."""
        for child in children:
            if child.key not in self.children:
                self._or_lost(partial(self._add, child))

    def finish(
        self,
        scores: Mapping[str, float],
        params: Mapping[str, object],
        files: Sequence[Path],
        datasets: Sequence[Dataset] = (),
    ) -> None:
        """Log the results and end the run."""
        self._or_lost(lambda run: _finish(run, scores, params, files, datasets))

    def show(self, key: str, columns: Sequence[str]) -> None:
        """Make a view of the children with these columns, and print how to open it; see `view.share_view`."""
        self._or_lost(lambda run: _show(run, key, columns))

    def add_curves(self, curves: "pd.DataFrame") -> None:
        """Log curves of the run itself, a row per epoch and a column per metric, as far as it does not have them."""
        self._or_lost(lambda run: _add_curves(run, curves))

    def end(self, status: Literal["KILLED", "FAILED", "SCHEDULED"]) -> None:
        """End the run without results; it can be opened again. Do nothing if it was never opened.

        Args:
            status: KILLED after an interrupt, FAILED after an error, SCHEDULED where another stage completes it.
        """
        if self._run is None:
            return
        self._or_lost(lambda run: run.client.set_terminated(run.run_id, status))

    def _or_lost(self, action: Callable[[_OpenRun], None]) -> None:
        if self.lost:
            return
        try:
            self._run = self._run or self._open()
            action(self._run)
        except Exception as error:
            if not is_loss(error):
                raise
            self.lost = True
            uri = without_password(tracking_uri())
            print(
                f"warning: {self.name} is not logged to {uri} any more: {first_cause(error)}; {self.log_again}",
                file=sys.stderr,
            )

    @no_garbage_collection()
    def _open(self) -> _OpenRun:
        client = open_client(tracking_uri())
        experiment_id = experiment_id_of(client, self.experiment)
        self.run_id = self.run_id or unfinished_run(client, experiment_id, self.identity)
        query = f"tags.`mlflow.parentRunId` = '{self.run_id}'"
        if self.run_id is not None and _exists(client, self.run_id):
            client.update_run(self.run_id, status="RUNNING")
            # All runs are read first, since deleting one would shift the pages after it.
            for run in list(pages(client.search_runs, experiment_ids=[experiment_id], filter_string=query)):
                if run.info.status == "RUNNING":  # it was interrupted and will be logged again
                    client.delete_run(run.info.run_id)
                elif self.KEY in run.data.tags:
                    self.children[run.data.tags[self.KEY]] = run.info.run_id
        else:
            tags = {**source_tags(), **git_tags(Path.cwd())}
            tags |= {IDENTITY: self.identity} if self.identity else {}
            self.run_id = client.create_run(experiment_id, tags=tags, run_name=self.name).info.run_id
        return _OpenRun(client, experiment_id, self.run_id)

    def _add(self, child: ChildRecord, parent: _OpenRun) -> None:
        from mlflow.entities import Metric, Param

        tags = {"mlflow.parentRunId": parent.run_id, self.KEY: child.key, **source_tags(), **child.tags}
        run = parent.client.create_run(parent.experiment_id, child.began, tags, child.name).info.run_id
        metrics = [Metric(name, float(value), child.ended, 0) for name, value in child.scores.items()]
        for name, curve in child.curves.items():
            points = [(epoch, value) for epoch, value in enumerate(curve, start=1) if value is not None]
            shown = thinned(points, CURVE_POINTS // len(child.curves))
            metrics += [Metric(name, value, child.ended, epoch) for epoch, value in shown]
        params = [Param(name, param_text(value)) for name, value in child.params.items()]
        parent.client.log_batch(run, metrics=metrics, params=params[:PARAMS_PER_BATCH])
        parent.client.set_terminated(run, child.status, child.ended)
        self.children[child.key] = run


def _add_curves(run: _OpenRun, curves: "pd.DataFrame") -> None:
    for points in batches(points_to_log(run.client, run.run_id, curve_points(curves)), METRICS_PER_BATCH):
        run.client.log_batch(run.run_id, metrics=points)


def _exists(client: "MlflowClient", run_id: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id).info.lifecycle_stage == "active"
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False


def _finish(
    run: _OpenRun,
    scores: Mapping[str, float],
    params: Mapping[str, object],
    files: Sequence[Path],
    datasets: Sequence[Dataset],
) -> None:
    from mlflow.entities import Metric, Param, RunTag

    client, _, run_id = run
    now = int(time.time() * 1000)
    logged = client.get_run(run_id).data
    current = {**logged.params, **{name: text for name, text in logged.tags.items() if name in logged.params}}
    texts = {name: param_text(value) for name, value in params.items()}
    # MLflow cannot change a param, so a setting that differs in a resumed run, such as more trials, becomes a tag.
    changed = [RunTag(name, text) for name, text in texts.items() if current.get(name, text) != text]
    new = [Param(name, text) for name, text in texts.items() if name not in current]
    metrics = [Metric(name, float(value), now, 0) for name, value in scores.items()]
    client.log_batch(run_id, metrics=metrics, tags=changed)
    for some_params in batches(new, PARAMS_PER_BATCH):
        client.log_batch(run_id, params=some_params)
    if datasets:
        client.log_inputs(run_id, [dataset_input(dataset) for dataset in datasets])
    for path in files:
        client.log_artifact(run_id, str(path), "results")
    client.set_terminated(run_id, "FINISHED")


def _show(run: _OpenRun, key: str, columns: Sequence[str]) -> None:
    link = share_view(run.client, run.experiment_id, key, run.run_id, columns)
    print(f"MLflow run {run.run_id}; `make ui` shows it, and its children at http://127.0.0.1:5000/{link}")


def thinned(points: Sequence[Point], most: int) -> Sequence[Point]:
    """Return at most `most` of the points, evenly spread, with the first and the last."""
    if len(points) <= most:
        return points
    return [points[place] for place in np.linspace(0, len(points) - 1, most).round().astype(int)]
