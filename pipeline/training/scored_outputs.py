"""Scores of outputs that are at hand: those of each seed, and those of all seeds as one ensemble."""

import numpy as np

from pipeline.data.examples import Examples
from pipeline.settings import Train
from pipeline.statistics.ensembles import together
from pipeline.statistics.scores import METRICS, score_seeds

ENSEMBLE = "validation_ensemble"


def score_outputs(name: str, outputs: np.ndarray, rows: np.ndarray, examples: Examples) -> np.ndarray:
    """Return a score of each seed, `[R]`, numbers in the target's unit; NaN where its outputs are not finite.

    Args:
        name: a metric or a further score of the task.
        outputs: of each seed, `[R, n, n_outputs]`.
        rows: of these examples, whose outputs they are, `[R, n]`, or `[1, n]` where all seeds share them.
    """
    problem, y, scores = examples.problem, examples.y, np.full(len(outputs), np.nan)
    if not problem.is_classification:
        outputs, y = problem.in_unit(outputs[..., 0]), problem.in_unit(y)
    rows = np.broadcast_to(rows, outputs.shape[:2])
    for place in np.flatnonzero(np.isfinite(outputs).all(axis=tuple(range(1, outputs.ndim)))):
        of_seed = rows[place]
        weights = None if examples.weights is None else examples.weights[of_seed]
        scores[place] = score_seeds(name, problem.task, outputs[place][None], y[of_seed], weights).item()
    return scores


def ensemble_column(outputs: np.ndarray, active: np.ndarray, examples: Examples, train: Train) -> dict[str, np.ndarray]:
    """Return the history's column of the seeds together, `[R]`: the monitored score of the mean of what they predict.

    Args:
        outputs: on the validation rows, which all seeds share, `[R, n, n_outputs]`.
        active: the seeds that have not diverged, bool `[R]`; one whose outputs are not finite has no part either.
    """
    task = examples.problem.task
    name, members = train.monitor or METRICS[task][0], outputs[active & np.isfinite(outputs).all(axis=(1, 2))]
    score = score_outputs(name, together(task, members)[None], examples.val_rows, examples) if len(members) else np.nan
    return {f"{ENSEMBLE}_{name}": np.full(len(outputs), score)}
