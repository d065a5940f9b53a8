"""The workers that a search starts itself: processes of this machine, replaced when they die."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Protocol

from pipeline.errors import InputError
from pipeline.params import Search

# By the environment and not as an argument: a list of processes shows arguments, and it may hold a password.
STORAGE_VARIABLE = "SEARCH_STORAGE"


class Worker(Protocol):
    """The part of `subprocess.Popen` that is needed."""

    def poll(self) -> int | None: ...

    def terminate(self) -> None: ...

    def wait(self) -> int: ...


def command(name: str) -> list[str]:
    """What a worker is started with; it ends with the process that started it."""
    return [sys.executable, "-m", "experiments.search", "--worker", "--study", name, "--parent", str(os.getpid())]


def environment(url: str | None, workers: int) -> dict[str, str]:
    """Its share of the cores, and where the search is kept."""
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    settings = {"TF_NUM_INTRAOP_THREADS": threads, "TF_NUM_INTEROP_THREADS": threads, STORAGE_VARIABLE: url or ""}
    return os.environ | settings


class Workers(AbstractContextManager):
    """A fixed number of workers for as long as there is work."""

    def __init__(self, search: Search, name: str):
        self.search, self.name = search, name
        self.workers: list[Worker] = []
        self.crashes, self.finished = 0, 0

    def __exit__(self, *_: object) -> None:
        self.stop()
        for worker in self.workers:
            worker.wait()

    def start(self) -> Worker:
        """Start one more."""
        # A group of its own: Ctrl-C reaches the search, which lets its workers end their trials.
        return subprocess.Popen(
            command(self.name),
            env=environment(self.search.storage, self.search.workers),
            stdin=subprocess.DEVNULL,
            process_group=0,
        )

    def stop(self) -> None:
        """Ask them to end after their trials."""
        for worker in self.workers:
            with suppress(ProcessLookupError):
                worker.terminate()

    def look(self, waiting: int, finished: int) -> None:
        """Replace those that have died while trials wait.

        Raises:
            InputError: they die one after another and no trial gets finished.
        """
        if finished > self.finished:
            self.crashes, self.finished = 0, finished
        for worker in [worker for worker in self.workers if worker.poll() is not None]:
            self.workers.remove(worker)
            status = worker.poll()
            if status == 2:
                raise InputError("a worker of the search cannot go on; the line above says why")
            self.crashes += status not in (0, -signal.SIGTERM)
        if self.crashes > self.search.max_failures:
            raise InputError(
                f"{self.crashes} workers died in a row, the last with status {status}; "
                f"search.max_failures allows {self.search.max_failures}"
            )
        while len(self.workers) < min(self.search.workers, waiting):
            self.workers.append(self.start())


def stop_when_asked() -> Callable[[], bool]:
    """Whether SIGINT (Ctrl-C) or SIGTERM has come; after a second Ctrl-C nothing is waited for."""
    asked: list[int] = []

    def note(number: int, _: object) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    return lambda: bool(asked)
