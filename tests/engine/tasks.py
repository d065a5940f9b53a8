"""Tasks for the engine's workers, which find them by their names."""

import os
import signal
import time
from pathlib import Path

from experiments.engine.abandoned import ends_when_abandoned


def load() -> int:
    """Return the rows that all tasks are about."""
    return 10


def add(rows: int, number: int) -> int:
    """Return what shows that the task has had its rows and its argument."""
    return rows + number


def process(rows: int) -> int:
    """Return the worker that runs the task."""
    return os.getpid()


def meet(rows: int, folder: Path, name: str, other: str) -> int:
    """Wait until a task of another name has begun."""
    (folder / name).touch()
    for _ in range(600):
        if (folder / other).exists():
            return os.getpid()
        time.sleep(0.1)
    raise TimeoutError(other)


def last(rows: int, folder: Path, name: str) -> int:
    """Go on until the worker is ended; the file of this name has its process."""
    (folder / f"{name}.new").write_text(str(os.getpid()))
    (folder / f"{name}.new").rename(folder / name)
    time.sleep(600)
    return os.getpid()


def until_abandoned(rows: int, folder: Path, name: str) -> None:
    """Go on until nobody waits for the task."""
    (folder / f"{name}.begun").touch()
    while not ends_when_abandoned(None):
        time.sleep(0.1)
    (folder / f"{name}.ended").touch()


def die(rows: int) -> None:
    """Take the worker along."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(rows: int, path: Path) -> int:
    """Take the first worker along, and add to the rows in the second."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return rows + 1
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def fail(rows: int) -> None:
    """Have a mistake in it."""
    raise ValueError("of no use")
