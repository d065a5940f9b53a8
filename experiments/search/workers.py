"""The workers that a search starts itself: processes on this machine, replaced when they die or have grown large."""

import multiprocessing
import os
import signal
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Protocol

from experiments.processes import prepare, share
from experiments.search.storage import loss_told
from pipeline.errors import InputError, run_stage
from pipeline.settings import Search


class Worker(Protocol):
    """The part of `multiprocessing.Process` that a search needs of a worker."""

    @property
    def exitcode(self) -> int | None: ...

    def terminate(self) -> None: ...

    def join(self) -> None: ...


def be_worker(name: str, url: str | None, workers: int) -> None:
    """Work at the search as one of so many processes, until it is over or the process that started this one is gone."""
    os.setpgid(0, 0)  # Ctrl-C reaches the search, which lets its workers end their trials
    os.environ |= share(workers)
    from experiments.search.worker import work

    parent = multiprocessing.parent_process()
    with loss_told(url):
        work(url, name, lambda: parent is None or not parent.is_alive())


class Workers(AbstractContextManager):
    """The workers of one search, whose number is held constant as long as there is work."""

    TOLD = "the line above says why"  # ends the message about a worker that ended with a user's error

    def __init__(self, search: Search, name: str):
        self.search, self.name = search, name
        self.workers: list[Worker] = []
        self.crashes, self.finished = 0, 0
        self.prepare()

    def prepare(self) -> None:
        """Begin to import the workers' module, which takes long."""
        self.context = prepare("experiments.search.worker")

    def __exit__(self, *_: object) -> None:
        self.stop()
        for worker in self.workers:
            worker.join()

    def start(self) -> Worker:
        """Start one more worker."""
        main = partial(be_worker, self.name, self.search.storage, self.search.workers)
        worker = self.context.Process(target=run_stage, args=(main,))
        worker.start()
        return worker

    def stop(self) -> None:
        """Ask the workers to end after their trials."""
        for worker in self.workers:
            with suppress(ProcessLookupError):
                worker.terminate()

    def look(self, waiting: int, finished: int) -> None:
        """Replace the workers that have ended while trials wait.

        Raises:
            InputError: workers die one after another and no trial gets finished.
        """
        if finished > self.finished:
            self.crashes, self.finished = 0, finished
        for worker in [worker for worker in self.workers if worker.exitcode is not None]:
            self.workers.remove(worker)
            status = worker.exitcode
            if status == 2:
                raise InputError(f"a worker of the search cannot go on; {self.TOLD}")
            self.crashes += status not in (0, -signal.SIGTERM)
        if self.crashes > self.search.max_failures:
            raise InputError(
                f"{self.crashes} workers died in a row, the last with status {status}; "
                f"search.max_failures allows {self.search.max_failures}"
            )
        while len(self.workers) < min(self.search.workers, waiting):
            self.workers.append(self.start())
