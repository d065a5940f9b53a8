"""Tables of an evaluation: loss curves, reliability, scores by class, and errors."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.metrics import confusion_matrix

from pipeline.data.splits import Summary
from pipeline.statistics import scores
from pipeline.statistics.intervals import Interval, crossed, on_logit_scale
from pipeline.statistics.metrics import OF_CLASS, class_rows, in_bins
from pipeline.statistics.weights import average

CLASS_TEXTS = ["split", "class"]
CLASS_NUMBERS = ["rows", "share", *(f"{name}{end}" for name in OF_CLASS for end in ("", "_low", "_high"))]


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
    numbers they are the mean target and the mean absolute error. `seed` counts the seeds with sound weights from 1.
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


def classes_of(
    predicted: Mapping[str, np.ndarray],
    actual: Mapping[str, np.ndarray],
    weights: Mapping[str, np.ndarray | None],
    blocks: Mapping[str, np.ndarray | None],
    summary: Summary,
) -> pd.DataFrame:
    """Return precision, recall and F1 of each class, a row per split and class; no rows for numbers.

    They are means over the seeds for which they are defined, with 95 % intervals for other seeds and rows. `rows` is
    how many rows are of the class (scikit-learn's support), and `share` their share, weighted as the scores are.

    Args:
        predicted: logits of the seeds that can be scored, by split.
        blocks: of rows that depend on each other; see `Split.blocks`.
    """
    table = []
    for split, outputs in predicted.items():
        said, of_split, weighted = outputs.argmax(axis=-1), actual[split], weights[split]
        for k, name in enumerate(summary.classes or []):
            rows = int((of_split == k).sum())
            row = {"split": split, "class": name, "rows": rows, "share": average(of_split == k, weighted)}
            by_seed = [class_rows(of_seed, of_split, k, weighted) for of_seed in said]
            for score in OF_CLASS:
                known = [values[score] for values in by_seed if np.isfinite(values[score]).all()]
                estimate = crossed(np.stack(known), weighted, blocks[split]) if known else None
                interval = on_logit_scale(replace(estimate, n=max(1, rows))) if estimate else Interval()
                row |= {score: interval.mean, f"{score}_low": interval.low, f"{score}_high": interval.high}
            table.append(row)
    return pd.DataFrame(table, columns=[*CLASS_TEXTS, *CLASS_NUMBERS])


def errors_of(outputs: np.ndarray, actual: np.ndarray, summary: Summary) -> pd.DataFrame:
    """Return the seeds' errors: counts of actual and predicted class over all seeds, or each row's mean prediction."""
    if not summary.classes:
        return pd.DataFrame({"actual": actual, "predicted": outputs.mean(axis=0)})
    labels = np.arange(len(summary.classes))
    counts = sum(confusion_matrix(actual, predicted, labels=labels) for predicted in outputs.argmax(axis=-1))
    table = pd.DataFrame(counts, index=summary.classes, columns=summary.classes)
    long = table.rename_axis("actual").reset_index().melt("actual", var_name="predicted", value_name="count")
    return long.sort_values(["actual", "predicted"], kind="stable", ignore_index=True)
