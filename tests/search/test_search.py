"""The search as a whole: its trials, its budget, who may die and what is left afterwards."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState
from optuna_dashboard import get_note

from experiments import run_search
from experiments.check.search import against_optuna
from experiments.engine.local import WorkerDied
from experiments.search import __main__ as command
from experiments.search import output, results
from experiments.search import storage as search_storage
from experiments.search.conduct import describe_search, log_trials
from experiments.search.jobs import Job
from experiments.search.plan import check_searchable, plan, study_name, trial_settings
from experiments.search.rows import data_digests, read_examples
from experiments.search.trials import Trials
from pipeline.data.splits import read_summary
from pipeline.errors import InputError, run_stage
from pipeline.params import read_settings
from pipeline.paths import SEARCH_FILE
from pipeline.settings import Dimension, Model, Settings, Train
from pipeline.tracking.parent import ParentRun
from pipeline.tracking.run import tracking_uri
from pipeline.training.trainer import fit

# Trials of about half a second, most of which share a graph.
SLOW = {"epochs": 100, "space": {"train.learning_rate": {"low": 1e-3, "high": 0.1, "log": True}}}
INTERRUPTED = "interrupted; what is finished is kept, and `dvc repro` goes on from there\n"


@pytest.fixture
def database(database: str) -> str:
    """The URL of an empty database as `params.yaml` may hold it, without the password, which its server ignores."""
    return database.replace(":a-secret", "")


def start(**options: object) -> subprocess.Popen:
    """A search in a process of its own, its output read when it has ended."""
    command = [sys.executable, "-m", "experiments.search"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def ended(process: subprocess.Popen) -> tuple[str, str, int]:
    out, error = process.communicate(timeout=120)
    return error, out, process.returncode


def opened(settings: Settings) -> Trials:
    """The search's trials as it begins or goes on."""
    summary = read_summary()
    chosen = trial_settings(settings, summary)
    kept = search_storage.open_storage(settings.search.storage)
    study = search_storage.open_study(kept, study_name(chosen, summary), chosen.search)
    describe_search(study, chosen)
    return Trials(study, chosen)


def work_through(settings: Settings) -> optuna.Study:
    """The whole search, in this process."""
    trials, examples = opened(settings), read_examples(data_digests(read_summary()), settings.search)
    while not trials.all_recorded:
        for task in trials.ask():
            trials.end(task.label, task.function(examples, *task.arguments))
    return trials.study


