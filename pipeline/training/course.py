"""The seeds of one configuration in training: which go on, at which rate, and which epoch is best so far."""

from collections.abc import Callable
from functools import cache

import numpy as np

from pipeline.data.examples import Examples
from pipeline.files import under
from pipeline.settings import Train
from pipeline.training.best_epoch import BestEpoch
from pipeline.training.fitted import Chosen, Fitted
from pipeline.training.history import History, loss_column, monitored_score
from pipeline.training.optimizers import default_learning_rate
from pipeline.training.schedules import Patience, learning_rates
from pipeline.training.scored_outputs import ENSEMBLE

Snapshot = dict[str, np.ndarray]  # all that the rest of a training depends on, under unique names
Weights = dict[str, np.ndarray]  # by path, seed first


class Course:
    """The course of one configuration's seeds through a training: scores, best epochs, rates, and which seeds go on.

    Attributes:
        rate_factor: by which plateaus have cut each seed's learning rate, `[R]`.
        active, diverged: which seeds go on, and which have stopped since they were not finite, bool `[R]`.
        best: the best epochs so far by the rows that choose: `validation`, and `holdout` where there are such rows.
        lowest_loss: the lowest validation cross-entropy (RMSE) of each seed so far, `[R]`; infinite without one.
    """

    def __init__(self, examples: Examples, train: Train, seeds: list[int], steps: int, unknown: Weights):
        self.problem, self.train, self.seeds = examples.problem, train, seeds
        base_rate = train.learning_rate or default_learning_rate(train)
        self.rates = learning_rates(train.schedule, base_rate, steps, train.epochs)
        self.rate_factor = np.ones(len(seeds))
        self.plateau = Patience.of(train.schedule.decay_epochs, len(seeds))
        self.history = History(seeds)
        self.active, self.diverged = np.ones(len(seeds), bool), np.zeros(len(seeds), bool)
        self.lowest_loss = np.full(len(seeds), np.inf)
        choosing = ["validation", "holdout"] if examples.holdout_rows.shape[1] else ["validation"]
        self.best = {split: BestEpoch.before_training(train.early_stopping, unknown, len(seeds)) for split in choosing}

    def learning_rates(self, epoch: int) -> np.ndarray:
        """Return the learning rates of an epoch (from 1), `[steps, R]`."""
        return self.rates[epoch - 1][:, None] * self.rate_factor

    def take(
        self, epoch: int, losses: np.ndarray, scores: dict[str, np.ndarray], weights: Callable[[], Weights]
    ) -> None:
        """Take in an epoch; stop the seeds that are not finite, or out of patience on all rows that choose.

        Args:
            losses: the mean training loss of each seed, `[R]`.
            scores: the history's columns, each `[R]`.
            weights: called, gives the weights after the epoch; only where a seed is better than before.
        """
        self.history.add(scores | {"learning_rate": self.learning_rates(epoch)[-1]}, self.active)
        self._look_at_loss(self.history.epochs[-1])
        monitored = {split: monitored_score(self.train.monitor, split, scores, self.problem) for split in self.best}
        finite = np.isfinite(losses + sum(score for score in monitored.values() if score is not None))
        self.diverged |= self.active & ~finite
        going = self.active & finite
        validation_scores = monitored["validation"]
        if self.train.schedule.name == "plateau" and validation_scores is not None:
            cut = self.plateau.exhausted(epoch, validation_scores) & going
            self.rate_factor[cut] *= self.train.schedule.decay
            self.plateau.waited[cut] = 0
        if self.train.stops_together:
            monitored["validation"] = monitored_score(self.train.monitor, ENSEMBLE, scores, self.problem)
        waited_for = np.zeros(len(self.seeds), bool)
        fetched = cache(weights)
        for split, best in self.best.items():
            waited_for |= best.choose(epoch, going, monitored[split], fetched)
        self.active = going & waited_for

    def fitted(self, weights: Callable[[], Weights]) -> Fitted:
        """Return the result, as it stands; `weights` are those after the last epoch."""
        last = None
        if not self.train.early_stopping:
            last = weights()
            for value in last.values():  # the weights of a seed that diverged may be finite, and yet are no model
                value[self.diverged] = np.nan
        chosen = {split: Chosen(last or best.best_weights, best.best_epoch) for split, best in self.best.items()}
        return Fitted(
            weights=chosen["validation"].weights,
            best_epoch=chosen["validation"].best_epoch,
            seeds=self.seeds,
            diverged=self.diverged,
            history=self.history.table(),
            by_holdout=chosen.get("holdout"),
        )

    def state(self) -> Snapshot:
        """Return all that the rest of the course depends on, as arrays under unique names."""
        state = {name: getattr(self, name).copy() for name in ("rate_factor", "active", "diverged")}
        state |= {"plateau.best": self.plateau.best.copy(), "plateau.waited": self.plateau.waited.copy()}
        for split, best in self.best.items():
            state |= {f"{split}/{name}": value for name, value in best.state().items()}
            state |= {f"best/{split}/{name}": value.copy() for name, value in best.best_weights.items()}
        return state | {f"table/{name}": values for name, values in self.history.state().items()}

    def restore(self, state: Snapshot) -> None:
        """Go back to a `state` of a course of the same settings."""
        self.rate_factor, self.active, self.diverged, self.plateau.best, self.plateau.waited = (
            state[name].copy() for name in ("rate_factor", "active", "diverged", "plateau.best", "plateau.waited")
        )
        for split, best in self.best.items():
            best.restore(under(f"{split}/", state))
            best.best_weights = {name: value.copy() for name, value in under(f"best/{split}/", state).items()}
        self.history.restore(under("table/", state))
        for scores in self.history.epochs:
            self._look_at_loss(scores)

    def _look_at_loss(self, scores: dict[str, np.ndarray]) -> None:
        if (loss := scores.get(loss_column("validation", self.problem))) is not None:
            self.lowest_loss = np.fmin(self.lowest_loss, loss)
