"""The location of the tracking store, and a check before the work that it can be reached, without MLflow."""

import importlib.metadata
import os
import re
import sqlite3
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from contextvars import ContextVar
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from pipeline.errors import InputError, without_password

DEFAULT_URI = "sqlite:///mlruns/mlflow.db"
LONGEST_PATH = 480  # bytes; SQLite's limit is 512 with what it adds for its journals
PATIENCE_SECONDS = 5  # for the answer of a server or a database
_named: ContextVar[str | None] = ContextVar("store that a caller from Python names", default=None)


@contextmanager
def tracked(uri: str | None) -> Iterator[None]:
    """Let `tracking_uri` return a store meanwhile that a caller from Python names; None names none.

    Raises:
        InputError: see `check_reachable`.
    """
    token = _named.set(uri)
    try:
        if uri is not None:
            check_reachable()
        yield
    finally:
        _named.reset(token)


def tracking_uri() -> str:
    """Return `MLFLOW_TRACKING_URI`, or SQLite under `mlruns/`, with an absolute path for an SQLite file.

    The path of a file in the project is relative where the project's own has a character that means something in a URI.
    """
    uri = _named.get() or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI
    path = sqlite_path(uri)
    if path is None:
        return uri
    if not _fits_a_uri(path) and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return f"sqlite:///{path.as_posix()}"


def _fits_a_uri(path: Path) -> bool:
    return not set("%?#") & set(str(path))


def check_reachable() -> None:
    """Check, before the work, that `tracking_uri()` names a store that answers.

    Raises:
        InputError: nothing answers there, it cannot be written to, or MLflow does not know this kind of store.
    """
    uri = tracking_uri()
    # A URI without a colon is a name such as "databricks", or a folder.
    scheme = uri.partition(":")[0].partition("+")[0]
    check = CHECKS.get(scheme, _check_other)
    if problem := check(uri):
        default = "" if _named.get() or os.environ.get("MLFLOW_TRACKING_URI") else " by default"
        name = "tracking" if _named.get() else "MLFLOW_TRACKING_URI"
        raise InputError(f"{name} is {without_password(uri)}{default}, {problem}")


def sqlite_path(uri: str) -> Path | None:
    """Return the file of an SQLite store; None if the URI names none."""
    match = re.match(r"sqlite(?:\+\w+)?:///([^?:][^?]*)", uri)
    return Path(match[1]).absolute() if match else None


def first_cause(error: BaseException) -> str:
    """Return the message of the innermost error that this one wraps, in one line."""
    # MLflow, requests and urllib3 wrap each other's errors, and the innermost one says what happened. A failed look-up
    # in a cache can be still further inside and is not the cause.
    cause = _wrapped(error)
    while cause and not isinstance(cause, LookupError | AttributeError):
        error, cause = cause, _wrapped(cause)
    return " ".join(str(error).split())[:300]


def _wrapped(error: BaseException) -> BaseException | None:
    # urllib3 keeps the error of a connection among the arguments of its own.
    inside = next((argument for argument in error.args if isinstance(argument, BaseException)), None)
    return error.__cause__ or error.__context__ or inside


def _check_server(uri: str) -> str | None:
    split = urlsplit(uri)
    # /health is of no use: it answers even if the server's database is down, and compatible servers lack it.
    path = f"{split.path.rstrip('/')}/api/2.0/mlflow/experiments/search"
    url = split._replace(netloc=split.netloc.rpartition("@")[2], path=path, query="max_results=1").geturl()
    remedy = "start the server, or unset MLFLOW_TRACKING_URI to log to a local file"
    try:
        urlopen(url, timeout=PATIENCE_SECONDS).close()
    except HTTPError as error:
        # Other codes come from a working server that requires credentials, which MLflow will send.
        if error.code == 404 or error.code >= 500:
            return f"which answers {error.code} {error.reason} to {path}, so it is no working MLflow server; {remedy}"
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        # An error of TLS means that there is a server; MLflow has its own settings for certificates.
        if not isinstance(reason, ssl.SSLError):
            return f"where no server answers ({reason}); {remedy}"
    return None


def _check_sqlite(uri: str) -> str | None:
    path = sqlite_path(uri)
    if path is None:
        return f"which names no file, so runs would be lost; give one, such as {DEFAULT_URI}"
    if not _fits_a_uri(Path(uri)):
        return "whose path has a %, ? or #, which MLflow takes for part of a URI; name a file elsewhere"
    if (length := len(os.fsencode(path))) > LONGEST_PATH:
        return f"whose path has {length} bytes, of which SQLite takes {LONGEST_PATH}; name a file with a shorter one"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        return f"whose folder cannot be written to ({error.strerror}); make it writable or name another file"
    if not path.exists():
        return None
    try:
        # Another run may be writing, so this waits for its turn.
        with closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        return f"which cannot be written to ({error}); make room, repair it, move it away or name another file"
    return None


def _check_database(uri: str) -> str | None:
    import sqlalchemy

    # The drivers of PostgreSQL and MySQL take the same argument; ODBC has its own limit.
    limit = {} if uri.startswith("mssql") else {"connect_timeout": PATIENCE_SECONDS}
    try:
        sqlalchemy.create_engine(uri, connect_args=limit).connect().close()
    except (sqlalchemy.exc.SQLAlchemyError, ImportError) as error:
        return f"which cannot be used ({first_cause(error)}); start the database, install its driver or name another"
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
