"""What is written of a search, and what MLflow is told of its trials."""

import json
from pathlib import Path

import optuna
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from experiments.search import output, results
from experiments.search.figures import front_figure
from experiments.search.objectives import directions
from experiments.study.questions.winner import winner
from pipeline.params import parse_settings
from pipeline.paths import SEARCH_FILE
from pipeline.settings import Settings

SETTINGS = parse_settings({"search": {"space": {"train.optimizer": {"choices": ["sgd", "adam"]}}}})
TWO = parse_settings({"search": {"objectives": ["cross_entropy", "gap"], "pruner": "none"}})
DISTRIBUTIONS = {"train.optimizer": CategoricalDistribution(["sgd", "adam"]), "model.l2": FloatDistribution(0, 1)}


def a_trial(
    number: int, state: TrialState = TrialState.COMPLETE, *values: float, diverged: int = 0, **attributes: object
) -> FrozenTrial:
    """A trial of two seeds."""
    optimizer = ["adam", "sgd"][number % 2]
    known = {"settings": {"train": {"optimizer": optimizer}}, "seconds": 1.5}
    if state == TrialState.COMPLETE:
        per_seed = [values[0] - 0.1, values[0] + 0.1]
        known["facts"] = {"per_seed": per_seed, "curve": [2.0, None, 1.0], "gap": 0.1, "diverged": diverged}
    params = {"train.optimizer": optimizer, "model.l2": number / 100}
    trial = create_trial(
        state=state, values=values or None, params=params, distributions=DISTRIBUTIONS, user_attrs=known | attributes
    )
    trial.number = number
    return trial


def write(folder: Path, *trials: FrozenTrial, settings: Settings = SETTINGS) -> tuple[dict, pd.DataFrame]:
    study = optuna.create_study(directions=directions(settings.search))
    study.add_trials(trials)
    output.write(study, study.trials, settings)
    return json.loads(SEARCH_FILE.read_text()), pd.read_csv(output.TRIALS_FILE)


def test_best_has_its_interval_over_the_seeds_and_its_settings(folder):
    found, _ = write(folder, a_trial(0, TrialState.COMPLETE, 0.5), a_trial(1, TrialState.COMPLETE, 0.4))
    assert (found["best"]["trial"], found["default"]["trial"]) == (1, 0)
    value = found["best"]["value"]
    assert value["mean"] == pytest.approx(0.4)
    assert value["low"] < value["mean"] < value["high"]
    assert found["best"]["settings"] == {"train": {"optimizer": "sgd"}}
    assert {name: trial["trial"] for name, trial in found["best_of_each_optimizer"].items()} == {"adam": 0, "sgd": 1}


def test_of_a_score_the_highest_is_best_and_the_line_names_it(folder):
    settings = parse_settings({"search": {"objectives": ["roc_auc", "brier"], "pruner": "none"}})
    values = [(0.8, 0.3), (0.9, 0.4), (0.7, 0.5)]
    trials = [a_trial(number, TrialState.COMPLETE, *pair) for number, pair in enumerate(values)]
    found, rows = write(folder, *trials, settings=settings)
    assert found["best"]["trial"] == found["best_of_each_optimizer"]["sgd"]["trial"] == 1
    assert [trial["trial"] for trial in found["incumbents"]] == [0, 1]
    assert [trial["trial"] for trial in found["pareto_front"]] == [0, 1]
    assert rows["value_0"].tolist() == [0.8, 0.9, 0.7]
    assert "best: trial 1, validation area under the ROC curve 0.9000 [" in results.report(found, 1.0)
    assert results.progress_text(trials, settings.search.objectives) == "best 0.9000"


def test_states_are_counted_and_every_trial_that_ended_has_its_row(folder):
    trials = [
        a_trial(0, TrialState.COMPLETE, 0.5),
        a_trial(1, TrialState.PRUNED, facts={"epochs": 3, "value_so_far": 0.9}),
        a_trial(2, TrialState.FAIL, error="ValueError: no"),
        a_trial(3, TrialState.WAITING),
    ]
    found, rows = write(folder, *trials)
    assert found["counts"] == {"running": 0, "complete": 1, "pruned": 1, "fail": 1, "waiting": 1}
    assert rows["state"].tolist() == ["COMPLETE", "PRUNED", "FAIL"]
    assert rows["error"].tolist()[2] == "ValueError: no"
    assert rows["value_so_far"].tolist()[1] == 0.9


def test_importance_is_of_what_was_searched(folder):
    found, _ = write(folder, *(a_trial(n, TrialState.COMPLETE, n / 10 + n % 2) for n in range(12)))
    assert set(found["importance"]) == {"train.optimizer", "model.l2"}
    assert sum(found["importance"].values()) == pytest.approx(1)


