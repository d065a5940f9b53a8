"""Permutation importance: how much the recommended networks rely on each column, told by held-out rows."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from experiments import records as record
from experiments.study.compared import loss_factor
from experiments.study.held_out import HeldOut
from experiments.study.outputs import held_out_outputs
from experiments.study.scored import Scored
from pipeline.serving import width
from pipeline.statistics.comparisons import estimates, judge

PERMUTATIONS = 3
MOST_COLUMNS = 100


def importance(arm: Scored, preprocessing: Mapping[str, Any]) -> list[record.Importance] | None:
    """Return how much the loss on held-out rows rises when a column's values change places, the largest rise first.

    All features of a column are permuted together (Breiman 2001, Machine Learning 45, 5-32), `PERMUTATIONS` times. What
    two columns both tell is not missed when one of them is permuted, so neither seems to matter. The p-values are
    adjusted for the number of columns.

    Args:
        preprocessing: the content of `preprocessing.json`.

    Returns:
        None for images, for a single column and for more than `MOST_COLUMNS`, which would take long.
    """
    columns = preprocessing.get("columns", [])
    if not 1 < len(columns) <= MOST_COLUMNS:
        return None
    plain = _on_held_out_rows(arm, arm.rows.x)
    ends = np.cumsum([width(column) for column in columns])
    permuted = [
        np.mean([_permuted_loss(arm, slice(end - width(column), end), draw) for draw in range(PERMUTATIONS)], axis=0)
        for column, end in zip(columns, ends, strict=True)
    ]
    differences = [losses - plain.loss_rows for losses in permuted]
    verdicts = judge(estimates(differences, arm.rows.ring), [None] * len(columns))
    loss = plain.mean(plain.loss)
    found = []
    for column, losses, verdict in zip(columns, permuted, verdicts, strict=True):
        permuted_loss = replace(plain, row_scores=dict.fromkeys(plain.row_scores or {}, losses)).mean(plain.loss)
        rise = verdict.difference.scaled(loss_factor(plain.loss, permuted_loss, loss))
        found.append(
            record.Importance(
                column=str(column["name"]),
                rise=rise,
                p_adjusted=verdict.p_adjusted,
                matters=None if verdict.finding is None else verdict.finding == "hurts",
            )
        )
    return sorted(found, key=lambda column: -(column.rise.mean or 0.0))


def _permuted_loss(arm: Scored, features: slice, draw: int) -> np.ndarray:
    """Return the loss of each row when some features are those of other rows, `[rings, 2, n]`."""
    x, order = arm.rows.x.copy(), np.random.default_rng([draw, 6]).permutation(len(arm.rows.x))
    x[:, features] = x[order, features]
    return _on_held_out_rows(arm, x).loss_rows


def _on_held_out_rows(arm: Scored, x: np.ndarray) -> HeldOut:
    outputs = held_out_outputs(arm.configuration.model, replace(arm.rows, x=x), arm.result.fitted)
    return HeldOut(arm.rows, arm.rows.score_held_out(outputs), arm.judging)
