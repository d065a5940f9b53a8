"""The study's one look at the test set, when everything is chosen, and the recommended model as a file."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments.study.compared import Judged, loss_factor
from experiments.study.rows import Rows
from experiments.study.scored import Scored
from pipeline.data.examples import Split
from pipeline.data.splits import Summary
from pipeline.errors import InputError
from pipeline.paths import CHAMPION_FILE
from pipeline.statistics import scores
from pipeline.statistics.comparisons import judge, probability_better
from pipeline.statistics.intervals import Interval, crossed
from pipeline.statistics.weights import average, variance
from pipeline.training.fitted import is_sound
from pipeline.training.keras_file import save_model
from pipeline.training.model import build_ensemble, build_keras, set_weights
from pipeline.training.predict import predict


@dataclass(frozen=True, eq=False)
class Tested:
    """An arm on the test set.

    Attributes:
        row_scores: by the names of `scores.ROW_SCORES`, `[R, n]`; a seed without sound weights scores what knowing
            nothing does.
        nothing: the loss of knowing nothing on each row, `[R, n]`.
        variance: of the targets, in the square of their unit; NaN for classes.
        weights: of the rows, `[n]`; None for equal ones.
        blocks: of rows that depend on each other; see `Split.blocks`.
    """

    task: scores.Task
    row_scores: dict[str, np.ndarray]
    nothing: np.ndarray
    variance: float
    weights: np.ndarray | None
    blocks: np.ndarray | None = None

    @property
    def scores(self) -> dict[str, Interval]:
        """Return each metric, with its interval for other seeds and other rows of the kind."""
        return {
            name: scores.interval_of(
                name, crossed(self.row_scores[scores.row_score_of(name)], self.weights, self.blocks), self.variance
            )
            for name in scores.METRICS[self.task]
        }

    @property
    def table(self) -> pd.DataFrame:
        """Return the columns `test_<metric>`, a row per seed."""
        row_scores = {name: self.row_scores[scores.row_score_of(name)] for name in scores.METRICS[self.task]}
        means = {name: average(values, self.weights) for name, values in row_scores.items()}
        return pd.DataFrame(
            {f"test_{name}": scores.from_mean(name, mean, self.variance) for name, mean in means.items()}
        )

    @property
    def loss_rows(self) -> np.ndarray:
        """Return the loss of each row, `[R, n]`."""
        return self.row_scores[scores.row_score_of(scores.METRICS[self.task][0])]


def outputs_on_test(arm: Scored, test: Split) -> np.ndarray:
    """Return an arm's outputs on the test set, `[R, n, n_outputs]`, by the weights that the second fold has chosen."""
    return predict(arm.configuration.model, arm.rows.problem, arm.result.fitted.weights, test.x)


def score_test(arm: Scored, outputs: np.ndarray, test: Split) -> Tested:
    """Score an arm on the test set by its `outputs_on_test`."""
    nothing = arm.rows.knowing_nothing(arm.configuration.rows)[:, None]
    outputs = np.where(arm.result.fitted.sound[:, None, None], outputs, nothing)
    return score_outputs(arm.rows, outputs, nothing, test)


def score_outputs(rows: Rows, outputs: np.ndarray, nothing: np.ndarray, test: Split) -> Tested:
    """Score outputs on the test set.

    Args:
        outputs: of each seed, `[R, n, n_outputs]`.
        nothing: those of knowing nothing, `[R, 1, n_outputs]`.
    """
    task, scale = rows.problem.task, rows.problem.target_scale
    # A regression is scored in the target's unit; its mean is the same for both and cancels out.
    if task == "regression":
        actual, outputs, nothing = test.y.astype(float) * scale, outputs[..., 0] * scale, nothing[..., 0] * scale
    else:
        actual = test.y
    row_scores = scores.by_row(task, outputs, actual)
    loss = scores.row_score_of(scores.METRICS[task][0])
    of_targets = (variance(actual, test.weights) or np.nan) if task == "regression" else np.nan
    of_nothing = scores.by_row(task, nothing, actual)[loss]
    return Tested(task, row_scores, of_nothing, of_targets, test.weights, test.blocks)


def judged_on_test(winner: Tested, default: Tested) -> Judged:
    """Compare the search's winner with its default on the test set, for want of other rows that chose nothing."""
    estimate = crossed(winner.loss_rows - default.loss_rows, winner.weights, winner.blocks)
    better = winner if estimate.mean < 0 else default
    [verdict] = judge([estimate], [crossed(better.loss_rows - better.nothing, better.weights, better.blocks)])
    loss = scores.METRICS[winner.task][0]
    by_seed = (tested.table[f"test_{loss}"].to_numpy() for tested in (winner, default))
    means = (
        float(scores.from_mean(loss, average(tested.loss_rows, tested.weights).mean())) for tested in (winner, default)
    )
    return Judged(
        reference="default",
        verdict=verdict.scaled(loss_factor(loss, *means)),
        probability_better=probability_better(*by_seed),
        influence=None,
    )


def save_champion(recommended: Scored, summary: Summary, is_ensemble: bool, temperature: float | None) -> None:
    """Write the recommended arm as a plain Keras model, `models/champion.keras`: its sound seeds, or the first of them.

    Args:
        is_ensemble: whether all its sound seeds predict together; see `model.build_ensemble`.
        temperature: by which the logits of classes are divided; None for 1.

    Raises:
        InputError: all its seeds diverged.
    """
    weights, model, problem = recommended.result.fitted.weights, recommended.configuration.model, summary.problem
    sound = is_sound(weights)
    if not sound.any():
        raise InputError("train.learning_rate is too high: no seed of the baseline stayed finite; try a tenth of it")
    last_step = problem.target_mean, problem.target_scale, temperature
    if is_ensemble:
        plain = build_ensemble(model, problem, {name: value[sound] for name, value in weights.items()}, *last_step)
    else:
        plain = build_keras(model, problem, *last_step)
        set_weights(plain, {name: value[sound.argmax()] for name, value in weights.items()})
    save_model(plain, CHAMPION_FILE)
