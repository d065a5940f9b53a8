"""Interrupts: Ctrl-C, `kill` and `timeout` end a stage with one line and the usual exit status, 130 or 143.

A thread waits for the signals. An exception out of a signal handler could come in the midst of anything, where it is
turned into another one or lost, and would wait for a call of TensorFlow that takes minutes.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pipeline.files import remove_unfinished

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_TO_END = 3.0

_last_acts: list[Callable[[], None]] = []
_stderr = 2  # `listen` puts a copy here, since the original is held back while TensorFlow is imported


def listen(module: str) -> None:
    """End this process well when it is interrupted from now on; do nothing unless it runs the module as a command.

    Stages call this before they import anything that takes long. A stage that DVC runs ends with DVC too.
    """
    global _stderr
    if module != "__main__":
        return
    _stderr = os.dup(2)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)  # in all threads that come after this one as well
        threading.Thread(target=_wait, daemon=True).start()
    else:
        for number in INTERRUPTS:
            signal.signal(number, _end)
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


@contextmanager
def before_the_end(act: Callable[[], None]) -> Iterator[None]:
    """Call `act` if an interrupt ends the process meanwhile; it may take `SECONDS_TO_END`, and may fail."""
    _last_acts.append(act)
    try:
        yield
    finally:
        _last_acts.remove(act)


@contextmanager
def held_back() -> Iterator[None]:
    """Let processes that are started meanwhile get no interrupts, where the system can do that."""
    with _masked(signal.SIG_BLOCK if hasattr(signal, "SIG_BLOCK") else None):
        yield


@contextmanager
def let_through() -> Iterator[None]:
    """Let processes that are started meanwhile get interrupts as usual."""
    with _masked(signal.SIG_UNBLOCK if hasattr(signal, "SIG_UNBLOCK") else None):
        yield


@contextmanager
def _masked(how: int | None) -> Iterator[None]:
    if how is None:
        yield
        return
    before = signal.pthread_sigmask(how, INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wait() -> None:
    while True:
        number = signal.sigwait(INTERRUPTS)
        handler = signal.getsignal(number)
        if handler in (signal.SIG_DFL, signal.default_int_handler):
            _end(number)
        elif callable(handler):  # a training ends after its epoch
            handler(number, None)


def _end(number: int, _: object = None) -> None:
    os.write(_stderr, b"interrupted; what is finished is kept, and `dvc repro` goes on from there\n")
    last = threading.Thread(target=_act, daemon=True)
    last.start()
    last.join(SECONDS_TO_END)
    os._exit(128 + number)


def _act() -> None:
    for act in (*reversed(_last_acts), remove_unfinished):
        with suppress(Exception):
            act()


def _end_with(parent: int) -> None:
    # A process whose parent has died gets another parent.
    while os.getppid() == parent:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    os.kill(os.getpid(), signal.SIGTERM)
