"""A study's trials as a queue, into which the search puts exactly as many as it is to run.

The budget is met exactly, whichever workers come or are killed: a worker takes a waiting trial, and a trial whose
worker died waits again. One search conducts a study; any number of workers take trials from it.
"""

import fcntl
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy import text

from experiments.search.samplers import make_sampler
from experiments.search.storage import FINISHED, HEARTBEAT_SECONDS, LOST, journal_path
from pipeline.errors import InputError
from pipeline.settings import Search

NAMELESS_SECONDS = 5
MOST_WAITING = 32
IDLE_SECONDS = 60  # how long a worker waits for the search to put more trials in
MOST_LOSSES = 3  # a trial whose worker died that often has failed


class OutOfTime(Exception):
    """The search's time ran out during a trial, which then waits for the next start."""


class TakenAway(Exception):
    """The trial went to another worker, since this one had shown no sign of life."""


def signs_folder(url: str | None) -> Path:
    """Return the folder of the lock files by which the workers of this machine show that they live."""
    path = journal_path(url)
    return path.parent if path else Path(tempfile.gettempdir())


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold a file's lock, which the system releases when the process dies; yield False if another process has it."""
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        if os.fstat(file.fileno()).st_nlink == 0:  # the previous holder has just deleted the file
            yield False
            return
        try:
            yield True
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def sign_of_life(url: str | None) -> Iterator[str]:
    """Yield a new worker's name, and hold its lock file so that others see that it lives."""
    name = uuid.uuid4().hex
    with held(_sign(url, name)):
        yield name


def _sign(url: str | None, worker: str) -> Path:
    return signs_folder(url) / f"{(journal_path(url) or Path('search')).name}.worker-{worker}"


@contextmanager
def conducting(storage: BaseStorage, url: str | None, name: str) -> Iterator[None]:
    """Be the one search that conducts this study.

    Raises:
        InputError: another search conducts it already.
    """
    taken = InputError(
        f"study {name} is being searched already; wait for it, or help with python -m experiments.search --worker"
    )
    if not isinstance(storage, RDBStorage) or storage.engine.dialect.name != "postgresql":
        folder = signs_folder(url)
        with held(folder / f"{(journal_path(url) or Path('search')).name}.{name}.search") as free:
            if not free:
                raise taken
            yield
        return
    # An advisory lock of PostgreSQL ends with its session, and so with this process, on whichever machine.
    with storage.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.execute(text("SELECT pg_try_advisory_lock(hashtext(:name))"), {"name": name}).scalar():
            raise taken
        try:
            yield
        finally:
            with suppress(*LOST):
                connection.execute(text("SELECT pg_advisory_unlock(hashtext(:name))"), {"name": name})


def asked_for(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials of the search; a study that was once set to more trials has others after them."""
    return study.get_trials(deepcopy=False)[: study.user_attrs["trials"]]


def fill(study: optuna.Study, fixed: list[dict[str, Any]]) -> None:
    """Put trials into the queue until there is one for each entry of `fixed`, with the parameters fixed there.

    No more than `MOST_WAITING` wait at a time, since a database reads all waiting trials at every look.
    """
    present = study.get_trials(deepcopy=False)
    waiting = sum(trial.state == TrialState.WAITING for trial in present[: len(fixed)])
    for parameters in fixed[len(present) :][: max(0, MOST_WAITING - waiting)]:
        study.enqueue_trial(parameters)


def take(study: optuna.Study, storage: BaseStorage, search: Search, worker: str) -> Trial | None:
    """Take a waiting trial that no other worker gets out of the queue; return None when none waits."""
    wanted = study.user_attrs["trials"]
    for waiting in study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        if waiting.number >= wanted:
            break
        # The heartbeat comes before the trial runs, so that no running trial has an old one.
        if isinstance(storage, RDBStorage):
            storage.record_heartbeat(waiting._trial_id)
        with suppress(UpdateFinishedTrialError):
            if storage.set_trial_state_values(waiting._trial_id, state=TrialState.RUNNING):
                storage.set_trial_user_attr(waiting._trial_id, "worker", worker)
                study.sampler = make_sampler(search, waiting.number, study.sampler)
                return Trial(study, waiting._trial_id)
    return None


@contextmanager
def alive(trial: Trial, storage: BaseStorage) -> Iterator[None]:
    """Tell the database every few seconds that the trial's worker lives; a journal needs no telling."""
    if not isinstance(storage, RDBStorage):
        yield
        return
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            with suppress(*LOST):  # the database may be back at the next beat
                storage.record_heartbeat(trial._trial_id)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def put_back(storage: BaseStorage, trial_id: int) -> None:
    """Let a trial wait again with the parameters that it has, and without a worker's name."""
    with suppress(UpdateFinishedTrialError):  # the trial has ended meanwhile
        storage.set_trial_user_attr(trial_id, "worker", None)
        storage.set_trial_state_values(trial_id, state=TrialState.WAITING)


class Watchman:
    """A guard that puts back the trials whose worker is gone; only the search that conducts the study has one."""

    def __init__(self, study: optuna.Study, storage: BaseStorage, url: str | None):
        self.study, self.storage, self.url = study, storage, url
        self.nameless_since: dict[int, float] = {}

    def look(self) -> None:
        """Put back every running trial whose worker is gone, or end it after too many losses."""
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        stale = set()
        if running and isinstance(self.storage, RDBStorage):
            # `fail_stale_trials` is the public way, but it leaves a failed trial behind and makes a new one.
            stale = set(self.storage._get_stale_trial_ids(self.study._study_id))
        now = time.monotonic()
        nameless = [trial.number for trial in running if not trial.user_attrs.get("worker")]
        self.nameless_since = {number: self.nameless_since.get(number, now) for number in nameless}
        for trial in running:
            # A trial without a worker's name was just taken, or its worker was killed before it could write the name.
            waited = now - self.nameless_since.get(trial.number, now)
            if trial._trial_id in stale or waited > NAMELESS_SECONDS or self._is_dead(trial.user_attrs.get("worker")):
                self._count_loss(trial)

    def _is_dead(self, worker: str | None) -> bool:
        if not worker:
            return False
        path = _sign(self.url, worker)
        if not path.exists():
            # The workers of a database may be on other machines; those of a journal are on this one.
            return journal_path(self.url) is not None
        try:
            with held(path) as free:
                return free
        except OSError:  # the file is another user's
            return False

    def _count_loss(self, trial: FrozenTrial) -> None:
        losses = trial.user_attrs.get("lost", 0) + 1
        with suppress(UpdateFinishedTrialError):
            self.storage.set_trial_user_attr(trial._trial_id, "lost", losses)
            if losses < MOST_LOSSES:
                return put_back(self.storage, trial._trial_id)
            self.storage.set_trial_user_attr(trial._trial_id, "error", f"its worker died {losses} times")
            self.storage.set_trial_state_values(trial._trial_id, state=TrialState.FAIL)
        return None


def is_filled(study: optuna.Study) -> bool:
    """Return whether all trials of the search have been put into the queue."""
    return len(study.get_trials(deepcopy=False)) >= study.user_attrs["trials"]


def finished(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """Return the trials that are complete, pruned or failed."""
    return [trial for trial in trials if trial.state in FINISHED]
