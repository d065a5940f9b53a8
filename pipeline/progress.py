"""How far a training is, for whoever watches it: a bar on a terminal, a line now and then in a log."""

import time
from contextlib import AbstractContextManager

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.trainer import Epoch

SECONDS_BETWEEN_LINES = 15.0


def describe(event: Epoch) -> str:
    """The epoch's mean scores over the seeds that still train: `val_cross_entropy 0.1234, val_accuracy 0.9567`."""
    wanted = [name for name in event.scores if name.startswith("val_")] or [
        name for name in event.scores if name.startswith("train_")
    ]
    shown = [f"{name} {np.nanmean(event.scores[name]):.4f}" for name in wanted if np.isfinite(event.scores[name]).any()]
    return ", ".join(shown)


class ProgressLine(AbstractContextManager):
    """A callback for `trainer.fit` that shows epoch, mean validation scores and time left."""

    def __init__(self, epochs: int, console: Console | None = None):
        self.console = console or Console()
        columns = (TextColumn("epoch"), MofNCompleteColumn(), BarColumn(20), TextColumn("{task.description}"))
        self.bar = Progress(*columns, TimeRemainingColumn(), console=self.console, transient=True)
        self.task = self.bar.add_task("", total=epochs)
        self.started = self.last_line = time.monotonic()
        self.first_epoch: int | None = None

    def __enter__(self) -> "ProgressLine":
        if self.console.is_terminal:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.console.is_terminal:
            self.bar.stop()

    def __call__(self, event: Epoch) -> None:
        if self.console.is_terminal:
            self.bar.update(self.task, completed=event.number, description=describe(event))
            return
        if self.first_epoch is None:  # where a resumed training began
            self.first_epoch = event.number - 1
        now = time.monotonic()
        if now - self.last_line < SECONDS_BETWEEN_LINES:
            return
        self.last_line = now
        per_epoch = (now - self.started) / (event.number - self.first_epoch)
        left = per_epoch * (event.of - event.number)
        print(f"epoch {event.number} of {event.of}: {describe(event)}, {left:.0f} s left", flush=True)
