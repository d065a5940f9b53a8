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
    """How many of a search's workers each machine has when Dask spreads them evenly over its threads.

    Args:
        threads: of each Dask worker, by its address; a machine may have several.
    """
    by_host: Counter[str] = Counter()
    for address, count in threads.items():
        by_host[_host(address)] += count
    at_once = min(workers, by_host.total())
    return {host: math.ceil(at_once * count / by_host.total()) for host, count in by_host.items()}


def _host(address: str) -> str:
    return urlsplit(address).hostname or ""


def run_worker(name: str, url: str, workers: int, by_host: dict[str, int], folder: str) -> int:
    """On the cluster: a process that works at the search until no trial waits; its exit status.

    Args:
        by_host: how many of the workers share the cores of a machine; all of them on one that came later.
        folder: the project's, as the search has it; where the cluster's machine has none there, its working folder.
    """
    from distributed import get_worker

    # A process of its own, since Dask runs tasks in threads, and a TensorFlow graph serves one at a time.
    here = folder if Path(folder).is_dir() else None
    command = [sys.executable, "-m", "experiments.search", "--worker", "--study", name, "--parent", str(os.getpid())]
    here_too = by_host.get(_host(get_worker().address), workers)
    environment = os.environ | share(here_too) | {STORAGE_VARIABLE: url}
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, cwd=here)
    tasks, key = get_worker().state.tasks, get_worker().get_current_task()
    while True:
        try:
            return process.wait(SECONDS_BETWEEN_LOOKS)
        except subprocess.TimeoutExpired:
            # The search is gone: Dask cannot stop a thread, but it does say so.
            if key not in tasks or tasks[key].state == "cancelled":
                process.terminate()


class Task:
    """A task of the cluster, with the face of a process."""

    def __init__(self, future: Any):
        self.future = future

    @property
    def exitcode(self) -> int | None:
        """Its exit status; 1 if the cluster lost it or it was cancelled."""
        if not self.future.done():
            return None
        return self.future.result() if self.future.status == "finished" else 1

    def terminate(self) -> None:
        """Cancel it: one that waits for room never starts, one that runs sees it and lets its trial end."""
        with suppress(OSError, RuntimeError):  # the cluster is gone, and the task with it
            self.future.cancel()

    def join(self) -> None:
        """Wait for its end."""
        while self.exitcode is None:
            time.sleep(SECONDS_BETWEEN_LOOKS)


class ClusterWorkers(Workers):
    """`search.workers` tasks on the Dask cluster at `search.dask`."""

    TOLD = "the log of the Dask worker that ran it says why"

    def prepare(self) -> None:
        """Connect to the cluster.

        Raises:
            InputError: no scheduler answers there, or Dask is not installed.
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
        # What an error ends is not waited for: closing cancels the tasks, which let their trials end.
        if reason[0] is None:
            super().__exit__(*reason)
        self.client.close()

    def start(self) -> Task:
        """Start one more, wherever the cluster has room.

        Raises:
            InputError: the cluster is gone.
        """
        given = self.name, self.search.storage, self.search.workers
        try:
            given += workers_by_host(self.search.workers, self.client.nthreads()), str(Path.cwd())
            return Task(self.client.submit(run_worker, *given, pure=False, retries=0))
        except (OSError, RuntimeError) as error:
            raise InputError(f"search.dask {self.search.dask} was lost: {error}; start again to go on") from None


def _check_answers(address: str) -> None:
    # A client that cannot connect ends in a traceback of its own when Python collects it, so there is none before.
    found = re.fullmatch(r"(?:tcp|tls)://(.+):(\d{1,5})", address)
    if not found:
        raise InputError(f"search.dask is {address}; it must be the address of a scheduler, such as tcp://host:8786")
    try:
        socket.create_connection((found[1].strip("[]"), int(found[2])), PATIENCE_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"search.dask is {address}, where no scheduler answers: {error}") from None
