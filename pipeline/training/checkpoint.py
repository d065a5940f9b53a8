"""The state of an interrupted training, which goes on where it was."""

import hashlib
import json
import signal
import time
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from pipeline.data.splits import Summary
from pipeline.files import read_arrays, read_kept, write_arrays
from pipeline.interrupts import INTERRUPTS
from pipeline.settings import Settings, flat
from pipeline.training.course import Snapshot
from pipeline.training.structure import source_digest
from pipeline.training.trainer import Epoch

# The share of the time that saving may take; a training of seconds is saved only when it is interrupted.
SAVING_SHARE = 0.05
SECONDS_BETWEEN = 5.0


def training_identity(settings: Settings, summary: Summary) -> str:
    """Return a digest of all that the result of the stage train depends on."""
    content = flat(settings.model) | flat(settings.train) | summary.digest | {"target_scale": summary.target_scale}
    content |= {"images": [summary.image_shape, summary.image_blank]}
    content["model.build's file"] = source_digest(settings.model)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class Interrupted(Exception):
    """The training was asked to stop, and has saved its last finished epoch.

    Attributes:
        status: the exit status that is usual after the signal.
    """

    def __init__(self, event: Epoch, signal_number: int):
        super().__init__(f"interrupted after epoch {event.number} of {event.of}")
        self.status = 128 + signal_number


class Checkpoint(AbstractContextManager):
    """A callback for `trainer.fit` that saves its state now and then, and on Ctrl-C or `kill` after the epoch.

    Args:
        path: the file, `.npz`.
        identity: a digest of all that the training depends on; a file with another digest is ignored.
    """

    def __init__(self, path: Path, identity: str):
        self.path, self.identity = path, identity
        self.stop_asked: int | None = None  # the number of the signal
        self.saved, self.cost = time.monotonic(), 0.0

    def __enter__(self) -> "Checkpoint":
        self.handlers = {number: signal.signal(number, self._ask_to_stop) for number in INTERRUPTS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.handlers.items():
            signal.signal(number, handler)

    def _ask_to_stop(self, number: int, _: object) -> None:
        self.stop_asked = number

    def load(self) -> Snapshot | None:
        """Return the state of an interrupted training of this identity, if there is one that is not damaged.

        Raises:
            InputError: the file cannot be opened.
        """
        state = read_kept(self.path, read_arrays)
        return state if state is not None and str(state.pop("identity", "")) == self.identity else None

    def __call__(self, event: Epoch) -> None:
        began = time.monotonic()
        due = began - self.saved > max(SECONDS_BETWEEN, self.cost / SAVING_SHARE)
        if not (due or self.stop_asked):
            return
        write_arrays(self.path, event.state() | {"identity": np.array(self.identity)})
        self.saved, self.cost = time.monotonic(), time.monotonic() - began
        if self.stop_asked:
            raise Interrupted(event, self.stop_asked)
