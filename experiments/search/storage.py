"""The storage of a search: an Optuna study in a journal file or a database."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import TrialState
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from experiments.search.samplers import experimental, make_pruner, make_sampler
from pipeline.errors import InputError, without_password
from pipeline.settings import Search

JOURNAL_FILE = Path("experiments/search.journal")
VERSION = 1  # changes with the meaning of a study's attributes

# Workers elsewhere get the URL through this variable, since it may hold a password and arguments show in `ps`.
STORAGE_VARIABLE = "SEARCH_STORAGE"

HEARTBEAT_SECONDS = 5
GRACE_SECONDS = 20
PATIENCE_SECONDS = 5  # how long a database may take to answer

optuna.logging.set_verbosity(optuna.logging.ERROR)

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
# The errors of a storage that went away.
LOST = (SQLAlchemyError, optuna.exceptions.StorageInternalError)


class _JournalLock:
    """A lock that the system releases when its process dies; Optuna's own would block the others for 30 s."""

    def __init__(self, path: str):
        self.path = path

    def acquire(self) -> bool:
        self.file = os.open(self.path, os.O_CREAT | os.O_WRONLY)
        fcntl.flock(self.file, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        os.close(self.file)


class _Journal(JournalFileBackend):
    """A journal that survives a kill in the midst of a line: the next writer removes the torn line."""

    def __init__(self, path: Path):
        self.path, self.lock = path, _JournalLock(f"{path}.lock")
        # Optuna's base class of locks is private, so this lock only has the same methods.
        super().__init__(str(path), lock_obj=self.lock)  # type: ignore[arg-type]

    def append_logs(self, logs: list[dict]) -> None:
        self.mend()
        super().append_logs(logs)

    def mend(self) -> None:
        """Remove a last line that has no line end."""
        if self._is_whole():
            return
        self.lock.acquire()
        try:
            if not self._is_whole():  # under the lock nobody is writing the line any more
                with self.path.open("rb+") as file:
                    file.truncate(file.read().rfind(b"\n") + 1)
        finally:
            self.lock.release()

    def _is_whole(self) -> bool:
        with self.path.open("rb") as file:
            return file.seek(0, 2) == 0 or (file.seek(-1, 2), file.read(1))[1] == b"\n"


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
    if url is None:
        return _open_journal(JOURNAL_FILE)
    path = journal_path(url)
    return _open_journal(path) if path else _open_database(url)


def _open_journal(path: Path) -> BaseStorage:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        journal = _Journal(path)
        journal.mend()
        return JournalStorage(journal)
    except OSError as error:
        raise InputError(f"search.storage {path} cannot be opened: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"search.storage {path} is no journal of Optuna; move it away or name another file") from None


def _open_database(url: str) -> BaseStorage:
    try:
        parsed = _with_driver(make_url(url))
        limit = {"connect_timeout": PATIENCE_SECONDS} if parsed.get_backend_name() == "postgresql" else {}
        with experimental():
            return RDBStorage(
                parsed.render_as_string(hide_password=False),
                heartbeat_interval=HEARTBEAT_SECONDS,
                grace_period=GRACE_SECONDS,
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


def open_study(storage: BaseStorage, name: str, search: Search, epochs: int) -> optuna.Study:
    """Create the study or go on with it.

    Raises:
        InputError: the study was made by another version of this project.
    """
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        sampler=make_sampler(search),
        pruner=make_pruner(search, epochs),
        directions=["minimize"] * len(search.objectives),
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
