"""The curves of a training that takes long, handed on while it lasts."""

import time
from collections.abc import Callable

import pandas as pd

from pipeline.training.history import mean_curves, rounded
from pipeline.training.trainer import Epoch

SECONDS_BEFORE_THE_FIRST, SECONDS_BETWEEN = 60.0, 30.0


class LiveCurves:
    """A callback for `trainer.fit` that hands on the curves of the epochs since it last did, now and then.

    Args:
        log: takes the means over the seeds, a row per epoch, with the digits that they have in files.
    """

    def __init__(self, log: Callable[[pd.DataFrame], None]):
        self.log = log
        self.due = time.monotonic() + SECONDS_BEFORE_THE_FIRST
        self.epochs: list[Epoch] = []

    def __call__(self, event: Epoch) -> None:
        self.epochs.append(event)
        if time.monotonic() < self.due:
            return
        history = pd.concat(
            [
                pd.DataFrame({"seed": range(len(epoch.active)), "epoch": epoch.number} | epoch.scores)
                for epoch in self.epochs
            ]
        )
        self.log(rounded(mean_curves(rounded(history.dropna(subset="learning_rate")))))
        self.epochs.clear()
        self.due = time.monotonic() + SECONDS_BETWEEN
