"""Where a search is kept: an Optuna study, with its trials as a queue of fixed length.

All trials that are asked for are put in the queue at the start, so the budget is met exactly, whoever works at it and
whoever is killed: a worker takes a waiting trial, and a trial whose worker died goes back into the queue.
"""

import copy
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalStorage
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from pipeline.errors import InputError
from pipeline.params import Search

JOURNAL_FILE = Path("experiments/search.journal")
VERSION = 1  # of what a study's attributes mean

HEARTBEAT_SECONDS = 10
GRACE_SECONDS = 30
NAMELESS_SECONDS = 5

optuna.logging.set_verbosity(optuna.logging.ERROR)
# Heartbeats and retries are marked experimental; they are what Optuna's documentation tells to use for this.
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


class PutBack(RetryHeartbeatStaleTrialCallback):
    """Puts a copy of a trial that was lost with its worker back into the queue, under no worker's name."""

    def __call__(self, study: optuna.Study, trial: FrozenTrial) -> None:
        lost = copy.deepcopy(trial)
        lost.user_attrs.pop("worker", None)
        super().__call__(study, lost)


def open_storage(url: str | None) -> BaseStorage:
    """The storage that `search.storage` names, the journal for null.

    Raises:
        InputError: it cannot be reached, is no URL, or was made by another version of Optuna.
    """
    if url is None or url.endswith(".journal"):
        path = Path(url or JOURNAL_FILE)
        path.parent.mkdir(parents=True, exist_ok=True)
        # A lock by O_EXCL, since not every file system has the symbolic links of the default one.
        return JournalStorage(JournalFileBackend(str(path), lock_obj=JournalFileOpenLock(str(path))))
    try:
        parsed = make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        return RDBStorage(
            parsed.render_as_string(hide_password=False),
            heartbeat_interval=HEARTBEAT_SECONDS,
            grace_period=GRACE_SECONDS,
            heartbeat_stale_trial_callback=PutBack(),
            engine_kwargs={"pool_pre_ping": True},
        )
    except ArgumentError:
        raise InputError(
            f"search.storage must be null, a path that ends in .journal or a URL such as "
            f"postgresql://user@host/database; got {url!r}"
        ) from None
    except (SQLAlchemyError, RuntimeError, ImportError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise InputError(f"search.storage {make_url(url)!r} cannot be used: {reason}") from None


def make_sampler(search: Search, worker: int = 0) -> optuna.samplers.BaseSampler:
    """The sampler by name; each worker draws from a seed of its own.

    Raises:
        InputError: a grid of something that has no choices.
    """
    seed = search.sampler_seed + worker
    samplers = optuna.samplers
    if search.sampler == "grid":
        return samplers.GridSampler(_grid(search), seed=seed)
    return {
        "tpe": lambda: samplers.TPESampler(seed=seed),
        "random": lambda: samplers.RandomSampler(seed=seed),
        "qmc": lambda: samplers.QMCSampler(seed=search.sampler_seed),
        "cmaes": lambda: samplers.CmaEsSampler(seed=seed),
        "nsga2": lambda: samplers.NSGAIISampler(seed=seed),
    }[search.sampler]()


def _grid(search: Search) -> dict[str, list[Any]]:
    grid: dict[str, list[Any]] = {}
    for name, dimension in search.space.items():
        if dimension.switch or dimension.when or not (dimension.choices or dimension.width):
            raise InputError(f"search.sampler grid needs plain choices for every setting; search.space.{name} has none")
        grid |= (
            {name: dimension.choices}
            if dimension.choices
            else {f"{name}.width": dimension.width, f"{name}.depth": dimension.depth}
        )
    return grid


def make_pruner(search: Search, epochs: int) -> optuna.pruners.BasePruner:
    """The pruner by name; its steps are epochs."""
    pruners = optuna.pruners
    return {
        "none": pruners.NopPruner,
        "median": lambda: pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=epochs // 10),
        "successive_halving": lambda: pruners.SuccessiveHalvingPruner(min_resource=max(1, epochs // 10)),
        "hyperband": lambda: pruners.HyperbandPruner(min_resource=max(1, epochs // 10), max_resource=epochs),
    }[search.pruner]()


def open_study(storage: BaseStorage, name: str, search: Search, epochs: int, worker: int = 0) -> optuna.Study:
    """Make the study or go on with it.

    Raises:
        InputError: it was made by another version of this project.
    """
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        sampler=make_sampler(search, worker),
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


def slots(trials: list[FrozenTrial]) -> dict[int, FrozenTrial]:
    """The latest trial of each place in the queue; an earlier one was lost with its worker."""
    return {trial.user_attrs["slot"]: trial for trial in sorted(trials, key=lambda trial: trial.number)}


def fill_queue(study: optuna.Study, wanted: int, optimizers: list[str]) -> None:
    """Put waiting trials into the queue until there are as many as wanted.

    Args:
        optimizers: if any, the trials take them in turn, the first of the list being that of trial 0.
    """
    there = len(slots(study.get_trials(deepcopy=False)))
    for slot in range(there, wanted):
        fixed = {"train.optimizer": optimizers[slot % len(optimizers)]} if optimizers else {}
        study.enqueue_trial(fixed, user_attrs={"slot": slot})


def take(study: optuna.Study, storage: BaseStorage) -> Trial | None:
    """Take a waiting trial out of the queue; None when none waits. No two workers get the same one."""
    optuna.storages.fail_stale_trials(study)
    for waiting in study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        try:
            if storage.set_trial_state_values(waiting._trial_id, state=TrialState.RUNNING):
                storage.set_trial_user_attr(waiting._trial_id, "worker", worker_name())
                return Trial(study, waiting._trial_id)
        except optuna.exceptions.UpdateFinishedTrialError:
            continue
    return None


@contextmanager
def alive(trial: Trial, storage: BaseStorage) -> Iterator[None]:
    """Tell the storage now and then that the trial's worker lives, where the storage keeps such a thing."""
    # `Study.optimize` does this by itself, but takes trials beyond the queue.
    with optuna.storages._heartbeat.get_heartbeat_thread(trial._trial_id, storage):
        yield


def put_back_dead(study: optuna.Study, storage: BaseStorage) -> int:
    """Put back the running trials whose worker was a process of this machine and is no more; how many they were."""
    dead = [trial for trial in study.get_trials(states=(TrialState.RUNNING,)) if _is_dead(trial)]
    for trial in dead:
        if storage.set_trial_state_values(trial._trial_id, state=TrialState.FAIL):
            PutBack()(study, trial)
    return len(dead)


def is_lost(trial: FrozenTrial) -> bool:
    """Whether the trial failed with its worker, not by itself; another one has its place in the queue."""
    return trial.state == TrialState.FAIL and "error" not in trial.user_attrs


def worker_name() -> str:
    """This process, for other processes of this machine to look whether it still lives."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _is_dead(trial: FrozenTrial) -> bool:
    worker = trial.user_attrs.get("worker")
    if worker is None:  # just taken; or taken by one that was killed before it gave its name
        return (datetime.now() - trial.datetime_start).total_seconds() > NAMELESS_SECONDS
    host, _, pid = worker.rpartition(":")
    return host == socket.gethostname() and not _is_running(int(pid))


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
