"""Rows whose labels may be wrong: every network that held them out is sure of another class."""

import numpy as np
from scipy.special import softmax

from experiments import records as record
from experiments.study.rows import Rows

MOST_LISTED = 100


def doubtful_labels(rows: Rows, outputs: np.ndarray, classes: list[str]) -> record.DoubtfulLabels:
    """List rows that all seeds which held them out put into one other class, together as surely as rows of that class.

    That is confident learning (Northcutt, Jiang and Chuang 2021, JAIR 70, 1373-1411): a network is sure of a class
    where it gives it at least the probability that rows with this label have on average. The least plausible label
    comes first, by its probability less that of the other class.

    Args:
        outputs: logits of every row by the seeds that hold it out, `[rings, 2, n, classes]`; NaN for none.
    """
    probabilities = softmax(outputs.reshape(-1, *outputs.shape[2:]), axis=-1)  # [models of a row, n, classes]
    is_held_out = np.isfinite(probabilities).all(axis=-1)
    mean = np.nanmean(np.where(is_held_out.any(axis=0)[:, None], probabilities, 0.0), axis=0)
    of_label = mean[np.arange(len(rows.y)), rows.y]
    judged = is_held_out.any(axis=0)
    sure = np.array([of_label[judged & (rows.y == k)].mean() if (judged & (rows.y == k)).any() else 1.0
                     for k in range(rows.problem.n_outputs)])  # fmt: skip
    other = mean.argmax(axis=1)
    agree = ((np.nan_to_num(probabilities).argmax(axis=-1) == other) | ~is_held_out).all(axis=0)
    doubtful = judged & (other != rows.y) & agree & (mean.max(axis=1) >= sure[other])
    margin = of_label - mean.max(axis=1)
    order = np.flatnonzero(doubtful)[np.argsort(margin[doubtful], kind="stable")]
    return record.DoubtfulLabels(
        count=len(order),
        judged=int(judged.sum()),
        rows=[
            record.DoubtfulLabel(
                row=None if rows.numbers is None else int(rows.numbers[row]) + 1,
                label=classes[rows.y[row]],
                other=classes[other[row]],
                probability=float(of_label[row]),
                probability_of_other=float(mean[row, other[row]]),
            )
            for row in order[:MOST_LISTED]
        ],
    )
