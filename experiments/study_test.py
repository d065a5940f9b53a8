"""What follows when everything is chosen: the study's one look at the test set, and the recommended model as a file."""

import numpy as np
import pandas as pd

from experiments.study_scores import Scored
from pipeline import scores
from pipeline.errors import InputError
from pipeline.examples import Problem, Split
from pipeline.keras_file import save_model
from pipeline.model import build_keras, predict, set_weights
from pipeline.paths import CHAMPION_FILE
from pipeline.splits import Summary


def score_test(arms: list[Scored], test: Split, problem: Problem, target_scale: float) -> None:
    """Add the columns `test_<metric>` to the tables of these arms; NaN for seeds without sound weights."""
    for each in arms:
        outputs, actual = _predicted(each, test, problem, target_scale)
        for name, metric in scores.METRICS[problem.task].items():
            found = np.where(
                np.isfinite(outputs).all(axis=tuple(range(1, outputs.ndim))), metric(outputs, actual), np.nan
            )
            each.table[f"test_{name}"] = pd.Series(found)


def on_new_rows(arm: Scored, test: Split, problem: Problem, target_scale: float) -> dict[str, scores.Interval]:
    """What to expect of the arm on other rows like those of the test set, by metric."""
    outputs, actual = _predicted(arm, test, problem, target_scale)
    return {
        name: scores.interval_on_new_rows(metric, outputs, actual)
        for name, metric in scores.METRICS[problem.task].items()
    }


def _predicted(arm: Scored, test: Split, problem: Problem, target_scale: float) -> tuple[np.ndarray, np.ndarray]:
    """What `scores.METRICS` take: the seeds' outputs and the actual values."""
    outputs = predict(arm.arm.model, problem, arm.result.weights, test.x)
    if problem.is_classification:
        return outputs, test.y
    # In the target's unit, as everywhere; its mean is the same for both and cancels out.
    return outputs[..., 0].astype(np.float64) * target_scale, test.y * target_scale


def save_champion(recommended: Scored, summary: Summary) -> None:
    """Write the recommended arm's first sound seed as a plain Keras model, `models/champion.keras`.

    Raises:
        InputError: all its seeds diverged.
    """
    weights = recommended.result.weights
    sound = np.logical_and.reduce([np.isfinite(v).all(axis=tuple(range(1, v.ndim))) for v in weights.values()])
    if not sound.any():
        raise InputError("train.learning_rate is too high: no seed of the baseline stayed finite; try a tenth of it")
    plain = build_keras(recommended.arm.model, summary.problem, summary.target_mean or 0.0, summary.target_scale or 1.0)
    set_weights(plain, {name: value[sound.argmax()] for name, value in weights.items()})
    save_model(plain, CHAMPION_FILE)
