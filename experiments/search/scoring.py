"""The scores of a trial's seeds on their validation rows, for the objectives that are no loss of a training."""

from collections.abc import Sequence

import numpy as np

from pipeline.choices import Objective
from pipeline.data.examples import Examples
from pipeline.errors import InputError
from pipeline.settings import Model
from pipeline.statistics.floor import knowing_nothing
from pipeline.training.fitted import Fitted
from pipeline.training.predict import predict
from pipeline.training.scored_outputs import score_outputs


def outputs_of_nothing(examples: Examples) -> np.ndarray:
    """Return what each seed predicts if it knows its training targets alone, `[R, n_outputs]`; R is 1 if shared."""
    problem, rows = examples.problem, examples.train_rows
    weights = None if examples.weights is None else examples.weights[rows]
    return knowing_nothing(examples.y[rows], problem.n_outputs if problem.is_classification else None, weights)


def validation_scores(
    fitted: Fitted, model: Model, examples: Examples, names: Sequence[Objective]
) -> dict[str, np.ndarray]:
    """Return each score of each seed on its validation rows, `[R]` by name; a seed that diverged knows nothing.

    Raises:
        InputError: a score is not defined on these rows.
    """
    if not names:
        return {}
    rows = examples.val_rows
    x = examples.x[rows] if len(rows) > 1 else examples.x[rows[0]]
    outputs = predict(model, examples.problem, fitted.weights, x)
    outputs = np.where(fitted.sound[:, None, None], outputs, outputs_of_nothing(examples)[:, None])
    return {name: _score(name, outputs, rows, examples) for name in names}


def _score(name: Objective, outputs: np.ndarray, rows: np.ndarray, examples: Examples) -> np.ndarray:
    values = score_outputs(name, outputs, rows, examples)
    if not np.isfinite(values).all():
        raise InputError(
            f"search.objectives has {name}, which is not defined on validation rows that are all of one class or "
            "value; take another objective, or raise data.val_fraction"
        )
    return values
