"""The score that chooses the best epoch, against scikit-learn's."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
)

from pipeline.choices import OBJECTIVES, Score
from pipeline.data.examples import Examples
from pipeline.errors import InputError
from pipeline.settings import Model
from pipeline.training.checks import check_task
from pipeline.training.fitted import Fitted
from pipeline.training.model import build_keras, set_weights
from pipeline.training.trainer import fit
from tests.training.runs import settings


def one_vs_rest(score, y, p, sample_weight):
    """Return scikit-learn's score of each class against the rest, their mean."""
    return np.mean([score(y == k, p[:, k], sample_weight=sample_weight) for k in np.unique(y)])


# By scikit-learn, from targets, what the network puts out, and weights of the rows.
MONITORED = {
    "accuracy": lambda y, p, w: accuracy_score(y, p.argmax(1), sample_weight=w),
    "balanced_accuracy": lambda y, p, w: balanced_accuracy_score(y, p.argmax(1), sample_weight=w),
    "f1": lambda y, p, w: f1_score(y, p.argmax(1), average="macro", sample_weight=w),
    "roc_auc": lambda y, p, w: one_vs_rest(roc_auc_score, y, p, w),
    "average_precision": lambda y, p, w: one_vs_rest(average_precision_score, y, p, w),
    "brier": lambda y, p, w: brier_score_loss(y, p, sample_weight=w, scale_by_half=False),
    "mae": lambda y, p, w: 77 * mean_absolute_error(y, p[:, 0], sample_weight=w),
    "r2": lambda y, p, w: r2_score(y, p[:, 0], sample_weight=w),
}


def monitored_by_scikit_learn(examples: Examples, fitted: Fitted, monitor: str, replica: int) -> float:
    """Return the score on the validation rows of a seed's weights in a plain Keras model."""
    plain, rows = build_keras(Model(hidden_units=[32]), examples.problem), examples.val_rows[0]
    set_weights(plain, {name: value[replica] for name, value in fitted.weights.items()})
    predicted = plain.predict(examples.x[rows], verbose=0)
    return MONITORED[monitor](examples.y[rows], predicted, None if examples.weights is None else examples.weights[rows])


@pytest.mark.parametrize("monitor", get_args(Score))
def test_the_monitored_score_chooses_the_epoch_and_the_weights(digits, diabetes, monitor):
    examples = diabetes if OBJECTIVES[monitor].task == "regression" else digits
    train = settings(
        optimizer="momentum", learning_rate=0.1, epochs=20, early_stopping={"patience": 3}, monitor=monitor
    )
    fitted, column = fit(examples, Model(hidden_units=[32]), train, [0, 1]), f"validation_{monitor}"
    for replica, of_seed in fitted.history.groupby("seed"):
        best = of_seed.loc[of_seed[column].idxmax() if OBJECTIVES[monitor].is_maximized else of_seed[column].idxmin()]
        assert fitted.best_epoch[replica] == best["epoch"]
        assert best["epoch"] == of_seed["epoch"].max() - 3 or of_seed["epoch"].max() == 20
        assert best[column] == pytest.approx(monitored_by_scikit_learn(examples, fitted, monitor, replica), rel=1e-5)


@pytest.mark.parametrize("monitor", get_args(Score))
def test_a_monitored_score_counts_rows_by_their_weights(digits, diabetes, monitor):
    examples = diabetes if OBJECTIVES[monitor].task == "regression" else digits
    weights = np.random.default_rng(0).uniform(0.1, 3, len(examples.y)).astype(np.float32)
    weighted = replace(examples, weights=weights)
    fitted = fit(weighted, Model(hidden_units=[32]), settings(epochs=1, monitor=monitor), [0])
    expected = monitored_by_scikit_learn(weighted, fitted, monitor, 0)
    assert fitted.history[f"validation_{monitor}"].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("monitor", ["accuracy", "roc_auc"])
def test_a_score_of_classes_is_not_monitored_for_numbers(diabetes, monitor):
    refused = rf"train\.monitor {monitor} is for classes, and the target is a number: take one of mae, r2, or null"
    with pytest.raises(InputError, match=refused):
        check_task(settings(monitor=monitor), diabetes.problem)


def test_a_score_of_numbers_is_not_monitored_for_classes(digits):
    with pytest.raises(
        InputError, match=r"train\.monitor mae is for numbers, and the target is one of classes: .* brier"
    ):
        check_task(settings(monitor="mae"), digits.problem)


def test_a_score_that_rows_of_one_class_have_not_is_not_monitored(digits):
    of_one_class = replace(digits, val_rows=digits.val_rows[:, digits.y[digits.val_rows[0]] == 3])
    with pytest.raises(
        InputError, match=r"train\.monitor roc_auc is not defined on validation rows that are all of one"
    ):
        fit(of_one_class, Model(), settings(monitor="roc_auc"), [0])
    fit(of_one_class, Model(), settings(monitor="f1"), [0])
