"""How far a training has overfitted, read off its history: a number a seed, and an answer over the seeds."""

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from pipeline.scores import gap, interval, standard_error

MEASURES = ("best_epoch", "gap_at_best", "gap_at_end", "onset_epoch", "rise", "holdout_rise", "train_rise")


def overfitting(history: pd.DataFrame, loss: str) -> pd.DataFrame:
    """The measures of overfitting, a row per seed.

    Args:
        history: a row per seed and epoch: seed, epoch, `train_<loss>`, `val_<loss>` and, where there is a holdout,
            `holdout_<loss>`; see `trainer.Fitted`. Seeds may have trained for different numbers of epochs.
        loss: the metric's name; one for which higher is better is turned round as by `scores.gap`.

    Returns:
        seed and
        best_epoch: of the lowest validation loss, the first of equals.
        gap_at_best, gap_at_end: validation minus training loss, at the best epoch and at the last.
        onset_epoch: the first after which the validation loss never comes back to its minimum, so the one after the
            last minimum; NaN if that is the last epoch.
        rise: validation loss at the end, less its minimum. Never below 0, and above 0 by chance alone.
        holdout_rise: holdout loss at the end, less that of the best epoch. The holdout rows did not choose this epoch.
            NaN without holdout rows.
        train_rise: the same on the training rows. Below 0 as long as training goes on to fit them.
        A seed whose loss is not finite at the end has no measure of the end, and one that never had a finite
        validation loss has none at all: NaN.

    Raises:
        KeyError: the history has no training or validation losses.
    """
    rows = [{"seed": seed} | _of_seed(epochs.sort_values("epoch"), loss) for seed, epochs in history.groupby("seed")]
    return pd.DataFrame(rows, columns=["seed", *MEASURES])


def _of_seed(epochs: pd.DataFrame, loss: str) -> dict[str, float]:
    number, train, val = (epochs[name].to_numpy() for name in ("epoch", f"train_{loss}", f"val_{loss}"))
    holdout = epochs[f"holdout_{loss}"].to_numpy() if f"holdout_{loss}" in epochs else np.full(len(epochs), np.nan)
    height = gap(loss, 0, val)
    if not np.isfinite(height).any():
        return dict.fromkeys(MEASURES, np.nan)
    minima = np.flatnonzero(height == height[np.isfinite(height)].min())
    best = minima[0]
    return {
        "best_epoch": number[best],
        "gap_at_best": gap(loss, train[best], val[best]),
        "gap_at_end": gap(loss, train[-1], val[-1]),
        "onset_epoch": number[minima[-1] + 1] if minima[-1] + 1 < len(number) else np.nan,
        "rise": gap(loss, val[best], val[-1]),
        "holdout_rise": gap(loss, holdout[best], holdout[-1]),
        "train_rise": gap(loss, train[best], train[-1]),
    }


def overfits(table: pd.DataFrame, overlap: float = 0.0) -> dict[str, Any]:
    """Whether training on beyond the best epoch costs something on rows that did not choose it, while it fits its own.

    Where the loss of the training rows rises as well, the best epoch was a lucky one of an unsteady training: all rows
    share its ups and downs.

    Args:
        table: what `overfitting` returns.
        overlap: see `scores.interval`.

    Returns:
        answer: whether the interval of the mean holdout rise lies above 0, and the mean training rise does not; None
            where there is no interval.
        rise: that interval.
        train_rise: the mean training rise; None without training scores.
        p: one-sided, of no holdout rise, from the same t; below 0.025 where the answer is yes.
        onset_epoch: median over the seeds that have one; None if none has.
        onset_range: their first and last, or None.
    """
    rise = interval(table["holdout_rise"].to_numpy(np.float64), overlap)
    onsets, train_rise = table["onset_epoch"].dropna(), table["train_rise"].mean()
    return {
        "answer": None if rise["low"] is None else bool(rise["low"] > 0 and not train_rise > 0),
        "rise": rise,
        "train_rise": float(train_rise) if np.isfinite(train_rise) else None,
        "p": _p_above_0(table["holdout_rise"].to_numpy(np.float64), overlap),
        "onset_epoch": float(onsets.median()) if len(onsets) else None,
        "onset_range": (float(onsets.min()), float(onsets.max())) if len(onsets) else None,
    }


def _p_above_0(values: np.ndarray, overlap: float) -> float | None:
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return None
    error = standard_error(values, overlap)
    if error == 0:
        return 0.0 if values[0] > 0 else 1.0
    return float(stats.t.sf(values.mean() / error, len(values) - 1))
