"""Worker processes of this machine."""

import multiprocessing
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any

from pipeline.interrupts import held_back

# Until it ends, a process keeps the code that XLA compiled: about 7 MB a graph, and 24 to 75 of the 65,530 memory maps
# that Linux allows a process.
TASKS_PER_PROCESS = 100
# Linux allows the name of a socket 107 bytes (macOS 103), of which Python's own part takes 32.
LONGEST_TEMPORARY_FOLDER = 70
_starting = threading.Lock()


class WorkerDied(Exception):
    """The worker of a task died before the task had ended."""


class LocalWorker:
    """A process in an executor of its own, so that it harms no other when it dies.

    Args:
        load: see `Engine`.
        workers: how many of them share the cores.
    """

    def __init__(self, load: Callable[[], Any], workers: int):
        self.load, self.threads = load, max(1, (os.cpu_count() or 1) // workers)
        self.executor: ProcessPoolExecutor | None = None
        self.is_closed = False

    def run(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Run a task; see `Worker`."""
        try:
            if self.executor is None or self.tasks == TASKS_PER_PROCESS:
                self._start()
            assert self.executor is not None
            self.tasks += 1
            return self.executor.submit(_run, function, arguments).result()
        except (BrokenExecutor, EOFError, ConnectionError) as error:
            self.executor = None
            raise WorkerDied from error

    def _start(self) -> None:
        if self.executor is not None:
            self.executor.shutdown()
        # Forked from one process that has imported TensorFlow, which takes seconds, where the system can do that.
        context = multiprocessing.get_context("forkserver" if _can_fork_from_a_server() else "spawn")
        context.set_forkserver_preload(["experiments.engine.worker"])
        # The process ends when the other end of this pipe is closed, as it also is when its owner dies.
        self.reading, self.lifeline = context.Pipe(duplex=False)
        if self.is_closed:
            self.lifeline.close()
        start = (self.reading, self.threads, self.load)
        with held_back(), _without_main_and_tracker_warnings():  # Ctrl-C is for the owner
            self.executor, self.tasks = ProcessPoolExecutor(1, context, _begin, start), 0
            imported = self.executor.submit(_import)
        imported.result()

    def close(self) -> None:
        """End the process at once."""
        self.is_closed = True
        if self.executor is not None:
            self.lifeline.close()
            self.executor.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _without_main_and_tracker_warnings() -> Iterator[None]:
    """Start processes without two things that Python has them do.

    They do not import the module that the user runs: they need nothing of it, and a script without
    `if __name__ == "__main__"` would start itself again in each. And the process that removes what a killed owner
    leaves behind does not say so.
    """
    with _starting:
        main, warnings = sys.modules["__main__"], os.environ.get("PYTHONWARNINGS")
        sys.modules["__main__"] = ModuleType("__main__")
        os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")
        try:
            yield
        finally:
            sys.modules["__main__"] = main
            if warnings is None:
                del os.environ["PYTHONWARNINGS"]


def _can_fork_from_a_server() -> bool:
    """Return whether the system has this way, and the name of the server's socket would not be too long for it."""
    folder = os.fsencode(tempfile.gettempdir())
    return "forkserver" in multiprocessing.get_all_start_methods() and len(folder) <= LONGEST_TEMPORARY_FOLDER


def _begin(lifeline: Connection, threads: int, load: Callable[[], Any]) -> None:
    from experiments.engine.worker import begin

    begin(lifeline, threads, load)


def _import() -> None:
    """Do nothing; the process has imported all it needs by the time that it is called."""


def _run(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    from experiments.engine.worker import run

    return run(function, arguments)
