"""The workers of a search on an existing Dask cluster; each of its tasks is one worker process, for many trials."""

import math
import os
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from experiments.processes import share
from experiments.search.storage import STORAGE_VARIABLE
from experiments.search.workers import Workers
from pipeline.errors import InputError

PATIENCE_SECONDS = 5
SECONDS_BETWEEN_LOOKS = 0.5


def workers_by_host(workers: int, threads: Mapping[str, int]) -> dict[str, int]:
    """Return how many of a search's workers each machine runs when Dask spreads them evenly over its threads.

    Args:
        threads: the number of threads of each Dask worker, by its address; a machine may have several.
    """
    by_host: Counter[str] = Counter()
    for address, count in threads.items():
        by_host[_host(address)] += count
    at_once = min(workers, by_host.total())
    return {host: math.ceil(at_once * count / by_host.total()) for host, count in by_host.items()}


def _host(address: str) -> str:
    return urlsplit(address).hostname or ""


def run_worker(name: str, url: str, workers: int, by_host: dict[str, int], folder: str) -> int:
    """Run a process on the cluster that works at the search until no trial waits, and return its exit status.

    Args:
        by_host: how many of the workers share the cores of each machine; one that joined later counts all workers.
        folder: the project's folder on the search's machine; where the cluster's machine has no such folder, the
            process starts in the Dask worker's own.
    """
    from distributed import get_worker

    # Dask runs tasks in threads, but a TensorFlow graph serves one thread at a time, so each task starts a process.
    working_folder = folder if Path(folder).is_dir() else None
    command = [sys.executable, "-m", "experiments.search", "--worker", "--study", name, "--parent", str(os.getpid())]
    workers_here = by_host.get(_host(get_worker().address), workers)
    environment = os.environ | share(workers_here) | {STORAGE_VARIABLE: url}
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, cwd=working_folder)
    tasks, key = get_worker().state.tasks, get_worker().get_current_task()
    while True:
        try:
            return process.wait(SECONDS_BETWEEN_LOOKS)
        except subprocess.TimeoutExpired:
            # Dask cannot stop the thread when the search is gone, but it forgets or cancels the task.
            if key not in tasks or tasks[key].state == "cancelled":
                process.terminate()


class Task:
    """A task of the cluster with the interface of a process."""

    def __init__(self, future: Any):
        self.future = future

    @property
    def exitcode(self) -> int | None:
        """Return the exit status; 1 if the task was lost or cancelled, None while it runs."""
        if not self.future.done():
            return None
        return self.future.result() if self.future.status == "finished" else 1

    def terminate(self) -> None:
        """Cancel the task: it never starts if it still waits for room; otherwise its worker ends after the trial."""
        with suppress(OSError, RuntimeError):  # if the cluster is gone, so is the task
            self.future.cancel()

    def join(self) -> None:
        """Wait until the task has ended."""
        while self.exitcode is None:
            time.sleep(SECONDS_BETWEEN_LOOKS)


class ClusterWorkers(Workers):
    """`search.workers` tasks on the Dask cluster at `search.dask`."""

    TOLD = "the log of the Dask worker that ran it says why"

    def prepare(self) -> None:
        """Connect to the cluster.

        Raises:
            InputError: no scheduler answers at `search.dask`, or Dask is not installed.
        """
        try:
            from distributed import Client
        except ImportError:
            raise InputError("search.dask needs Dask: pip install distributed") from None
        _check_answers(self.search.dask)
        try:
            self.client = Client(self.search.dask, timeout=PATIENCE_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise InputError(f"search.dask is {self.search.dask}, where no scheduler answers: {reason}") from None

    def __exit__(self, *reason: object) -> None:
        # After an error nothing is waited for: closing the client cancels the tasks, and workers end after their trial.
        if reason[0] is None:
            super().__exit__(*reason)
        self.client.close()

    def start(self) -> Task:
        """Start one more worker, wherever the cluster has room.

        Raises:
            InputError: the cluster is gone.
        """
        try:
            by_host = workers_by_host(self.search.workers, self.client.nthreads())
            arguments = self.name, self.search.storage, self.search.workers, by_host, str(Path.cwd())
            return Task(self.client.submit(run_worker, *arguments, pure=False, retries=0))
        except (OSError, RuntimeError) as error:
            raise InputError(f"search.dask {self.search.dask} was lost: {error}; start again to go on") from None


def _check_answers(address: str | None) -> None:
    # A client that cannot connect prints a traceback when Python collects it, so the address is tried first.
    match = re.fullmatch(r"(?:tcp|tls)://(.+):(\d{1,5})", address or "")
    if not match:
        raise InputError(f"search.dask is {address}; it must be the address of a scheduler, such as tcp://host:8786")
    try:
        socket.create_connection((match[1].strip("[]"), int(match[2])), PATIENCE_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"search.dask is {address}, where no scheduler answers: {error}") from None