def main() -> None:
    """The stage, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["search"])
        run_stage(command.main)


def told(study: optuna.Study) -> list[tuple]:
    return [(trial.number, trial.params, trial.values, trial.state) for trial in study.get_trials()]


def left() -> dict[str, bytes]:
    """What a search has left."""
    paths = (SEARCH_FILE, output.TRIALS_FILE, *output.FIGURES.values())
    return {path.name: path.read_bytes() for path in paths}


def check_complete(study: optuna.Study, wanted: int) -> None:
    """Every trial once, ended, and the same in MLflow."""
    from mlflow import MlflowClient

    trials = study.get_trials()[:wanted]
    assert [trial.number for trial in trials] == list(range(wanted))
    assert {trial.state for trial in trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    client = MlflowClient(tracking_uri())
    parent = client.get_run(study.user_attrs["mlflow_run"])
    assert parent.info.status == "FINISHED"
    query = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    children = client.search_runs([parent.info.experiment_id], query)
    logged = sorted(
        (int(run.data.tags["optuna.trial"]), run.info.status, run.data.metrics["value_0"]) for run in children
    )
    status = {TrialState.COMPLETE: "FINISHED", TrialState.PRUNED: "KILLED"}
    assert logged == [(trial.number, status[trial.state], trial.values[0]) for trial in trials]
    counts = json.loads(SEARCH_FILE.read_text())["counts"]
    assert counts["complete"] + counts["pruned"] == wanted
    assert not study.user_attrs.get("ended")


def test_the_dashboard_shows_what_is_searched_and_what_came_out(search_settings, the_study):
    settings = search_settings(trials=2)
    main()
    study = the_study(settings.search.storage)
    assert study.metric_names == ["loss"]
    note = get_note(study)
    assert "the loss (lower is better); means over 2 seeds" in note
    assert "2 complete in" in note
    assert study.user_attrs["mlflow_run"] in note


def test_from_python_the_search_is_the_same_and_writes_nothing(search_settings):
    settings = search_settings(trials=3)
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    result = run_search(
        "digits", data=settings.data, model=settings.model, train=settings.train, search=settings.search, workers=1,
        progress=False,
    )  # fmt: skip
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before
    main()
    staged = json.loads(SEARCH_FILE.read_text())
    assert json.loads(json.dumps(result.summary)) == staged
    assert result.model.model_dump(mode="json") == staged["best"]["settings"]["model"]
    assert result.train.seeds == settings.train.seeds
    assert len(result.trials) == len(result.study.trials) == 3


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "cmaes", "nsga2"])
def test_every_sampler_gives_other_trials_each_time(search_settings, sampler):
    study = work_through(search_settings(sampler=sampler, trials=5))
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 5
    assert len({json.dumps(trial.params) for trial in study.trials[1:]}) == 4


@pytest.mark.parametrize("pruner", ["median", "successive_halving", "hyperband"])
def test_every_pruner_ends_bad_trials_and_leaves_the_default_alone(search_settings, pruner):
    space = {"train.learning_rate": {"choices": [1e-6, 0.1]}, "train.optimizer": {"choices": ["adam"]}}
    study = work_through(search_settings(pruner=pruner, trials=16, epochs=4, sampler="random", space=space))
    states = Counter(trial.state for trial in study.trials)
    assert states[TrialState.COMPLETE] + states[TrialState.PRUNED] == 16
    assert states[TrialState.PRUNED] > 0
    assert study.trials[0].state == TrialState.COMPLETE
    for trial in study.get_trials(states=(TrialState.PRUNED,)):
        assert trial.user_attrs["facts"] == {"epochs": trial.last_step, "value_so_far": trial.values[0]}


def test_grid_is_every_combination_once_and_ends(search_settings):
    space = {"train.learning_rate": {"choices": [0.01, 0.1]}, "train.optimizer": {"choices": ["momentum", "adam"]}}
    study = work_through(search_settings(sampler="grid", trials=40, space=space))
    points = [tuple(trial.params.values()) for trial in study.trials[1:]]
    assert sorted(points) == sorted((rate, name) for rate in (0.01, 0.1) for name in ("momentum", "adam"))


@pytest.mark.parametrize("second", ["gap", "weights"])
def test_two_objectives_give_a_front(search_settings, second):
    settings = search_settings(objectives=["cross_entropy", second], trials=4)
    study = work_through(settings)
    found = output.write(study, study.trials, settings)
    front = [tuple(trial["values"]) for trial in found["pareto_front"]]
    assert sorted(front) == sorted(tuple(trial.values) for trial in study.best_trials)


def test_search_by_a_score_is_maximized_pruned_by_the_loss_and_written_alike(search_settings):
    space = {"train.learning_rate": {"low": 1e-5, "high": 0.1, "log": True}}
    settings = search_settings(objectives=["accuracy"], pruner="median", trials=14, epochs=4, space=space)
    study = work_through(settings)
    assert study.direction == StudyDirection.MAXIMIZE
    complete, pruned = (study.get_trials(states=(state,)) for state in (TrialState.COMPLETE, TrialState.PRUNED))
    assert pruned and all(trial.values is None and trial.user_attrs["facts"]["value_so_far"] > 0 for trial in pruned)
    summary = output.write(study, study.trials, settings)
    assert summary["best"]["values"] == [max(trial.value for trial in complete)] == [study.best_value]
    assert summary["best"]["value"]["mean"] == pytest.approx(study.best_value)
    assert all(trial.user_attrs["facts"]["validation_accuracy"] == trial.value for trial in complete)
    trials, conclusions = against_optuna(settings)
    assert not trials.differing + conclusions.differing


def test_sampler_goes_towards_what_scores_higher(search_settings):
    """TPE proposes most of its trials near those of the highest accuracy, as it does near those of the lowest loss."""
    space = {"train.learning_rate": {"low": 1e-6, "high": 0.1, "log": True}}
    settings = search_settings(objectives=["accuracy"], trials=24, epochs=2, space=space)
    rates = [trial.params["train.learning_rate"] for trial in work_through(settings).trials]
    assert np.median(np.log10(rates[-8:])) > np.median(np.log10(rates[:10])) + 0.5


def test_first_trial_is_the_configuration_and_the_optimizers_take_turns(search_settings):
    settings = search_settings(trials=8)
    trials = work_through(settings).trials
    assert trials[0].user_attrs["settings"] == settings.model_dump(mode="json", include={"model", "train"})
    assert trials[0].params == {
        "train.optimizer": "adam",
        "train.learning_rate": pytest.approx(0.001),
        "model.l2.on": False,
    }
    used = [trial.params["train.optimizer"] for trial in trials]
    assert used == ["adam", "momentum"] * 4


def test_optimizer_outside_the_choices_has_the_first_trial_alone(search_settings):
    settings = search_settings(trials=5)
    settings = settings.model_copy(update={"train": settings.train.model_copy(update={"optimizer": "sgd"})})
    fixed = [parameters.get("train.optimizer") for parameters in plan(settings)]
    assert fixed == [None, "adam", "momentum", "adam", "momentum"] or fixed[1:] == ["adam", "momentum"] * 2


@pytest.mark.parametrize("sampler", ["tpe", "qmc"])
def test_same_seed_gives_the_same_trials_however_often_interrupted(search_settings, sampler):
    asked = {"sampler": sampler, "generation": 3}
    whole = told(work_through(search_settings(trials=14, storage="one.journal", **asked)))
    for trials in (3, 4, 11, 14):
        parts = work_through(search_settings(trials=trials, storage="two.journal", **asked))
    assert told(parts) == whole
    other = work_through(search_settings(trials=14, sampler_seed=1, storage="three.journal", **asked))
    assert told(other)[1:] != whole[1:]


def test_fewer_trials_are_the_first_ones_and_more_are_added(search_settings):
    work_through(search_settings(trials=4))
    trials = opened(search_settings(trials=2))
    assert trials.all_recorded
    assert [trial.number for trial in trials.recorded] == [0, 1]
    assert len(trials.study.trials) == 4
    assert len(work_through(search_settings(trials=6)).trials) == 6


@pytest.mark.parametrize(
    "other",
    [
        {"seeds": 3},
        {"folds": 2},
        {"objectives": ["cross_entropy", "gap"]},
        {"epochs": 3},
        {"balance": "none"},
        {"space": {"train.learning_rate": {"low": 1e-3, "high": 0.1}}},
    ],
)
def test_another_question_is_another_study(search_settings, other):
    summary = read_summary()
    names = {study_name(trial_settings(search_settings(**asked), summary), summary) for asked in ({}, other)}
    assert len(names) == 2


def test_more_trials_workers_or_another_sampler_are_the_same_study(search_settings):
    more = search_settings(trials=9, sampler="random", pruner="median", generation=2, engine={"workers": 4})
    assert len({study_name(each, read_summary()) for each in (search_settings(), more)}) == 1


@pytest.mark.parametrize("facts", [{"digest": {"train": "b", "validation": "c"}}, {"target_scale": 1000.0}])
def test_other_rows_or_another_unit_of_the_target_are_another_study(search_settings, facts):
    summary = read_summary()
    other = summary.model_copy(update=facts)
    assert study_name(search_settings(), other) != study_name(search_settings(), summary)


def work_through_in_part(settings: Settings, fails: Callable[[Job], bool]) -> Trials:
    """The whole search, some trials of which get rows that the network is not made for."""
    trials, examples = opened(settings), read_examples(data_digests(read_summary()), settings.search)
    broken = replace(examples, x=examples.x[:, :3])
    while not trials.all_recorded:
        for task in trials.ask():
            rows = broken if any(map(fails, task.arguments[0])) else examples
            trials.end(task.label, task.function(rows, *task.arguments))
    return trials


def test_failed_trial_keeps_its_message_and_the_search_goes_on(search_settings):
    settings = search_settings(trials=4)
    study = work_through_in_part(settings, lambda job: job.settings.train.optimizer == "momentum").study
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "FAIL"] * 2
    message = study.trials[1].user_attrs["error"]
    assert "Error: " in message and "\n" not in message
    found = output.write(study, study.trials, settings)
    assert found["counts"]["fail"] == 2
    assert list(found["best_of_each_optimizer"]) == ["adam"]


def test_results_make_sense_when_every_trial_fails_and_failures_in_a_row_end_one_search_alone(search_settings):
    settings = search_settings(trials=3, max_failures=3)
    trials = work_through_in_part(settings, lambda job: True)
    found = output.write(trials.study, trials.recorded, settings)
    assert (found["best"], found["default"], found["importance"]) == (None, None, {})
    assert "3 fail" in results.report(found, 1.0)
    with pytest.raises(InputError, match=r"3 trials in a row failed, the last with [A-Za-z]*Error: "):
        trials.check_failures(new=3)
    again = opened(settings)
    again.check_failures(new=0)
    opened(search_settings(trials=3, max_failures=4)).check_failures(new=3)


def test_trials_whose_workers_died_have_failed(search_settings):
    trials = opened(search_settings(trials=2))
    for task in trials.ask():
        trials.end(task.label, WorkerDied())
    assert [trial.user_attrs["error"] for trial in trials.recorded] == ["its worker died 3 times"] * 2


def test_regression_is_searched_by_its_validation_loss(search_settings, finished_diabetes):
    label_smoothing = {"low": 0.01, "high": 0.2}
    settings = search_settings(trials=3)
    settings.search.space["train.label_smoothing"] = Dimension(**label_smoothing)
    shutil.copytree(finished_diabetes / "data", "data", dirs_exist_ok=True)
    trials = work_through(settings).trials
    assert not any("train.label_smoothing" in trial.params for trial in trials)  # which is for classes
    trial = trials[0]
    assert trial.values == [trial.user_attrs["facts"]["validation_rmse"]]
    assert math.isclose(sum(trial.user_attrs["facts"]["per_seed"]) / 2, trial.values[0])


@pytest.mark.parametrize("pruner", ["none", "median"])
def test_cross_validated_trials_are_judged_on_the_folds_of_their_seeds(search_settings, pruner):
    settings = search_settings(folds=3, seeds=3, pruner=pruner, epochs=4)
    examples = read_examples(data_digests(read_summary()), settings.search)
    study = work_through(settings)
    assert len({*examples.val_rows.ravel()}) == len(examples.y)
    assert {trial.state for trial in study.trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    chosen = trial_settings(settings, read_summary())
    history = fit(examples, chosen.model, chosen.train, [0, 1, 2]).history
    lowest = history.groupby("seed")["validation_cross_entropy"].min()
    assert study.trials[0].user_attrs["facts"]["per_seed"] == pytest.approx(lowest.tolist())


def test_folds_need_no_validation_rows(search_settings, change, stage, capsys):
    settings = search_settings(folds=2, trials=2)
    change(data={"val_fraction": 0.0})
    stage("prepare")
    check_searchable(settings, read_summary())
    assert {trial.state for trial in work_through(settings).trials} == {TrialState.COMPLETE}
    change(search={"folds": None})
    with pytest.raises(SystemExit):
        main()
    assert "set data.val_fraction above 0, or search.folds" in capsys.readouterr().err


def test_seeds_that_validate_on_different_folds_cannot_stop_together(search_settings, change, capsys):
    search_settings(folds=2)
    change(train={"early_stopping": {"patience": 2, "unit": "ensemble"}})
    with pytest.raises(SystemExit) as ended:
        main()
    error = capsys.readouterr().err
    assert (ended.value.code, error.count("\n")) == (2, 1)
    assert "train.early_stopping.unit ensemble needs validation rows that all seeds share" in error


@pytest.mark.parametrize(
    ("setting", "dimension", "message"),
    [
        ("train.shift", {"low": 1, "high": 8, "switch": True}, "less than a side of the images, 8 by 8 pixels; got 8"),
        ("train.monitor", {"choices": ["f1", "mae"]}, "mae is for numbers, and the target is one of classes"),
    ],
)
def test_value_that_the_data_cannot_have_is_refused_before_any_trial(search_settings, setting, dimension, message):
    settings = search_settings(space={setting: dimension})
    with pytest.raises(InputError, match=message):
        check_searchable(settings, read_summary())


def test_search_that_always_diverges_says_so_and_its_files_agree(search_settings, change, capsys):
    search_settings(trials=2, folds=2, space={"train.learning_rate": {"low": 1e20, "high": 1e30, "log": True}})
    change(train={"optimizer": "sgd", "learning_rate": 1e25})
    main()
    out = capsys.readouterr().out
    assert "each seed of a trial trains on " in out
    assert "every seed of all 2 complete trials diverged, so none is the best: lower the range of train.learn" in out
    found = json.loads(SEARCH_FILE.read_text())
    assert (found["best"], found["all_diverged"], found["folds"]) == (None, True, 2)
    trials, conclusions = against_optuna(read_settings())
    assert not trials.differing + conclusions.differing
    assert {"folds", "all_diverged", "default.trial"} <= {*conclusions.names}


def test_folds_changed_in_search_json_are_noticed(search_settings):
    settings = search_settings(trials=1, folds=2)
    study = work_through(settings)
    found = output.write(study, study.trials, settings)
    SEARCH_FILE.write_text(json.dumps(found | {"folds": None}))
    assert list(against_optuna(settings))[1].differing == ["folds"]


def test_losing_mlflow_costs_one_line_and_the_next_start_logs_what_is_missing(search_settings, capsys, monkeypatch):
    study = work_through(search_settings(trials=3))
    log = ParentRun("search", "a study")
    log.open()
    log_trials(log, study.trials[:1])
    with monkeypatch.context() as lost:
        lost.setattr("mlflow.MlflowClient.create_run", lambda *_: Path("not there").stat())
        for _ in range(3):
            log_trials(log, study.trials)
            log.end("FAILED")
    assert capsys.readouterr().err.count("\n") == 1
    again = ParentRun("search", "a study", log.run_id)
    again.open()
    assert again.logged == {"0"}
    log_trials(again, study.trials)
    assert again.logged == {"0", "1", "2"}


def files() -> list[Path]:
    return sorted(path for path in Path().rglob("*") if path.parent.name != "mlruns" and path.suffix != ".lock")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"sampler": "tpee"}, "search.sampler must be one of tpe, random, qmc, cmaes, grid, nsga2; got 'tpee'"),
        ({"pruner": "mean"}, "search.pruner must be one of"),
        (
            {"objectives": ["cross_entropy", "gap"], "pruner": "median"},
            "search.pruner must be none with two objectives",
        ),
        ({"objectives": ["gap"]}, "search.objectives must be a score of validation rows"),
        ({"objectives": ["mae"]}, "search.objectives has mae, which is for numbers, and the target is one of classes"),
        ({"objectives": ["auc"]}, "search.objectives"),
        ({"generation": 0}, "search.generation must be greater than or equal to 1"),
        ({"space": {"train.lr": {"low": 0.1, "high": 0.2}}}, "search.space.train.lr names no setting"),
        ({"space": {"train.ema": {"low": 0.2, "high": 0.1}}}, "the range is empty"),
        ({"folds": 1}, "search.folds must be greater than or equal to 2"),
        ({"folds": 800}, "search.folds 800 needs 1600 training and validation rows"),
        ({"sampler": "grid"}, "search.sampler grid needs plain choices"),
        ({"storage": "oracle9://user@host/x"}, "search.storage must be null"),
        ({"storage": "postgresql://user@127.0.0.1:1/x"}, "search.storage postgresql://user@127.0.0.1:1/x cannot be"),
        ({"storage": "postgresql://user:geheim@127.0.0.1:1/x"}, "search.storage must not hold a password"),
    ],
)
def test_wrong_setting_is_one_line_and_leaves_nothing(search_settings, capsys, wrong, told):
    search_settings()
    settings = json.loads(Path("params.yaml").read_text())
    settings["search"] |= wrong
    Path("params.yaml").write_text(json.dumps(settings))
    before = files()
    with pytest.raises(SystemExit) as ended:
        main()
    out, error = capsys.readouterr()
    assert (ended.value.code, error.count("\n")) == (2, 1)
    assert told in error
    assert "geheim" not in out + error
    assert files() == before


def test_time_limit_ends_the_search_with_its_results(search_settings, capsys):
    search_settings(trials=500, time_limit=5.0, **SLOW)
    main()
    out, error = capsys.readouterr()
    assert error == ""
    counts = json.loads(SEARCH_FILE.read_text())["counts"]
    assert counts["complete"] + counts["waiting"] == 500
    assert f"{counts['waiting']} waiting in " in out


def test_trial_that_is_done_out_of_order_is_kept_for_the_next_start(search_settings):
    settings = search_settings(trials=8, generation=4)
    trials, examples = opened(settings), read_examples(data_digests(read_summary()), settings.search)
    tasks = trials.ask()
    late = next(task for task in tasks if 0 in task.label)
    done = [task for task in tasks if task is not late]
    for task in done:
        trials.end(task.label, task.function(examples, *task.arguments))
    assert trials.recorded == []
    kept = {number for task in done for number in task.label}
    assert {int(number) for number in trials.study.user_attrs["ended"]} == kept
    again = opened(settings)
    missing = again.ask()
    assert sorted(number for task in missing for number in task.label) == sorted({*range(8)} - kept)
    for task in missing:
        again.end(task.label, task.function(examples, *task.arguments))
    assert again.all_recorded
    assert told(again.study) == told(work_through(search_settings(trials=8, generation=4, storage="other.journal")))


def test_search_killed_as_it_records_trials_goes_on(search_settings):
    asked = {"trials": 6, "generation": 3, "space": SLOW["space"]}  # one task for each generation
    settings = search_settings(**asked)
    trials, examples = opened(settings), read_examples(data_digests(read_summary()), settings.search)
    first, second = trials.ask()
    trials.end(second.label, second.function(examples, *second.arguments))
    kept = trials.study.user_attrs["ended"]
    assert len(kept) == 3
    trials.end(first.label, first.function(examples, *first.arguments))
    # A kill after the third trial is recorded leaves this.
    part = opened(search_settings(storage="part.journal", **asked)).study
    part.add_trials(trials.recorded[:3])
    part.set_user_attr("ended", kept)
    again = opened(search_settings(storage="part.journal", **asked))
    assert again.ask() == []
    assert again.all_recorded
    assert told(again.study) == told(trials.study)


def chosen(trials: Trials) -> dict[int, tuple[Model, Train]]:
    """The settings of the trials that are asked for now."""
    jobs = [job for task in trials.ask() for job in task.arguments[0]]
    return {job.number: (job.settings.model, job.settings.train) for job in jobs}


def test_generation_depends_on_those_before_the_last_one_alone(search_settings):
    examples, later = None, []
    for storage, ended_before in (("one.journal", 3), ("two.journal", 6)):
        settings = search_settings(trials=9, generation=3, storage=storage)
        examples = examples or read_examples(data_digests(read_summary()), settings.search)
        trials = opened(settings)
        for task in trials.ask():
            if max(task.label) < ended_before:
                trials.end(task.label, task.function(examples, *task.arguments))
        later.append(chosen(trials))
    assert set(later[0]) == {6, 7, 8}
    assert later[0] == later[1]


def by_stage(settings: Settings) -> dict[str, bytes]:
    for path in (SEARCH_FILE, output.TRIALS_FILE):
        path.unlink(missing_ok=True)
    main()
    return left()


PRUNED = {"trials": 10, "generation": 3, "pruner": "median", "epochs": 10}


def test_number_of_workers_changes_no_byte_of_the_results(search_settings):
    by_workers = [by_stage(search_settings(engine={"workers": n}, storage=f"{n}.journal", **PRUNED)) for n in (1, 2)]
    assert by_workers[0] == by_workers[1]
    trials = json.loads(SEARCH_FILE.read_text())["counts"]
    assert trials["complete"] + trials["pruned"] == 10


@pytest.mark.reference  # two whole searches, of which others test the parts
def test_database_gives_the_results_of_a_journal(search_settings, database):
    in_journal = by_stage(search_settings(engine={"workers": 2}, **PRUNED))
    search_settings(engine={"workers": 2}, storage=database, **PRUNED)
    assert ended(start())[::2] == ("", 0)
    assert left() == in_journal


@pytest.mark.parametrize(
    ("where", "number"),
    [
        ("journal", signal.SIGINT),
        pytest.param("postgresql", signal.SIGTERM, marks=pytest.mark.reference),  # half a minute for the same
    ],
)
def test_search_goes_on_after_a_workers_death_its_own_and_an_interrupt_and_no_trial_is_lost_or_there_twice(
    search_settings, the_study, workers_of, wait_until, is_alive, request, capsys, where, number
):
    url = request.getfixturevalue("database") if where == "postgresql" else None
    asked = {"storage": url, "engine": {"workers": 2}, "generation": 2, **SLOW}
    search_settings(trials=60, **asked)
    process = start()
    study = wait_until(lambda: the_study(url))
    wait_until(lambda: len(workers_of(process.pid)) == 2 and study.trials)
    os.kill(workers_of(process.pid)[0], signal.SIGKILL)
    # Trials are recorded in their order, so those that the worker had are among them by then.
    begun = len(study.trials)
    wait_until(lambda: len(study.trials) > begun + 4)
    workers = workers_of(process.pid)
    process.kill()
    _, error = process.communicate()
    assert error == ""
    wait_until(lambda: not any(map(is_alive, workers)))
    done = len(study.trials)
    assert done < 60

    process = start(start_new_session=True)
    wait_until(lambda: len(study.trials) > done)
    workers = workers_of(process.pid)
    os.killpg(process.pid, number)
    error, out, status = ended(process)
    assert (error, status) == (INTERRUPTED, 128 + number)
    assert f"resuming study {study.study_name}: {done} finished, {60 - done} to go" in out
    wait_until(lambda: not any(map(is_alive, workers)))

    done = len(study.trials)
    search_settings(trials=done + 2, **asked)
    main()
    assert capsys.readouterr().err == ""
    check_complete(study, done + 2)
