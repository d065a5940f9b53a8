"""The storage of a search: an Optuna study in a journal file or a database, which records trials that have ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from pipeline.errors import InputError, without_password
from pipeline.settings import Search

JOURNAL_FILE = Path("experiments/search.journal")
VERSION = 2  # changes with the meaning of a study's trials and attributes
PATIENCE_SECONDS = 5  # how long a database may take to answer

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
# The errors of a storage that went away.
LOST = (SQLAlchemyError, optuna.exceptions.StorageInternalError)


def journal_path(url: str | None) -> Path | None:
    """Return the file of a journal; None where the URL names a database."""
    return Path(url or JOURNAL_FILE) if url is None or url.endswith(".journal") else None


def name_of(url: str | None) -> str:
    """Return the URL or file of the storage, with any password masked."""
    return without_password(url or str(JOURNAL_FILE))


def open_storage(url: str | None) -> BaseStorage:
    """Open the storage that `search.storage` names; null means the journal.

    Raises:
        InputError: the storage cannot be reached, is no URL, or was made by another version of Optuna.
    """
    path = journal_path(url)
    return _open_journal(path) if path else _open_database(str(url))


def _open_journal(path: Path) -> BaseStorage:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            _remove_torn_line(path)
        return JournalStorage(JournalFileBackend(str(path)))
    except OSError as error:
        raise InputError(f"search.storage {path} cannot be opened: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"search.storage {path} is no journal of Optuna; move it away or name another file") from None


def _remove_torn_line(path: Path) -> None:
    """Remove a last line without an end, which a killed search leaves behind; Optuna would append to it."""
    with path.open("rb+") as file:
        if file.seek(0, 2) and (file.seek(-1, 2), file.read(1))[1] != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)


def _open_database(url: str) -> BaseStorage:
    try:
        parsed = _with_driver(make_url(url))
        limit = {"connect_timeout": PATIENCE_SECONDS} if parsed.get_backend_name() == "postgresql" else {}
        return RDBStorage(
            parsed.render_as_string(hide_password=False),
            engine_kwargs={"pool_pre_ping": True, "connect_args": limit},
        )
    except ArgumentError:
        raise InputError(
            "search.storage must be null, a path that ends in .journal or a URL such as "
            f"postgresql://user@host/database; got {name_of(url)!r}"
        ) from None
    except (SQLAlchemyError, RuntimeError, ImportError) as error:
        raise InputError(f"search.storage {name_of(url)} cannot be used: {first_line(error)}") from None


def _with_driver(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def first_line(error: BaseException) -> str:
    """Return the first line of a storage's error, without the SQL statement that failed."""
    cause = error.__cause__ if isinstance(error, optuna.exceptions.StorageInternalError) else error
    return str(getattr(cause, "orig", None) or cause or error).strip().partition("\n")[0]


@contextmanager
def loss_told(url: str | None) -> Iterator[None]:
    """Turn the errors of a storage that went away into one for the user.

    Raises:
        InputError: the storage went away.
    """
    try:
        yield
    except LOST as error:
        raise InputError(
            f"search.storage {name_of(url)} was lost: {first_line(error)}; start again to go on"
        ) from error


def open_study(storage: BaseStorage, name: str, search: Search) -> optuna.Study:
    """Create the study or go on with it.

    Raises:
        InputError: the study was made by another version of this project.
    """
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        directions=[StudyDirection.MINIMIZE] * len(search.objectives),
        load_if_exists=True,
    )
    made_by = study.user_attrs.get("version")
    if made_by is None:
        study.set_user_attr("version", VERSION)
    elif made_by != VERSION:
        raise InputError(
            f"the study {name} was made by version {made_by} of this project, this is version {VERSION}; "
            "change search.storage to start anew"
        )
    return study
