"""A client of the tracking store: how MLflow is imported, and which errors say that the store is lost.

Importing mlflow takes most of a second, so it is only imported when something is logged or read.
"""

import functools
import gc
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pipeline.tracking.sqlite import create_sqlite
from pipeline.tracking.store import sqlite_path

if TYPE_CHECKING:
    from mlflow import MlflowClient


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
PAGE = 1000


class TrackingLost(Exception):
    """The tracking store is lost, so the run is not logged; the message is one line with the store and the cause."""


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


def pages(search: Callable[..., Any], **query: Any) -> Iterator[Any]:
    """Yield all results of a client's `search`, page by page."""
    token = None
    while True:
        page = search(max_results=PAGE, page_token=token, **query)
        yield from page
        token = page.token
        if not token:
            return
