"""The storage of a search: an Optuna study in a journal file or a database, which records trials that have ended."""

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalStorage
from optuna.trial import FrozenTrial, TrialState
from pydantic import BaseModel, ConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from experiments.search.objectives import directions
from pipeline.errors import InputError, without_password
from pipeline.files import UNEXPECTED, cannot_write
from pipeline.settings import Search, TrialSettings

JOURNAL_FILE = Path("experiments/search.journal")
LOCK_FILE_SUFFIX = ".lock"  # Optuna's
# The types of the attributes that a search stores in its study; a search that was killed early may lack some.
ATTRIBUTES: dict[str, type] = {"settings": str, "trials": int, "ended": dict}
VERSION = 2  # changes with the meaning of a study's trials and attributes
PATIENCE_SECONDS = 5  # how long a database may take to answer

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
# The errors of a storage that went away.
LOST = (SQLAlchemyError, optuna.exceptions.StorageInternalError)


class Facts(BaseModel):
    """The facts of a complete trial that results are made of, among others."""

    model_config = ConfigDict(extra="allow")

    per_seed: list[float]
    diverged: int
    curve: list[float | None] = []


class CompleteTrial(BaseModel):
    """The attributes that a search stores with a complete trial."""

    settings: TrialSettings
    facts: Facts
    seconds: float


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
        return JournalStorage(Journal(path))
    except OSError as error:
        raise InputError(f"search.storage {path} cannot be opened: {error.strerror}") from None
    except UNEXPECTED as error:
        raise damaged(str(path), str(error)) from None


def unlock(url: str | None) -> None:
    """Remove the lock that a search which was killed as it wrote has left; only the one search that runs may do so."""
    if path := journal_path(url):
        Path(f"{path}{LOCK_FILE_SUFFIX}").unlink(missing_ok=True)


def damaged(shown: str, problem: str) -> InputError:
    """Return the error for a storage whose content is not what Optuna and this project write."""
    return InputError(
        f"search.storage {shown} is damaged or no journal of Optuna ({' '.join(problem.split())[:200]}); bring it back "
        "from a copy, move it away or name another"
    )


def _remove_torn_line(path: Path) -> None:
    """Remove a last line without an end, which a killed search leaves behind; Optuna would append to it.

    Raises:
        ValueError: the other lines are not JSON, so the file is left as it is. Optuna would put up with a last one.
    """
    *lines, torn = path.read_bytes().split(b"\n")
    for line in lines:
        json.loads(line)
    if torn and not lines:
        raise ValueError("it has no whole line")
    if torn:
        with path.open("rb+") as file:
            file.truncate(file.seek(0, 2) - len(torn))


class Journal(JournalFileBackend):
    """A journal file, whose errors of reading and writing are the user's to put right.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path):
        super().__init__(str(path), JournalFileOpenLock(str(path)))
        self.path = path

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """Yield the lines from this number on.

        Raises:
            InputError: the file cannot be read, or is damaged.
        """
        try:
            yield from super().read_logs(log_number_from)
        except OSError as error:
            raise InputError(f"search.storage {self.path} cannot be read: {error.strerror or error}") from None
        except ValueError as error:
            raise damaged(str(self.path), str(error)) from None

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append lines; a search that goes on removes a line of which there was room for a part alone.

        Raises:
            InputError: the file cannot be written.
        """
        try:
            super().append_logs(logs)
        except OSError as error:
            raise cannot_write(f"search.storage {self.path}", error) from error


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


def close(storage: BaseStorage) -> None:
    """Close the connections to a database; a journal's file is never left open."""
    if isinstance(storage, RDBStorage):
        storage.remove_session()
        storage.engine.dispose()


@contextmanager
def opened(url: str | None) -> Iterator[BaseStorage]:
    """Open the storage that `search.storage` names, and close it afterwards.

    Raises:
        InputError: the storage cannot be reached, is no URL, was made by another version of Optuna, or went away.
    """
    storage = open_storage(url)
    try:
        yield storage
    except LOST as error:
        raise InputError(
            f"search.storage {name_of(url)} was lost: {first_line(error)}; start again to go on"
        ) from error
    finally:
        close(storage)


def open_study(storage: BaseStorage, name: str, search: Search) -> optuna.Study:
    """Create the study or go on with it.

    Raises:
        InputError: the study was made by another version of this project, or is damaged.
    """
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        directions=directions(search),
        load_if_exists=True,
    )
    version = study.user_attrs.get("version")
    if version is None:
        study.set_user_attr("version", VERSION)
    elif version != VERSION:
        raise InputError(
            f"the study {name} was made by version {version} of this project, this is version {VERSION}; "
            "change search.storage to start anew"
        )
    check_content(study)
    return study


def check_content(study: optuna.Study) -> None:
    """Check that a study is as a search has written it.

    Raises:
        InputError: it is damaged.
    """
    try:
        attributes = study.user_attrs
        for name, kind in ATTRIBUTES.items():
            if not isinstance(attributes.get(name, kind()), kind):
                raise TypeError(f"its {name} is no {kind.__name__}")
        json.loads(attributes.get("settings", "{}"))
        for trial in study.get_trials(deepcopy=False):
            _check_trial(trial)
    except UNEXPECTED as error:
        raise damaged(f"with study {study.study_name}", f"{type(error).__name__}: {error}") from None


def _check_trial(trial: FrozenTrial) -> None:
    if trial.state not in FINISHED or trial.datetime_start is None or trial.datetime_complete is None:
        raise ValueError(f"trial {trial.number} has not ended")
    if trial.state == TrialState.COMPLETE:
        attributes = CompleteTrial.model_validate(trial.user_attrs)
        if len(attributes.facts.per_seed) < 1:
            raise ValueError(f"trial {trial.number} has no seeds")
