"""The scores of a training, epoch by epoch."""

import numpy as np
import pandas as pd

from pipeline.choices import OBJECTIVES, Score
from pipeline.data.examples import Examples, Problem
from pipeline.statistics.metrics import FURTHER

# Scores come from numbers in float32, which have no more significant digits than these.
DIGITS = "%.7g"


class History:
    """A row of scores for each seed and epoch, written as the training goes on."""

    def __init__(self, seeds: list[int]):
        self.seeds = seeds
        self.epochs: list[dict[str, np.ndarray]] = []  # of each epoch, the columns `[R]`

    def add(self, scores: dict[str, np.ndarray], active: np.ndarray) -> None:
        """Add the columns of an epoch, each `[R]`, NaN for the seeds that are not active."""
        self.epochs.append({name: np.where(active, values, np.nan) for name, values in scores.items()})

    def table(self) -> pd.DataFrame:
        """Return a row per seed and epoch, for each seed up to the epoch in which it stopped."""
        epochs = [
            pd.DataFrame({"seed": self.seeds, "epoch": number} | scores)
            for number, scores in enumerate(self.epochs, start=1)
        ]
        history = pd.concat(epochs, ignore_index=True)
        trained = history.groupby("seed")["learning_rate"].transform("count")
        return history[history["epoch"] <= trained].sort_values(["seed", "epoch"], ignore_index=True, kind="stable")

    def state(self) -> dict[str, np.ndarray]:
        """Return the columns of all epochs, `[epochs, R]`."""
        return {name: np.stack([scores[name] for scores in self.epochs]) for name in self.epochs[0]}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go back to a `state`."""
        epochs = len(next(iter(state.values())))
        self.epochs = [{name: values[epoch] for name, values in state.items()} for epoch in range(epochs)]


def loss_column(split: str, problem: Problem) -> str:
    """Return the name of the column with a split's loss."""
    return f"{split}_cross_entropy" if problem.is_classification else f"{split}_rmse"


def further_score(monitor: Score | None, problem: Problem) -> Score | None:
    """Return the score of `train.monitor` where it takes the outputs of all rows; None where every history has it."""
    return monitor if monitor in FURTHER[problem.task] else None


def score_columns(
    split: str,
    examples: Examples,
    variance: np.ndarray,
    loss: np.ndarray,
    hits: np.ndarray,
) -> dict[str, np.ndarray]:
    """Return the columns of a split, each `[R]`: cross-entropy and accuracy, or RMSE in the target's unit and R2.

    Args:
        variance: of the standardized target in the split, `[R]`.
        loss, hits: means over the split, `[R]`; the loss of a regression is the squared error, standardized.
    """
    name = loss_column(split, examples.problem)
    if examples.problem.is_classification:
        return {name: loss, f"{split}_accuracy": hits}
    varied = np.where(variance > 0, variance, np.nan)
    return {name: np.sqrt(loss) * examples.problem.target_scale, f"{split}_r2": 1 - loss / varied}


def monitored_score(
    monitor: Score | None, split: str, scores: dict[str, np.ndarray], problem: Problem
) -> np.ndarray | None:
    """Return what `train.monitor` goes by, `[R]`, the lower the better; None where the split has no rows.

    Args:
        scores: the columns of an epoch.
    """
    if monitor is None:
        return scores.get(loss_column(split, problem))
    score = scores.get(f"{split}_{monitor}")
    return 1 - score if score is not None and OBJECTIVES[monitor].is_maximized else score


def rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the digits that its file has, so that a number is the same there and in MLflow."""
    floats = table.select_dtypes("float")
    return table.assign(**{name: [float(DIGITS % value) for value in floats[name]] for name in floats.columns})


def mean_curves(history: pd.DataFrame) -> pd.DataFrame:
    """Return means over the seeds that still train, with the epoch as index, and how many these seeds are.

    An epoch has the same means, to the last bit, whichever epochs it is in a table with.
    """
    # The sums of pandas depend on whether the rows of a group lie together.
    by_epoch = history.sort_values(["epoch", "seed"]).drop(columns="seed").groupby("epoch")
    return by_epoch.mean().assign(seeds_training=by_epoch.size())
