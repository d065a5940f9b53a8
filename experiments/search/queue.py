"""A study's trials as a queue into which the search puts just as many as are asked for.

So the budget is met exactly, whoever works at it and whoever is killed: a worker takes a waiting trial, and a trial
whose worker died waits again. One search conducts a study; any number of workers take trials from it.
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
IDLE_SECONDS = 60  # that a worker waits for the search to put more in
MOST_LOSSES = 3  # a configuration that takes its worker down that often has failed


class OutOfTime(Exception):
    """The search's time was up in mid-trial; the trial waits for the next start."""


class TakenAway(Exception):
    """The trial was given to another worker, since this one had shown no sign of life."""


def signs_folder(url: str | None) -> Path:
    """Where the workers of this machine show that they live."""
    path = journal_path(url)
    return path.parent if path else Path(tempfile.gettempdir())


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold a file's lock, which the system takes back when the process dies; False if another process has it."""
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        if os.fstat(file.fileno()).st_nlink == 0:  # its owner has just taken it away
            yield False
            return
        try:
            yield True
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def sign_of_life(url: str | None) -> Iterator[str]:
    """The name of a worker, under which others see whether it lives."""
    name = uuid.uuid4().hex
    with held(_sign(url, name)):
        yield name


def _sign(url: str | None, worker: str) -> Path:
    return signs_folder(url) / f"{(journal_path(url) or Path('search')).name}.worker-{worker}"


@contextmanager
def conducting(storage: BaseStorage, url: str | None, name: str) -> Iterator[None]:
    """Be the one search that conducts this study.

    Raises:
        InputError: another one does.
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
    # The lock is the session's: it ends with this process, on whichever machine.
    with storage.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.execute(text("SELECT pg_try_advisory_lock(hashtext(:name))"), {"name": name}).scalar():
            raise taken
        try:
            yield
        finally:
            with suppress(*LOST):
                connection.execute(text("SELECT pg_advisory_unlock(hashtext(:name))"), {"name": name})


def asked_for(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that make up the search; a study that once was asked for more has others behind them."""
    return study.get_trials(deepcopy=False)[: study.user_attrs["trials"]]


def fill(study: optuna.Study, fixed: list[dict[str, Any]]) -> None:
    """Let as many trials as there are entries have been put in, each with the parameters that are fixed for it.

    No more than `MOST_WAITING` wait at a time: a database reads all that wait at every look.
    """
    there = study.get_trials(deepcopy=False)
    waiting = sum(trial.state == TrialState.WAITING for trial in there[: len(fixed)])
    for parameters in fixed[len(there) :][: max(0, MOST_WAITING - waiting)]:
        study.enqueue_trial(parameters)


def take(study: optuna.Study, storage: BaseStorage, search: Search, worker: str) -> Trial | None:
    """Take a waiting trial out of the queue; None when none waits. No two workers get the same one."""
    wanted = study.user_attrs["trials"]
    for waiting in study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        if waiting.number >= wanted:
            break
        # Before it runs, so that no running trial shows an old one.
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
            with suppress(*LOST):  # it may be back at the next beat
                storage.record_heartbeat(trial._trial_id)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def put_back(storage: BaseStorage, trial_id: int) -> None:
    """Have the trial wait again, with the parameters that it has, under no worker's name."""
    with suppress(UpdateFinishedTrialError):  # it ended after all
        storage.set_trial_user_attr(trial_id, "worker", None)
        storage.set_trial_state_values(trial_id, state=TrialState.WAITING)


class Watchman:
    """Puts back the trials whose worker is gone; only the search that conducts the study has one."""

    def __init__(self, study: optuna.Study, storage: BaseStorage, url: str | None):
        self.study, self.storage, self.url = study, storage, url
        self.nameless_since: dict[int, float] = {}

    def look(self) -> None:
        """Look at every running trial."""
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        stale = set()
        if running and isinstance(self.storage, RDBStorage):
            # `fail_stale_trials` is the public way, but it leaves a failed trial behind and makes a new one.
            stale = set(self.storage._get_stale_trial_ids(self.study._study_id))
        now = time.monotonic()
        nameless = [trial.number for trial in running if not trial.user_attrs.get("worker")]
        self.nameless_since = {number: self.nameless_since.get(number, now) for number in nameless}
        for trial in running:
            # Without a name it was just taken; or its worker was killed before it could give one.
            waited = now - self.nameless_since.get(trial.number, now)
            if trial._trial_id in stale or waited > NAMELESS_SECONDS or self._is_dead(trial.user_attrs.get("worker")):
                self._count_loss(trial)

    def _is_dead(self, worker: str | None) -> bool:
        if not worker:
            return False
        path = _sign(self.url, worker)
        if not path.exists():
            # Of a database's workers, some are on other machines.
            return journal_path(self.url) is not None
        try:
            with held(path) as free:
                return free
        except OSError:  # another user's
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
    """Whether all trials that are asked for have been put in."""
    return len(study.get_trials(deepcopy=False)) >= study.user_attrs["trials"]


def finished(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """Those that have ended, well or not."""
    return [trial for trial in trials if trial.state in FINISHED]
