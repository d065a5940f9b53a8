"""The outputs of an arm's networks on the rows that they held out."""

import numpy as np

from experiments.study.rows import Rows
from pipeline.settings import Model
from pipeline.training.fitted import Fitted
from pipeline.training.predict import predict


def held_out_outputs(model: Model, rows: Rows, fitted: Fitted, train_rows: int | None = None) -> np.ndarray:
    """Return the outputs for every row by the seed that holds it out, see `Rows.held_out_outputs`.

    A seed without sound weights gives what knowing nothing does.

    Args:
        train_rows: the number of rows that each seed has trained on; None for all.
    """
    assert fitted.by_holdout is not None  # every seed of a ring holds out two folds
    by_role, nothing = (fitted, fitted.by_holdout), rows.knowing_nothing(train_rows)[:, None]

    def predicted(role: int, x: np.ndarray) -> np.ndarray:
        chosen = by_role[role]
        outputs = predict(model, rows.problem, chosen.weights, x)
        return np.where(chosen.sound[:, None, None], outputs, nothing)

    return rows.held_out_outputs(predicted)
