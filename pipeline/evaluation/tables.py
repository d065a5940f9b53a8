"""Tables of curves and errors, and the digits that tables of scores have."""

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.metrics import confusion_matrix

from pipeline.data.splits import Summary
from pipeline.statistics import scores
from pipeline.statistics.metrics import in_bins


def loss_curves(curves: pd.DataFrame, summary: Summary) -> pd.DataFrame:
    """Return the curves of cross-entropy or RMSE under names that every task has, for `dvc plots`.

    They end with the first seed: a mean over ever fewer seeds would jump where one drops out.
    """
    loss, _ = scores.METRICS[summary.task]
    curves = curves[curves["seeds_training"] == curves["seeds_training"].max()]
    columns = {"train": curves.get(f"train_{loss}"), "validation": curves.get(f"validation_{loss}")}
    return pd.DataFrame(columns, index=curves.index)


def reliability_of(outputs: np.ndarray, actual: np.ndarray, summary: Summary) -> pd.DataFrame:
    """Return how reliable the seeds' predictions are, in bins of as many rows each, a row per seed and bin.

    For classes `level` is the mean probability of the predicted class and `observed` the share that is right; for
    numbers they are the mean target and the mean absolute error.
    """
    tables = []
    for number, of_seed in enumerate(outputs, start=1):
        if summary.classes:
            probabilities = softmax(of_seed.astype(np.float64), axis=-1)
            pair = probabilities.max(axis=1), (probabilities.argmax(axis=1) == actual).astype(float)
        else:
            pair = actual.astype(np.float64), np.abs(of_seed - actual)
        table = pd.DataFrame(in_bins(*pair), columns=["level", "observed"])
        tables.append(table.assign(seed=number, bin=range(1, len(table) + 1)))
    return (
        pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["level", "observed", "seed", "bin"])
    )


def errors_of(outputs: np.ndarray, actual: np.ndarray, summary: Summary) -> pd.DataFrame:
    """Return the seeds' errors: counts of actual and predicted class over all seeds, or each row's mean prediction."""
    if not summary.classes:
        return pd.DataFrame({"actual": actual, "predicted": outputs.mean(axis=0)})
    labels = np.arange(len(summary.classes))
    counts = sum(confusion_matrix(actual, predicted, labels=labels) for predicted in outputs.argmax(axis=-1))
    table = pd.DataFrame(counts, index=summary.classes, columns=summary.classes)
    long = table.rename_axis("actual").reset_index().melt("actual", var_name="predicted", value_name="count")
    return long.sort_values(["actual", "predicted"], kind="stable", ignore_index=True)
