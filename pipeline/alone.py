"""One run of a stage at a time in a project."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import InputError
from pipeline.files import cannot_write

LOCKS = Path("models")


@contextmanager
def alone(stage: str) -> Iterator[None]:
    """Keep other runs of this stage away from the project; the system ends the lock when the process dies.

    Raises:
        InputError: the stage is running already, or the folder of the locks cannot be written to.
    """
    path = LOCKS / f".{stage}.lock"
    lock = FileLock(path, timeout=0)
    try:
        path.parent.mkdir(exist_ok=True)
        lock.acquire()
    except Timeout:
        raise InputError(f"another run of the stage {stage} is at work in this project; wait for it") from None
    except OSError as error:
        raise cannot_write(path, error) from None
    with lock:
        yield
