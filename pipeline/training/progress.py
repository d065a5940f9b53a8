"""The progress of a training on a terminal or in a log."""

import time

import numpy as np
from rich.console import Console

from pipeline.progress import Bar
from pipeline.training.trainer import Epoch


def describe(event: Epoch) -> str:
    """Return the mean scores of the seeds that still train, as `validation_rmse 54.3210, validation_r2 0.4567`."""
    names = [name for name in event.scores if name.startswith("validation_")] or [
        name for name in event.scores if name.startswith("train_")
    ]
    shown = [f"{name} {np.nanmean(event.scores[name]):.4f}" for name in names if np.isfinite(event.scores[name]).any()]
    return ", ".join(shown)


class ProgressLine(Bar):
    """A callback for `trainer.fit` that shows epoch, mean validation scores and time left."""

    def __init__(self, epochs: int, console: Console | None = None):
        super().__init__("epoch", epochs, console)
        self.started = time.monotonic()
        self.epochs_before: int | None = None  # of a training that is resumed

    def __call__(self, event: Epoch) -> None:
        if self.epochs_before is None:
            self.epochs_before = event.number - 1
        seconds_per_epoch = (time.monotonic() - self.started) / (event.number - self.epochs_before)
        seconds_left = seconds_per_epoch * (event.of - event.number)
        text = describe(event)
        self.show(event.number, text, lambda: f"epoch {event.number} of {event.of}: {text}, {seconds_left:.0f} s left")
