"""When a training begins to overfit, read off its history seed by seed."""

import numpy as np
import pandas as pd

from pipeline.statistics.scores import gap

MEASURES = ("best_epoch", "onset_epoch", "train_rise")
HELD_OUT = ("val", "holdout")


def overfitting(history: pd.DataFrame, loss: str) -> pd.DataFrame:
    """Measure when each seed was at its best, and when its loss on new rows began to rise for good.

    Args:
        history: a row per seed and epoch: seed, epoch, `train_<loss>`, `val_<loss>` and, where there is a holdout,
            `holdout_<loss>`; see `trainer.Fitted`. Seeds may have trained for different numbers of epochs.
        loss: the metric's name; one for which higher is better is turned round as by `scores.gap`.

    Returns:
        A row per seed: seed, and as means over the rows held out twice (`val` and `holdout`),
        best_epoch: of the lowest loss, the first of equals.
        onset_epoch: the first after which the loss never comes back to its minimum, so the one after the last
            minimum; NaN if that is the last epoch.
        train_rise: training loss at the end, less that of the best epoch. Below 0 as long as training goes on to fit.
        A seed that never had a finite loss has none of them, and one whose loss is not finite at the end no rise: NaN.

    Raises:
        KeyError: the history has no training or validation losses.
    """
    rows = [{"seed": seed} | _of_seed(epochs.sort_values("epoch"), loss) for seed, epochs in history.groupby("seed")]
    return pd.DataFrame(rows, columns=["seed", *MEASURES])


def _of_seed(epochs: pd.DataFrame, loss: str) -> dict[str, float]:
    held_out = [
        epochs[name].to_numpy() for split in HELD_OUT if (name := f"{split}_{loss}") in epochs or split == "val"
    ]
    number, train = epochs["epoch"].to_numpy(), epochs[f"train_{loss}"].to_numpy()
    measures = pd.DataFrame([_of_rows(number, train, losses, loss) for losses in held_out], columns=list(MEASURES))
    return measures.mean().to_dict()


def _of_rows(number: np.ndarray, train: np.ndarray, losses: np.ndarray, loss: str) -> dict[str, float]:
    height = gap(loss, 0, losses)
    if not np.isfinite(height).any():
        return dict.fromkeys(MEASURES, np.nan)
    minima = np.flatnonzero(height == height[np.isfinite(height)].min())
    best, after = minima[0], minima[-1] + 1
    return {
        "best_epoch": number[best],
        "onset_epoch": number[after] if after < len(number) else np.nan,
        "train_rise": gap(loss, train[best], train[-1]),
    }
