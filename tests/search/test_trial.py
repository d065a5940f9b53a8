"""One trial: what it is judged by, whatever its seeds do."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from optuna.trial import FrozenTrial, create_trial
from scipy.special import softmax
from sklearn.datasets import load_diabetes, load_digits
from sklearn.metrics import average_precision_score, balanced_accuracy_score, mean_absolute_error, r2_score

from experiments.search.jobs import Job, TrialEnd
from experiments.search.trial import chance_level, judge, run_jobs
from pipeline.data.examples import Examples, Problem, Split
from pipeline.errors import InputError
from pipeline.params import parse_settings
from pipeline.settings import EarlyStopping, Settings
from pipeline.training.fitted import Fitted
from pipeline.training.predict import predict
from pipeline.training.trainer import fit

DIGITS = Problem("classification", n_features=64, n_outputs=10)
CHANCE = math.log(10)


@pytest.fixture(scope="module")
def digits() -> Examples:
    x, y = load_digits(return_X_y=True)
    x, y = (x / 16).astype(np.float32), y.astype(np.int32)
    return Examples.of_splits(DIGITS, Split(x=x[:250], y=y[:250]), Split(x=x[250:350], y=y[250:350]))


def settings(search: dict | None = None, model: dict | None = None, **train) -> Settings:
    search = {"objectives": ["cross_entropy", "gap"], "pruner": "none", "seeds": [0, 1]} | (search or {})
    train = {"epochs": 4, "batch_size": 250, "learning_rate": 0.05} | train
    return parse_settings({"model": {"hidden_units": [8]} | (model or {}), "train": train, "search": search})


def run(examples: Examples, *trials: Settings, first: int = 0) -> list[TrialEnd]:
    """How trials end that train side by side."""
    return run_jobs(examples, [Job(number, each, "a study") for number, each in enumerate(trials, start=first)])


def fitted(**changes) -> Fitted:
    """Two seeds, two epochs; the first seed is best at its second epoch, the second at its first."""
    history = pd.DataFrame(
        {
            "seed": [0, 0, 1, 1],
            "epoch": [1, 2, 1, 2],
            "train_cross_entropy": [0.9, 0.4, 0.8, 0.1],
            "validation_cross_entropy": [1.0, 0.6, 0.9, 1.2],
            "validation_accuracy": [0.5, 0.7, 0.6, 0.6],
        }
    )
    weights = {"dense/kernel": np.zeros((2, 64, 10)), "dense/bias": np.zeros((2, 10))}
    two = Fitted(weights, best_epoch=np.array([2, 1]), seeds=[0, 1], diverged=np.array([False, False]), history=history)
    return replace(two, **changes)


def test_each_seed_counts_at_its_own_best_epoch():
    outcome = judge(fitted(), DIGITS, ["cross_entropy", "gap"], CHANCE)
    assert outcome.values == [pytest.approx((0.6 + 0.9) / 2), pytest.approx((0.2 + 0.1) / 2)]
    assert outcome.facts["per_seed"] == [0.6, 0.9]
    assert outcome.facts["curve"] == pytest.approx([0.95, 0.9])
    assert outcome.facts["validation_accuracy"] == pytest.approx(0.65)


def test_weights_are_those_of_one_seed():
    assert judge(fitted(), DIGITS, ["cross_entropy", "weights"], CHANCE).values[1] == 650


def test_seed_without_a_finite_loss_counts_as_knowing_nothing():
    history = fitted().history
    history.loc[history["seed"] == 1, ["train_cross_entropy", "validation_cross_entropy"]] = np.nan
    broken = fitted(history=history, best_epoch=np.array([2, 0]), diverged=np.array([False, True]))
    outcome = judge(broken, DIGITS, ["cross_entropy", "gap"], CHANCE)
    assert outcome.values == [pytest.approx((0.6 + CHANCE) / 2), pytest.approx(0.2 / 2)]
    assert outcome.facts["diverged"] == 1


def test_no_value_is_nan_when_every_seed_diverges(digits):
    [ended] = run(digits, settings(learning_rate=1e30, optimizer="sgd"))
    assert np.isfinite(ended.values).all()
    assert "nan" not in str(ended.facts).lower() and "inf" not in str(ended.facts).lower()


def test_training_rows_need_not_be_scored():
    outcome = judge(
        fitted(history=fitted().history.drop(columns="train_cross_entropy")), DIGITS, ["cross_entropy"], CHANCE
    )
    assert outcome.facts["gap"] is None


def test_trial_is_the_training_that_the_stage_train_does(digits):
    chosen = settings()
    [ended] = run(digits, chosen)
    plain = fit(digits, chosen.model, chosen.train, [0, 1])
    lowest = plain.history.groupby("seed")["validation_cross_entropy"].min()
    assert (ended.state, ended.values[0]) == ("COMPLETE", lowest.mean())
    assert list(ended.reports) == [1, 2, 3]
    assert ended.reports[3] >= ended.values[0]


@pytest.mark.parametrize(("epochs", "reports"), [(19, list(range(2, 19, 2))), (10, list(range(1, 10)))])
def test_trial_reports_no_more_than_ten_times(digits, epochs, reports):
    [ended] = run(digits, settings(epochs=epochs))
    assert list(ended.reports) == reports


def test_training_rows_scored_once_give_the_facts_of_scoring_them_after_every_epoch(digits):
    stopping = {"early_stopping": {"patience": 2}, "epochs": 12, "ema": 0.9, "batch_size": 32}
    chosen = settings(model={"batch_norm": True}, **stopping)
    [once] = run(digits, chosen)
    every = judge(fit(digits, chosen.model, chosen.train, [0, 1]), DIGITS, chosen.search.objectives, CHANCE)
    assert once.values == pytest.approx(every.values, abs=1e-6)
    assert once.facts["gap"] == pytest.approx(every.facts["gap"], abs=1e-6)
    assert once.facts.keys() == every.facts.keys()


@pytest.mark.parametrize("early_stopping", [None, {"patience": 2}])
def test_scores_are_those_of_scikit_learn_at_the_best_epochs(digits, early_stopping):
    objectives = ["balanced_accuracy", "average_precision"]
    chosen = settings({"objectives": objectives}, epochs=6, learning_rate=0.1, early_stopping=early_stopping)
    [ended] = run(digits, chosen)
    stopping = chosen.train.early_stopping or EarlyStopping(patience=6)
    plain = fit(digits, chosen.model, chosen.train.model_copy(update={"early_stopping": stopping}), [0, 1])
    rows = digits.val_rows[0]
    outputs, actual = predict(chosen.model, DIGITS, plain.weights, digits.x[rows]), digits.y[rows]
    expected = [balanced_accuracy_score(actual, of_seed.argmax(axis=-1)) for of_seed in outputs]
    assert ended.facts["per_seed"] == pytest.approx(expected)
    precision = [
        average_precision_score(np.eye(10)[actual], softmax(of_seed, axis=-1), average="macro") for of_seed in outputs
    ]
    assert ended.values == pytest.approx([np.mean(expected), np.mean(precision)], rel=1e-5)
    assert ended.facts["validation_average_precision"] == ended.values[1]
    assert ended.facts["validation_cross_entropy"] > 0


def test_scores_of_numbers_are_in_the_unit_of_the_target_and_of_each_seeds_rows():
    x, y = load_diabetes(return_X_y=True)
    scale, rows = float(y.std()), np.arange(len(y))
    problem = Problem("regression", n_features=10, n_outputs=1, target_scale=scale)
    parts = np.stack([rows[:100], rows[100:200]]), np.stack([rows[200:300], rows[300:400]])
    examples = Examples(problem, x.astype(np.float32), ((y - y.mean()) / scale).astype(np.float32), *parts)
    [ended] = run(examples, settings({"objectives": ["mae", "r2"]}))
    plain = fit(examples, settings().model, settings(early_stopping={"patience": 4}).train, [0, 1])
    outputs = predict(settings().model, problem, plain.weights, examples.x[parts[1]])[..., 0] * scale + y.mean()
    pairs = list(zip(parts[1], outputs, strict=True))
    assert ended.facts["per_seed"] == pytest.approx([mean_absolute_error(y[r], o) for r, o in pairs], rel=1e-4)
    assert ended.values[1] == pytest.approx(np.mean([r2_score(y[r], o) for r, o in pairs]), rel=1e-4)


def test_seed_that_diverges_scores_what_knowing_nothing_does(digits):
    [ended] = run(digits, settings({"objectives": ["roc_auc", "accuracy"]}, learning_rate=1e30, optimizer="sgd"))
    assert ended.values == [0.5, pytest.approx(np.mean(digits.y[digits.val_rows[0]] == most_common(digits)))]


def most_common(digits: Examples) -> int:
    return int(np.bincount(digits.y[digits.train_rows[0]]).argmax())


def test_score_that_the_validation_rows_do_not_define_is_refused(digits):
    of_one_class = replace(digits, val_rows=np.flatnonzero(digits.y == 3)[None])
    with pytest.raises(InputError, match="has roc_auc, which is not defined on validation rows"):
        run(of_one_class, settings({"objectives": ["roc_auc", "gap"]}))


MEDIAN = {"objectives": ["cross_entropy"], "pruner": "median"}


@pytest.mark.parametrize("early_stopping", [None, {"patience": 2}])
def test_trials_that_train_side_by_side_have_the_values_of_trainings_apart(digits, early_stopping):
    trials = [
        settings(MEDIAN, {"dropout": dropout}, learning_rate=rate, epochs=8, early_stopping=early_stopping)
        for rate, dropout in ((0.05, 0.2), (0.001, 0.3), (0.3, 0.4))
    ]
    assert len({Job(0, trial, "").together for trial in trials}) == 1
    for number, ended in enumerate(run(digits, *trials)):
        [alone] = run(digits, trials[number], first=number)
        assert ended.values == pytest.approx(alone.values, rel=1e-5)
        assert ended.reports == pytest.approx(alone.reports, rel=1e-5)
        assert ended.facts["seed_epochs"] == alone.facts["seed_epochs"]


def good(number: int) -> FrozenTrial:
    """A trial before, which had a low loss from the start."""
    return create_trial(value=0.1, intermediate_values=dict.fromkeys(range(1, 8), 0.1 + number / 100))


def test_pruned_trial_ends_and_those_beside_it_go_on(digits):
    lower = settings(MEDIAN, learning_rate=0.05, epochs=8)
    before = tuple(good(number) for number in range(6))
    jobs = [Job(number, lower, "a study", compared) for number, compared in ((6, before), (7, ()), (0, before))]
    pruned, complete, default = run_jobs(digits, jobs)
    assert (pruned.state, pruned.values, complete.state) == ("PRUNED", None, "COMPLETE")
    assert pruned.facts["epochs"] == max(pruned.reports) < 8
    assert pruned.facts["value_so_far"] == pruned.reports[max(pruned.reports)]
    assert complete.values == run_jobs(digits, jobs[1:2])[0].values
    assert default.state == "COMPLETE"  # the first trial is the default, which all are compared with


def test_two_objectives_prune_nothing(digits):
    [ended] = run_jobs(digits, [Job(6, settings(), "a study", tuple(good(number) for number in range(6)))])
    assert (ended.state, len(ended.values)) == ("COMPLETE", 2)


def test_error_is_the_end_of_each_trial_in_one_line(digits):
    broken = replace(digits, x=digits.x[:, :3])
    for ended in run(broken, settings(), settings(learning_rate=0.1)):
        assert (ended.state, ended.values) == ("FAIL", None)
        assert "Error: " in ended.error and "\n" not in ended.error
        assert ended.ended >= ended.began > 0


def test_end_of_a_trial_is_kept_as_json_as_it_is(digits):
    [ended] = run(digits, settings(MEDIAN))
    assert TrialEnd.of_plain(json.loads(json.dumps(ended.plain()))) == ended


def test_chance_of_a_regression_is_the_spread_of_its_target():
    rows = Split(x=np.zeros((4, 1), np.float32), y=np.float32([0, 2, 0, 2]))
    examples = Examples.of_splits(Problem("regression", 1, 1, target_scale=10.0), rows, rows)
    assert chance_level(examples) == pytest.approx(10.0)


def test_seed_with_rows_of_its_own_has_a_chance_level_of_its_own():
    y, rows = np.float32([0, 2, 0, 6]), np.array([[0, 1], [2, 3]])
    examples = Examples(
        Problem("regression", 1, 1, target_scale=10.0), np.ones((4, 1), np.float32), y, rows[::-1], rows
    )
    # The mean of the rows that one seed trains on, 3 and 1, against the values of those that it validates on.
    chance = [10 * np.sqrt((3**2 + 1**2) / 2), 10 * np.sqrt((1**2 + 5**2) / 2)]
    assert chance_level(examples) == pytest.approx(chance)
    [lost] = run(examples, settings(learning_rate=1e30, optimizer="sgd"))
    assert lost.facts["per_seed"] == pytest.approx(chance)


def test_seeds_that_validate_on_different_rows_are_each_the_training_on_theirs(digits):
    folds = np.arange(350).reshape(2, 175)
    examples = replace(digits, train_rows=folds[::-1], val_rows=folds)
    [together] = run(examples, settings())
    for number in (0, 1):
        own = replace(digits, train_rows=folds[[1 - number]], val_rows=folds[[number]])
        [alone] = run(own, settings({"seeds": [number]}))
        assert together.facts["per_seed"][number] == pytest.approx(alone.values[0], rel=1e-5)
