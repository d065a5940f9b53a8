"""The progress of a training on a terminal or in a log."""

import numpy as np
from rich.console import Console

from pipeline.progress import Bar
from pipeline.training.trainer import Epoch
from pipeline.wording import significant


def describe(event: Epoch) -> str:
    """Return the mean scores of the seeds that still train, as `validation_rmse 54.32, validation_r2 0.4567`."""
    names = [name for name in event.scores if name.startswith("validation_")] or [
        name for name in event.scores if name.startswith("train_")
    ]
    known = [name for name in names if np.isfinite(event.scores[name]).any()]
    return ", ".join(f"{name} {significant(np.nanmean(event.scores[name]))}" for name in known)


class ProgressLine(Bar):
    """A callback for `trainer.fit` that shows epoch and mean validation scores."""

    def __init__(self, epochs: int, console: Console | None = None):
        super().__init__("epoch", epochs, console)

    def __call__(self, event: Epoch) -> None:
        text = describe(event)
        self.show(event.number, text, lambda: f"epoch {event.number} of {event.of}: {text}")
