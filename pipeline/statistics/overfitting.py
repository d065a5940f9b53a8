"""The epochs at which a training is at its best and begins to overfit, from its history, seed by seed."""

import numpy as np
import pandas as pd

from pipeline.statistics.scores import gap

MEASURES = ("best_epoch", "onset_epoch", "train_rise")
HELD_OUT = ("validation", "holdout")


def overfitting(history: pd.DataFrame, loss: str) -> pd.DataFrame:
    """Measure at which epoch each seed was at its best, and when its loss on new rows began to rise for good.

    Args:
        history: a row per seed and epoch: seed, epoch, `train_<loss>`, `validation_<loss>` and, where there is a
            holdout, `holdout_<loss>`; see `fitted.Fitted`. Seeds may have trained for different numbers of epochs.
        loss: the metric's name; the sign of a metric for which higher is better is reversed, as by `scores.gap`.

    Returns:
        A row per seed: seed, and the following measures, averaged over validation and holdout where there are both.
        best_epoch: the epoch of the lowest loss, the first of equal ones.
        onset_epoch: the epoch after the last minimum, from which on the loss never returns to it; NaN if the last
            minimum is in the last epoch.
        train_rise: training loss at the end minus that of the best epoch, below 0 as long as training improves it.
        All are NaN for a seed without any finite loss; the rise is NaN where the last training loss is not finite.

    Raises:
        KeyError: the history has no training or validation losses.
    """
    rows = [{"seed": seed} | _of_seed(epochs.sort_values("epoch"), loss) for seed, epochs in history.groupby("seed")]
    return pd.DataFrame(rows, columns=["seed", *MEASURES])


def _of_seed(epochs: pd.DataFrame, loss: str) -> dict[str, float]:
    held_out = [
        epochs[name].to_numpy() for split in HELD_OUT if (name := f"{split}_{loss}") in epochs or split == "validation"
    ]
    number, train = epochs["epoch"].to_numpy(), epochs[f"train_{loss}"].to_numpy()
    measures = pd.DataFrame([_of_rows(number, train, losses, loss) for losses in held_out], columns=list(MEASURES))
    return dict(zip(MEASURES, measures.mean(), strict=True))


def _of_rows(epoch_numbers: np.ndarray, train: np.ndarray, losses: np.ndarray, loss: str) -> dict[str, float]:
    height = gap(loss, np.zeros_like(losses), losses)
    if not np.isfinite(height).any():
        return dict.fromkeys(MEASURES, np.nan)
    minima = np.flatnonzero(height == height[np.isfinite(height)].min())
    best, after = minima[0], minima[-1] + 1
    return {
        "best_epoch": epoch_numbers[best],
        "onset_epoch": epoch_numbers[after] if after < len(epoch_numbers) else np.nan,
        "train_rise": gap(loss, train[best], train[-1]),
    }
