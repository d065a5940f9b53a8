"""Early stopping of all seeds together, at the epoch where the mean of what they predict scores best."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.datasets import load_diabetes, load_digits
from sklearn.metrics import log_loss, roc_auc_score, root_mean_squared_error

from pipeline import fit as fit_table
from pipeline.data.examples import Examples, Problem, Split
from pipeline.errors import InputError
from pipeline.settings import EarlyStopping, Model, Train
from pipeline.training.fitted import Fitted
from pipeline.training.predict import predict
from pipeline.training.scored_outputs import ensemble_column
from pipeline.training.trainer import Epoch, fit, fit_together

MODEL, SEEDS, PATIENCE = Model(hidden_units=[16]), [0, 1, 2], 2
TOGETHER = EarlyStopping(patience=PATIENCE, unit="ensemble")


def examples_of(problem: Problem, x: np.ndarray, y: np.ndarray) -> Examples:
    return Examples.of_splits(problem, Split(x[:200], y[:200]), Split(x[200:300], y[200:300]))


@pytest.fixture(scope="module")
def digits() -> Examples:
    x, y = load_digits(return_X_y=True)
    return examples_of(Problem("classification", 64, 10), (x / 16).astype(np.float32), y.astype(np.int32))


@pytest.fixture(scope="module")
def diabetes() -> Examples:
    x, y = load_diabetes(return_X_y=True)
    problem = Problem("regression", 10, 1, target_mean=y.mean(), target_scale=y.std())
    return examples_of(problem, (x * 20).astype(np.float32), ((y - y.mean()) / y.std()).astype(np.float32))


def settings(**changes) -> Train:
    defaults = {"optimizer": "momentum", "learning_rate": 0.2, "batch_size": 32, "epochs": 20, "seeds": 3}
    return Train(**(defaults | {"early_stopping": TOGETHER} | changes))


def of_ensemble(examples: Examples, fitted: Fitted, monitor: str | None) -> float:
    """Return what scikit-learn says of the seeds together on the validation rows, the lower the better."""
    problem, rows = examples.problem, examples.val_rows[0]
    outputs, y = predict(MODEL, problem, fitted.weights, examples.x[rows]), examples.y[rows]
    if not problem.is_classification:
        return root_mean_squared_error(problem.in_unit(y), problem.in_unit(outputs.mean(axis=0)[:, 0]))
    p = softmax(outputs.astype(float), axis=-1).mean(axis=0)
    return log_loss(y, p) if monitor is None else 1 - np.mean([roc_auc_score(y == k, p[:, k]) for k in range(10)])


@pytest.mark.parametrize(
    ("name", "monitor", "column"),
    [
        ("digits", None, "validation_ensemble_cross_entropy"),
        ("digits", "roc_auc", "validation_ensemble_roc_auc"),
        ("diabetes", None, "validation_ensemble_rmse"),
    ],
)
def test_all_seeds_have_the_weights_of_the_epoch_where_they_are_best_together(name, monitor, column, request):
    examples = request.getfixturevalue(name)
    stopped = fit(examples, MODEL, settings(monitor=monitor), SEEDS)
    ends = stopped.history.groupby("seed")["epoch"].max()
    [best], [end] = set(stopped.best_epoch), set(ends)
    assert end == best + PATIENCE < 20
    up_to = [
        fit(examples, MODEL, settings(monitor=monitor, epochs=epochs, early_stopping=None), SEEDS)
        for epochs in range(1, end + 1)
    ]
    expected = np.array([of_ensemble(examples, fitted, monitor) for fitted in up_to])
    assert best == expected.argmin() + 1
    for path, value in up_to[best - 1].weights.items():
        np.testing.assert_allclose(stopped.weights[path], value, atol=1e-5)
    for _, of_seed in stopped.history.groupby("seed"):
        np.testing.assert_allclose(of_seed[column], 1 - expected if monitor else expected, rtol=1e-4)


def test_one_seed_is_its_own_ensemble(digits):
    alone = fit(digits, MODEL, settings(early_stopping=EarlyStopping(patience=PATIENCE)), [1])
    together = fit(digits, MODEL, settings(), [1])
    assert alone.history.equals(together.history[alone.history.columns])
    assert all((value == together.weights[path]).all() for path, value in alone.weights.items())


def test_seeds_of_several_graphs_and_configurations_stop_with_those_of_their_own_configuration(digits, monkeypatch):
    configurations = [(MODEL, settings()), (MODEL, settings(learning_rate=0.05))]
    alone = [fit(digits, *configuration, SEEDS) for configuration in configurations]
    assert alone[0].best_epoch[0] != alone[1].best_epoch[0]
    beside = fit_together(digits, configurations, SEEDS)
    monkeypatch.setattr("pipeline.training.replica_group.WEIGHTS_PER_GRAPH", 1)
    for fitted, expected, apart in zip(beside, alone, fit_together(digits, configurations, SEEDS), strict=True):
        np.testing.assert_array_equal(fitted.best_epoch, expected.best_epoch)
        np.testing.assert_array_equal(apart.best_epoch, expected.best_epoch)


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("epoch", [1, 6])
def test_resumed_training_ends_as_an_uninterrupted_one(digits, epoch):
    whole, states = fit(digits, MODEL, settings(), SEEDS), []

    def stop(event: Epoch) -> None:
        if event.number == epoch:
            states.append(event.state())
            raise Interrupted

    with pytest.raises(Interrupted):
        fit(digits, MODEL, settings(), SEEDS, [stop])
    resumed = fit(digits, MODEL, settings(), SEEDS, resume=states[0])
    assert resumed.history.equals(whole.history)
    np.testing.assert_array_equal(resumed.best_epoch, whole.best_epoch)
    assert all((value == resumed.weights[path]).all() for path, value in whole.weights.items())


def test_a_seed_that_diverged_has_no_part_in_the_mean(digits):
    outputs = predict(
        MODEL, digits.problem, fit(digits, MODEL, settings(), SEEDS).weights, digits.x[digits.val_rows[0]]
    )
    broken = np.concatenate([outputs, np.full_like(outputs[:1], np.nan), 9 * outputs[:1]])
    [expected] = ensemble_column(outputs, np.ones(3, bool), digits, settings()).values()
    [together] = ensemble_column(broken, np.arange(5) < 4, digits, settings()).values()
    np.testing.assert_array_equal(together, np.full(5, expected[0]))


def test_seeds_that_validate_on_different_rows_cannot_stop_together(digits):
    splits = np.stack([np.random.default_rng(seed).permutation(300) for seed in SEEDS])
    apart = replace(digits, train_rows=splits[:, :200], val_rows=splits[:, 200:])
    with pytest.raises(InputError, match=r"train\.early_stopping\.unit ensemble needs validation rows that all seeds"):
        fit(apart, MODEL, settings(), SEEDS)


def test_seeds_stop_together_in_a_fit_from_python():
    x, y = load_diabetes(return_X_y=True)
    fitted = fit_table(x, y, MODEL, settings(learning_rate=0.02), progress=False)
    assert len(set(fitted.fitted.best_epoch)) == 1
    assert fitted.history.groupby("epoch")["validation_ensemble_rmse"].nunique().eq(1).all()
