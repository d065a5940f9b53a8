"""The choice of each seed's epoch by rows that it does not train on, and early stopping by them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.settings import EarlyStopping
from pipeline.training.schedules import Patience


@dataclass
class BestEpoch:
    """Each seed's best epoch so far on some rows, which also stop it where it does not improve.

    Attributes:
        patience: None without early stopping.
        best_score, best_epoch: `[R]`, infinite and 0 where no epoch had a finite score.
        best_weights: those after the best epoch, by name, seed first; empty without early stopping.
        waiting: the seeds that still train and have not run out of patience on these rows, bool `[R]`.
    """

    patience: Patience | None
    best_score: np.ndarray
    best_epoch: np.ndarray
    best_weights: dict[str, np.ndarray]
    waiting: np.ndarray

    @classmethod
    def before_training(cls, stopping: EarlyStopping | None, unknown: dict[str, np.ndarray], seeds: int) -> "BestEpoch":
        """Begin with no best epoch for so many seeds; `unknown` are weights of NaN."""
        patience, weights = None, {}
        if stopping:
            patience = Patience.of(stopping.patience, seeds, stopping.min_delta, stopping.start_from_epoch)
            weights = {name: value.copy() for name, value in unknown.items()}
        return cls(patience, np.full(seeds, np.inf), np.zeros(seeds, int), weights, np.ones(seeds, bool))

    def choose(
        self, epoch: int, going: np.ndarray, scores: np.ndarray | None, weights: Callable[[], dict[str, np.ndarray]]
    ) -> np.ndarray:
        """Take in the scores `[R]` of an epoch, and the weights of seeds that are better than before; return `waiting`.

        Args:
            going: the seeds that train and have not diverged, bool `[R]`.
            scores: None where there are no such rows, and each epoch is the best so far.
        """
        self.waiting &= going
        better = self.waiting if scores is None else self.waiting & (scores < self.best_score)
        self.best_epoch[better] = epoch
        if scores is not None:
            self.best_score[better] = scores[better]
        if self.patience and scores is not None:
            if better.any():
                for name, value in weights().items():
                    self.best_weights[name][better] = value[better]
            self.waiting &= ~self.patience.exhausted(epoch, scores)
        return self.waiting

    def state(self) -> dict[str, np.ndarray]:
        """Return copies of all arrays but the weights, by name."""
        arrays = {"best_score": self.best_score, "best_epoch": self.best_epoch, "waiting": self.waiting}
        if self.patience:
            arrays |= {"patience.best": self.patience.best, "patience.waited": self.patience.waited}
        return {name: array.copy() for name, array in arrays.items()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go back to a `state`."""
        self.best_score, self.best_epoch, self.waiting = (
            state[name].copy() for name in ("best_score", "best_epoch", "waiting")
        )
        if self.patience:
            self.patience.best, self.patience.waited = (state[f"patience.{name}"].copy() for name in ("best", "waited"))
