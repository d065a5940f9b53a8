"""The inside of a worker process of this machine."""

# ruff: noqa: E402 (the process is configured before anything imports TensorFlow)
from pipeline.training.fast.process import configure

configure()

import os
import signal
import threading
from collections.abc import Callable
from functools import cache
from multiprocessing.connection import Connection
from typing import Any

import pipeline.training.trainer  # noqa: F401 (here it is imported once, and the processes are forked)

_load: Callable[[], Any]


def begin(lifeline: Connection, threads: int, load: Callable[[], Any]) -> None:
    """Prepare the process for its tasks.

    Args:
        lifeline: its other end is with the owner of this process, which ends when that closes.
        threads: how many TensorFlow may use.
        load: see `Engine`.
    """
    global _load
    _load = load
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the owner
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    use_threads(threads)


def use_threads(threads: int) -> None:
    """Set how many threads TensorFlow uses; to be called before it does anything."""
    for kind in ("INTRAOP", "INTEROP"):
        os.environ[f"TF_NUM_{kind}_THREADS"] = str(threads)


def run(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Run a task on the rows, which are loaded for the first one."""
    return function(_rows(), *arguments)


@cache
def _rows() -> Any:
    return _load()


def _end_with(lifeline: Connection) -> None:
    try:
        lifeline.recv()  # nothing is ever sent
    except (EOFError, OSError):
        os._exit(1)
