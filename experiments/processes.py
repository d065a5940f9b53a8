"""Worker processes on this machine, forked from one that has imported TensorFlow, since each import takes seconds."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext


def prepare(module: str) -> ForkServerContext:
    """Return a context whose processes are forked from one that begins to import the workers' module now."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module])
    forkserver.ensure_running()
    return context


def share(workers: int) -> dict[str, str]:
    """Return the environment variables with which TensorFlow uses one worker's share of the cores."""
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    return {"TF_NUM_INTRAOP_THREADS": threads, "TF_NUM_INTEROP_THREADS": threads}


def stop_when_asked() -> Callable[[], bool]:
    """Return a function that tells whether SIGINT (Ctrl-C) or SIGTERM has come; a second Ctrl-C interrupts at once."""
    received: list[int] = []

    def note(number: int, _: object) -> None:
        received.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    return lambda: bool(received)
