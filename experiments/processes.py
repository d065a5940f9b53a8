"""Worker processes of this machine, forked from one that has imported TensorFlow: alone each would need seconds."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext


def prepare(module: str) -> ForkServerContext:
    """Have a process begin to import the workers' module; then it forks all that the context starts."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module])
    forkserver.ensure_running()
    return context


def share(workers: int) -> dict[str, str]:
    """The environment in which TensorFlow leaves as many other workers their part of the cores."""
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    return {"TF_NUM_INTRAOP_THREADS": threads, "TF_NUM_INTEROP_THREADS": threads}


def stop_when_asked() -> Callable[[], bool]:
    """Whether SIGINT (Ctrl-C) or SIGTERM has come; after a second Ctrl-C nothing is waited for."""
    asked: list[int] = []

    def note(number: int, _: object) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    return lambda: bool(asked)