@pytest.mark.parametrize("trials", [[], [a_trial(0, TrialState.FAIL, error="no")], [a_trial(0, TrialState.WAITING)]])
def test_search_without_a_result_has_its_files_too(folder, trials):
    found, rows = write(folder, *trials)
    assert found["best"] is None and found["best_of_each_optimizer"] == {}
    assert len(rows) == sum(trial.state.is_finished() for trial in trials)
    assert all(path.exists() for path in output.FIGURES.values())


def test_front_is_what_nothing_beats_in_both(folder):
    trials = [a_trial(n, TrialState.COMPLETE, *values) for n, values in enumerate([(0.5, 0.1), (0.4, 0.2), (0.6, 0.3)])]
    found, _ = write(folder, *trials, settings=TWO)
    assert [trial["trial"] for trial in found["pareto_front"]] == [0, 1]
    assert found["best"]["trial"] == 1


@pytest.mark.parametrize(
    ("trials", "told"),
    [
        ([], "no trial is complete: no Pareto front"),
        ([a_trial(0, TrialState.COMPLETE, 2.3, 0.0, diverged=2)], "every trial diverged: no Pareto front"),
    ],
)
def test_front_without_a_trial_to_choose_shows_no_points(trials, told):
    axes = front_figure(trials, TWO.search.objectives).axes[0]
    assert not axes.lines
    assert axes.texts[0].get_text() == told


def test_trial_that_diverged_with_every_seed_is_not_the_best(folder):
    trials = [
        a_trial(0, TrialState.COMPLETE, 2.3, diverged=2),
        a_trial(1, TrialState.COMPLETE, 2.4, diverged=1),
        a_trial(2, TrialState.COMPLETE, 2.6),
    ]
    found, rows = write(folder, *trials)
    assert (found["best"]["trial"], found["default"]["trial"], found["all_diverged"]) == (1, 0, False)
    assert [trial["trial"] for trial in found["incumbents"]] == [1]
    assert {name: trial["trial"] for name, trial in found["best_of_each_optimizer"].items()} == {"adam": 2, "sgd": 1}
    assert rows["diverged"].tolist() == [2, 1, 0]
    default, best = results.report(found, 12.3).splitlines()[1:3]
    assert default.endswith("adam, 2 of 2 seeds diverged")
    assert best.endswith("sgd, 1 of 2 seeds diverged")
    assert results.progress_text(trials, ["cross_entropy"]) == "best 2.400, 1 diverged"


def test_diverged_trial_is_not_on_the_front(folder):
    trials = [a_trial(0, TrialState.COMPLETE, 0.5, 0.1), a_trial(1, TrialState.COMPLETE, 2.3, 0.0, diverged=2)]
    found, _ = write(folder, *trials, settings=TWO)
    assert [trial["trial"] for trial in found["pareto_front"]] == [0]


def test_search_whose_trials_all_diverged_has_no_best_and_says_what_to_do(folder):
    trials = [a_trial(number, TrialState.COMPLETE, 2.3, diverged=2) for number in range(2)]
    found, _ = write(folder, *trials)
    assert (found["best"], found["all_diverged"], found["incumbents"]) == (None, True, [])
    assert winner(SETTINGS, found) == []
    last = results.report(found, 12.3).splitlines()[-1]
    assert last.startswith(
        "every seed of all 2 complete trials diverged, so none is the best: lower the range of train"
    )
    assert results.progress_text(trials, ["cross_entropy"]) == "2 diverged"


def test_folds_are_told_and_what_can_judge_after_them(folder):
    found, _ = write(folder, a_trial(0, TrialState.COMPLETE, 0.5), settings=parse_settings({"search": {"folds": 3}}))
    assert found["folds"] == 3
    assert results.report(found, 12.3).endswith("so only test rows can judge it")


@pytest.mark.parametrize(
    ("trial", "status"),
    [
        (a_trial(0, TrialState.COMPLETE, 0.5), "FINISHED"),
        (a_trial(0, TrialState.PRUNED, facts={"epochs": 3}), "KILLED"),
        (a_trial(0, TrialState.FAIL, error="ValueError: no"), "FAILED"),
    ],
)
def test_mlflow_is_told_how_a_trial_ended(trial, status):
    told = results.trial_record(trial)
    assert (told.status, told.name, told.tags["optuna.state"]) == (status, "trial 0 (default)", trial.state.name)
    assert told.scores["seconds"] == 1.5
    assert told.params == trial.params
    assert told.tags.get("error") == trial.user_attrs.get("error")
