"""Interrupts: Ctrl-C, `kill` and `timeout` end a stage with one line and the usual exit status, 130 or 143."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
SECONDS_BETWEEN_LOOKS = 0.5


class _Listening:
    """What a process that listens knows.

    Attributes:
        stderr: standard error, also where that is held back for a while.
        has_begun: whether the stage's own work has begun; before, it only imports.
        number: the signal that has ended it.
    """

    stderr: int | None = None
    has_begun = False
    number: int | None = None


def listen(module: str) -> None:
    """End this process well when it is interrupted from now on; do nothing unless it runs the module as a command.

    Stages call this before they import anything that takes long. A stage that DVC runs ends with DVC too.
    """
    if module != "__main__":
        return
    _Listening.stderr = os.dup(2)
    for number in INTERRUPTS:
        signal.signal(number, _end)
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


@contextmanager
def unwinding() -> Iterator[None]:
    """Let an interrupt meanwhile undo what is begun, by a `SystemExit`, where the process listens."""
    _Listening.has_begun = True
    try:
        yield
    except BaseException:
        if _Listening.number is not None:
            # What is interrupted may raise something else, as an import of NumPy does.
            sys.exit(128 + _Listening.number)
        raise
    finally:
        _Listening.has_begun = False


def _end(number: int, _: object) -> None:
    for other in INTERRUPTS:
        signal.signal(other, signal.SIG_IGN)  # it is ending already
    _Listening.number = number
    assert _Listening.stderr is not None
    os.write(_Listening.stderr, b"interrupted; what is finished is kept, and `dvc repro` goes on from there\n")
    if not _Listening.has_begun:
        os._exit(128 + number)  # there is nothing to undo, and an import turns an exception into others
    sys.exit(128 + number)


def _end_with(parent: int) -> None:
    # The system gives a process whose parent has died another one.
    while os.getppid() == parent:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def held_back() -> Iterator[None]:
    """Let processes that are started meanwhile get no interrupts, where the system can do that."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
