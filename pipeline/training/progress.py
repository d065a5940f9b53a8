"""How far a training is, for whoever watches it."""

import time

import numpy as np
from rich.console import Console

from pipeline.progress import Bar
from pipeline.training.trainer import Epoch


def describe(event: Epoch) -> str:
    """The epoch's mean scores over the seeds that still train: `val_cross_entropy 0.1234, val_accuracy 0.9567`."""
    wanted = [name for name in event.scores if name.startswith("val_")] or [
        name for name in event.scores if name.startswith("train_")
    ]
    shown = [f"{name} {np.nanmean(event.scores[name]):.4f}" for name in wanted if np.isfinite(event.scores[name]).any()]
    return ", ".join(shown)


class ProgressLine(Bar):
    """A callback for `trainer.fit` that shows epoch, mean validation scores and time left."""

    def __init__(self, epochs: int, console: Console | None = None):
        super().__init__("epoch", epochs, console)
        self.started = time.monotonic()
        self.first_epoch: int | None = None

    def __call__(self, event: Epoch) -> None:
        if self.first_epoch is None:  # where a resumed training began
            self.first_epoch = event.number - 1
        text = describe(event)
        self.show(
            event.number, text, lambda: f"epoch {event.number} of {event.of}: {text}, {self._left(event):.0f} s left"
        )

    def _left(self, event: Epoch) -> float:
        per_epoch = (time.monotonic() - self.started) / (event.number - self.first_epoch)
        return per_epoch * (event.of - event.number)
