"""Learning rates over the steps of a training, averaging and patience over its epochs."""

from dataclasses import dataclass

import numpy as np

from pipeline.settings import Schedule


def learning_rates(schedule: Schedule, base: float, steps_per_epoch: int, epochs: int) -> np.ndarray:
    """Return the learning rate of every step, `[epochs, steps_per_epoch]`; the cuts of a plateau come on top.

    A linear warm-up comes first. After it, with t the epochs since its end, cosine decays to 0 at the last step
    (Loshchilov and Hutter 2017, without restarts), cosine_restarts to 0 at the end of every `decay_epochs` and then
    starts again (their SGDR with cycles of one length), exponential multiplies by `decay ** (t / decay_epochs)`, and
    step by `decay ** floor(t / decay_epochs)`.
    """
    step = np.arange(epochs * steps_per_epoch)
    warmup = schedule.warmup_epochs * steps_per_epoch
    since = np.maximum(step - warmup, 0)
    drops = since / (schedule.decay_epochs * steps_per_epoch)
    match schedule.name:
        case "cosine":
            factor = 0.5 * (1 + np.cos(np.pi * since / max(1, len(step) - warmup)))
        case "cosine_restarts":
            factor = 0.5 * (1 + np.cos(np.pi * (drops % 1)))
        case "exponential":
            factor = schedule.decay**drops
        case "step":
            factor = schedule.decay ** np.floor(drops)
        case "constant" | "plateau":
            factor = np.ones(len(step))
    warming = np.minimum(1, (step + 1) / max(1, warmup))
    return (base * factor * warming).reshape(epochs, steps_per_epoch)


def kept_share(swa: float, epoch: int, epochs: int) -> float:
    """Return the weight of the mean so far as an epoch's weights (from 1) are averaged in; they have the rest.

    The mean is of the last epochs, `swa` of all, rounded, and one at least; up to the first of them it is the weights
    themselves (stochastic weight averaging: Izmailov, Podoprikhin, Garipov, Vetrov and Wilson 2018). It is scored after
    each epoch, so early stopping may choose any epoch, and a seed that it stops before them ends without a mean.
    """
    averaged = max(0, epoch - 1 - epochs + max(1, round(swa * epochs)))
    return averaged / (averaged + 1)


@dataclass
class Patience:
    """A count, seed by seed, of the epochs since the score last fell by more than `min_delta`."""

    epochs: int
    min_delta: float
    start_from_epoch: int
    best: np.ndarray
    waited: np.ndarray

    @classmethod
    def of(cls, epochs: int, seeds: int, min_delta: float = 0.0, start_from_epoch: int = 0) -> "Patience":
        """Begin with a patience of so many epochs for each of so many seeds."""
        return cls(epochs, min_delta, start_from_epoch, np.full(seeds, np.inf), np.zeros(seeds, int))

    def exhausted(self, epoch: int, scores: np.ndarray) -> np.ndarray:
        """Take in the scores `[R]` of an epoch (from 1); return which seeds have waited for too long, bool `[R]`."""
        if epoch <= self.start_from_epoch:
            return np.zeros(len(scores), bool)
        improved = scores < self.best - self.min_delta
        self.best = np.where(improved, scores, self.best)
        self.waited = np.where(improved, 0, self.waited + 1)
        return self.waited >= self.epochs
