"""The search as a whole: its queue, its budget, who may die and what is left afterwards."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import optuna
import pytest
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from experiments.check.search import against_optuna
from experiments.search import __main__ as command
from experiments.search import conduct as search
from experiments.search import queue as search_queue
from experiments.search import storage as search_storage
from experiments.search import worker as search_worker
from experiments.search.rows import read_examples
from pipeline.data.examples import Examples
from pipeline.data.splits import SUMMARY_FILE, read_summary
from pipeline.errors import InputError, run_stage
from pipeline.params import read_settings
from pipeline.settings import Dimension, Settings
from pipeline.tracking.parent import ParentRun
from pipeline.tracking.run import tracking_uri
from pipeline.training.trainer import fit

# Trials of about a second that all share a graph.
SLOW = {"epochs": 100, "space": {"train.learning_rate": {"low": 1e-3, "high": 0.1, "log": True}}}


def start(*arguments: str, **options: object) -> subprocess.Popen:
    """A search, or a worker, in a process of its own, its output read when it has ended."""
    command = [sys.executable, "-m", "experiments.search", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def ended(process: subprocess.Popen) -> tuple[str, str, int]:
    out, error = process.communicate(timeout=120)
    return error, out, process.returncode


def running(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    trials = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return [trial for trial in trials if trial.user_attrs.get("worker")]


def put_in(settings: Settings) -> tuple[optuna.Study, BaseStorage, Examples]:
    """The search with its queue filled, for workers to come."""
    summary = read_summary()
    kept = search_storage.open_storage(settings.search.storage)
    study = search.open_study(kept, settings, summary)
    search.tell_workers(study, settings, summary)
    return study, kept, read_examples(study.user_attrs["data"], settings.search)


def work_through(settings: Settings) -> optuna.Study:
    """The whole queue, in this process."""
    study, kept, examples = put_in(settings)
    chosen = search.trial_settings(settings, read_summary())
    while trial := search_queue.take(study, kept, settings.search, "this"):
        search_worker.run(study, kept, trial, chosen, examples)
    return study


def told(study: optuna.Study) -> list[tuple]:
    return [(trial.number, trial.params, trial.values, trial.state) for trial in study.get_trials()]


def check_complete(study: optuna.Study, wanted: int) -> None:
    """Every trial once, ended, and the same in MLflow."""
    from mlflow import MlflowClient

    trials = search_queue.asked_for(study)
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
    counts = json.loads(Path("experiments/results/search.json").read_text())["counts"]
    assert counts["complete"] + counts["pruned"] == wanted


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "cmaes", "nsga2"])
def test_every_sampler_works_through_its_queue(search_settings, sampler):
    study = work_through(search_settings(sampler=sampler, trials=5))
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 5
    assert len({json.dumps(trial.params) for trial in study.trials[1:]}) == 4


@pytest.mark.parametrize("pruner", ["median", "successive_halving", "hyperband"])
def test_every_pruner_ends_bad_trials_and_leaves_the_default_alone(search_settings, pruner):
    space = {"train.learning_rate": {"choices": [1e-6, 0.1]}, "train.optimizer": {"choices": ["adam"]}}
    study = work_through(search_settings(pruner=pruner, trials=12, epochs=4, sampler="random", space=space))
    states = Counter(trial.state for trial in study.trials)
    assert states[TrialState.COMPLETE] + states[TrialState.PRUNED] == 12
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
    found = search.output.write(study, search_queue.asked_for(study), settings, 1.0)
    front = [tuple(trial["values"]) for trial in found["pareto_front"]]
    assert sorted(front) == sorted(tuple(trial.values) for trial in study.best_trials)


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
    fixed = [parameters.get("train.optimizer") for parameters in search.plan(settings)]
    assert fixed == [None, "adam", "momentum", "adam", "momentum"] or fixed[1:] == ["adam", "momentum"] * 2


def test_same_seed_gives_the_same_trials_however_often_interrupted(search_settings):
    settings = search_settings(trials=14, storage="one.journal")
    whole = told(work_through(settings))
    for trials in (3, 12, 14):
        parts = work_through(search_settings(trials=trials, storage="two.journal"))
    assert told(parts) == whole
    other = work_through(search_settings(trials=14, sampler_seed=1, storage="three.journal"))
    assert told(other)[1:] != whole[1:]


def test_fewer_trials_are_the_first_ones_and_more_are_added(search_settings):
    study = work_through(search_settings(trials=4))
    settings = search_settings(trials=2)
    assert len(work_through(settings).trials) == 4
    assert [trial.number for trial in search_queue.asked_for(study)] == [0, 1]
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
    names = {
        search.study_name(search.trial_settings(search_settings(**asked), summary), summary) for asked in ({}, other)
    }
    assert len(names) == 2


def test_more_trials_workers_or_another_sampler_are_the_same_study(search_settings):
    settings = [search_settings(), search_settings(trials=9, workers=4, sampler="random", pruner="median")]
    assert len({search.study_name(each, read_summary()) for each in settings}) == 1


@pytest.mark.parametrize("facts", [{"digest": {"train": "b", "validation": "c"}}, {"target_scale": 1000.0}])
def test_other_rows_or_another_unit_of_the_target_are_another_study(search_settings, facts):
    summary = read_summary()
    other = summary.model_copy(update=facts)
    assert search.study_name(search_settings(), other) != search.study_name(search_settings(), summary)


def test_queue_is_filled_bit_by_bit_and_exactly(search_settings, monkeypatch):
    monkeypatch.setattr(search_queue, "MOST_WAITING", 2)
    study = work_through(search_settings(trials=3))
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 2
    assert not search_queue.is_filled(study)
    study = work_through(search_settings(trials=3))
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 3
    assert search_queue.is_filled(study)


def test_failed_trial_keeps_its_message_and_the_search_goes_on(search_settings, monkeypatch):
    train = search_worker.run_trial

    def fail_once(examples, settings, *rest):
        if settings.train.optimizer == "momentum":
            raise ValueError("of no\nuse")
        return train(examples, settings, *rest)

    monkeypatch.setattr(search_worker, "run_trial", fail_once)
    settings = search_settings(trials=4)
    study = work_through(settings)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "FAIL"] * 2
    assert study.trials[1].user_attrs["error"] == "ValueError: of no use"
    found = search.output.write(study, search_queue.asked_for(study), settings, 1.0)
    assert found["counts"]["fail"] == 2
    assert list(found["best_of_each_optimizer"]) == ["adam"]


def test_results_make_sense_when_every_trial_fails(search_settings, monkeypatch):
    monkeypatch.setattr(search_worker, "run_trial", lambda *_: 1 / 0)
    settings = search_settings(trials=3)
    study = work_through(settings)
    found = search.output.write(study, search_queue.asked_for(study), settings, 1.0)
    assert (found["best"], found["default"], found["importance"]) == (None, None, {})
    assert "3 fail" in search.results.report(found)


def test_failures_in_a_row_end_the_search_but_not_the_next_one(search_settings, monkeypatch):
    monkeypatch.setattr(search_worker, "run_trial", lambda *_: 1 / 0)
    trials = work_through(search_settings(trials=3)).trials
    with pytest.raises(InputError, match="3 trials in a row failed, the last with ZeroDivisionError: division"):
        search.Failures(3, []).check(trials)
    search.Failures(4, []).check(trials)
    search.Failures(3, trials).check(trials)


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
    study, _, examples = put_in(settings)
    work_through(settings)
    assert len({*examples.val_rows.ravel()}) == len(examples.y)
    assert {trial.state for trial in study.trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    chosen = search.trial_settings(settings, read_summary())
    history = fit(examples, chosen.model, chosen.train, [0, 1, 2]).history
    lowest = history.groupby("seed")["validation_cross_entropy"].min()
    assert study.trials[0].user_attrs["facts"]["per_seed"] == pytest.approx(lowest.tolist())


def test_folds_need_no_validation_rows(search_settings, change, stage, capsys):
    settings = search_settings(folds=2, trials=2)
    change(data={"val_fraction": 0.0})
    stage("prepare")
    command.check(settings, read_summary())
    assert {trial.state for trial in work_through(settings).trials} == {TrialState.COMPLETE}
    change(search={"folds": None})
    with pytest.raises(SystemExit):
        main()
    assert "set data.val_fraction above 0, or search.folds" in capsys.readouterr().err


def test_search_that_always_diverges_says_so_and_its_files_agree(search_settings, change, capsys):
    search_settings(trials=2, folds=2, space={"train.learning_rate": {"low": 1e20, "high": 1e30, "log": True}})
    change(train={"optimizer": "sgd", "learning_rate": 1e25})
    main()
    out = capsys.readouterr().out
    assert "each seed of a trial trains on " in out
    assert "every seed of all 2 complete trials diverged, so none is the best: lower the range of train.learn" in out
    found = json.loads(Path("experiments/results/search.json").read_text())
    assert (found["best"], found["all_diverged"], found["folds"]) == (None, True, 2)
    trials, conclusions = against_optuna(read_settings())
    assert not trials.differing + conclusions.differing
    assert {"folds", "all_diverged", "default.trial"} <= {*conclusions.names}


def test_folds_changed_in_search_json_are_noticed(search_settings):
    settings = search_settings(trials=1, folds=2)
    study = work_through(settings)
    found = search.output.write(study, search_queue.asked_for(study), settings, 1.0)
    search.output.SEARCH_FILE.write_text(json.dumps(found | {"folds": None}))
    assert list(against_optuna(settings))[1].differing == ["folds"]


def test_trial_that_runs_out_of_time_waits_for_the_next_start(search_settings):
    work_through(search_settings(trials=1))
    settings = search_settings(trials=2)
    study, kept, examples = put_in(settings)
    trial = search_queue.take(study, kept, settings.search, "this")
    search_worker.run(study, kept, trial, settings, examples, deadline=0)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "WAITING"]
    assert "lost" not in study.trials[1].user_attrs
    assert work_through(settings).trials[1].params == study.trials[1].params


def test_worker_whose_trial_was_given_away_goes_on_without_it(search_settings, capsys):
    work_through(search_settings(trials=1))
    settings = search_settings(trials=2)
    study, kept, examples = put_in(settings)
    trial = search_queue.take(study, kept, settings.search, "this")
    search_queue.put_back(kept, trial._trial_id)
    again = search_queue.take(study, kept, settings.search, "that")
    search_worker.run(study, kept, again, settings, examples)
    search_worker.run(study, kept, trial, settings, examples)
    assert capsys.readouterr().err == "trial 1 was given to another worker meanwhile\n"
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 2


def test_losing_mlflow_costs_one_line_and_the_next_start_logs_what_is_missing(search_settings, capsys, monkeypatch):
    study = work_through(search_settings(trials=3))
    log = ParentRun("search", "a study")
    log.open()
    search.log_trials(log, study.trials[:1])
    with monkeypatch.context() as lost:
        lost.setattr("mlflow.MlflowClient.create_run", lambda *_: Path("not there").stat())
        for _ in range(3):
            search.log_trials(log, study.trials)
            log.end("FAILED")
    assert capsys.readouterr().err.count("\n") == 1
    again = ParentRun("search", "a study", log.run_id)
    again.open()
    assert again.logged == {"0"}
    search.log_trials(again, study.trials)
    assert again.logged == {"0", "1", "2"}


def main(*arguments: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["search", *arguments])
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            run_stage(command.main)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)


def test_worker_that_has_grown_large_goes_on_as_a_new_process(search_settings, monkeypatch):
    study, _, _ = put_in(search_settings(trials=3))
    monkeypatch.setattr(search_worker, "TRIALS_PER_PROCESS", 2)
    started_again = []
    monkeypatch.setattr(os, "execv", lambda *command: started_again.append(command))
    main("--worker", "--study", study.study_name)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE", "WAITING"]
    assert started_again == [(sys.executable, sys.orig_argv)]
    main("--worker", "--study", study.study_name)
    assert study.trials[2].state == TrialState.COMPLETE
    assert len(started_again) == 1


def files() -> list[Path]:
    return sorted(path for path in Path().rglob("*") if path.parent.name != "mlruns")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"sampler": "tpee"}, "search.sampler must be one of tpe, random, qmc, cmaes, grid, nsga2; got 'tpee'"),
        ({"pruner": "mean"}, "search.pruner must be one of"),
        (
            {"objectives": ["cross_entropy", "gap"], "pruner": "median"},
            "search.pruner must be none with two objectives",
        ),
        ({"space": {"train.lr": {"low": 0.1, "high": 0.2}}}, "search.space.train.lr names no setting"),
        ({"space": {"train.ema": {"low": 0.2, "high": 0.1}}}, "the range is empty"),
        ({"folds": 1}, "search.folds must be greater than or equal to 2"),
        ({"folds": 800}, "search.folds 800 needs 1600 training and validation rows"),
        ({"sampler": "grid"}, "search.sampler grid needs plain choices"),
        ({"storage": "oracle9://user:geheim@host/x"}, "search.storage must be null"),
        ({"storage": "postgresql://user:geheim@127.0.0.1:1/x"}, "search.storage postgresql://user:***@127.0.0.1:1/x"),
        ({"dask": "tcp://127.0.0.1:1"}, "search.dask needs search.storage postgresql"),
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


def test_worker_of_an_unknown_study_is_told_so(search_settings, capsys):
    search_settings()
    for given in ("experiments/search.journal", "another.journal"):
        with pytest.raises(SystemExit):
            main("--worker", "--storage", given, "--study", "digits-1")
        assert capsys.readouterr().err == f"error: {given} has no study digits-1; start the search first\n"
        assert not Path(given).exists()


def test_worker_with_other_data_is_told_so(search_settings, capsys):
    study = work_through(search_settings(trials=1))
    search.tell_workers(study, search_settings(trials=2), read_summary())
    summary = json.loads(SUMMARY_FILE.read_text())
    summary["digest"]["train"] = "another"
    SUMMARY_FILE.write_text(json.dumps(summary))
    with pytest.raises(SystemExit):
        main("--worker", "--study", study.study_name)
    assert "data/prepared is not the data that this study searches on" in capsys.readouterr().err


def test_worker_joins_a_search_that_runs(search_settings):
    settings = search_settings(trials=3)
    study = search.open_study(search_storage.open_storage(None), settings, read_summary())
    search.tell_workers(study, settings, read_summary())
    main("--worker", "--study", study.study_name)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 3
    search.tell_workers(study, search_settings(trials=5), read_summary())
    search.close(study)  # the search has ended
    main("--worker", "--study", study.study_name)
    assert len(search_queue.finished(study.trials)) == 3


def test_password_is_kept_nowhere(search_settings, database):
    settings = search_settings(trials=1, storage=database)
    kept = search_storage.open_storage(database)
    study = search.open_study(kept, settings, read_summary())
    search.tell_workers(study, settings, read_summary())
    assert "secret" not in json.dumps(study.user_attrs)
    kept.remove_session()
    kept.engine.dispose()


def test_time_limit_ends_the_search_with_its_results(search_settings):
    search_settings(trials=500, workers=1, time_limit=1.0, **SLOW)
    error, out, status = ended(start())
    assert (status, error) == (0, "")
    counts = json.loads(Path("experiments/results/search.json").read_text())["counts"]
    assert counts["complete"] + counts["waiting"] == 500
    assert f"{counts['waiting']} waiting in " in out


@pytest.mark.parametrize("where", ["journal", "postgresql"])
def test_killed_worker_costs_no_trial_and_none_is_run_twice(
    search_settings, the_study, workers_of, wait_until, request, where
):
    url = request.getfixturevalue("database") if where == "postgresql" else None
    search_settings(trials=6, workers=2, storage=url, **SLOW)
    process = start()
    study = wait_until(lambda: the_study(url))
    wait_until(lambda: running(study))
    workers = workers_of(process.pid)
    wait_until(lambda: len(running(study)) == 2)
    os.kill(workers[0], signal.SIGKILL)
    error, _, status = ended(process)
    assert (status, error) == (0, "")
    assert sum(trial.user_attrs.get("lost", 0) for trial in study.trials) == 1
    check_complete(study, 6)


def test_killed_search_takes_its_workers_along_and_goes_on_where_it_was(
    search_settings, the_study, workers_of, wait_until
):
    search_settings(trials=40, **SLOW)
    process = start()
    study = wait_until(the_study)
    wait_until(lambda: len(search_queue.finished(study.trials)) >= 1)
    workers = workers_of(process.pid)
    process.kill()
    process.communicate()
    wait_until(lambda: not any(is_alive(worker) for worker in workers))
    done = len(search_queue.finished(study.trials))
    assert done < 40
    assert not running(study)  # each has ended its trial

    process = start(start_new_session=True)
    wait_until(lambda: len(search_queue.finished(study.trials)) > done)
    os.killpg(process.pid, signal.SIGINT)  # Ctrl-C
    error, out, status = ended(process)
    assert status == 130
    assert f"resuming study {study.study_name}: {done} finished, {40 - done} to go" in out
    done = len(search_queue.finished(study.trials))
    assert error == f"interrupted with {done} of 40 trials finished; `dvc repro` goes on from there\n"
    assert not study.get_trials(states=(TrialState.RUNNING,))

    search_settings(trials=done + 2, **SLOW)
    error, _, status = ended(start())
    assert (status, error) == (0, "")
    check_complete(study, done + 2)


def is_alive(process: int) -> bool:
    try:
        # One that nobody has waited for is still listed.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
