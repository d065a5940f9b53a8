"""What arrives in MLflow, and what a lost store costs."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.tracking import client as client_module
from pipeline.tracking import run as tracking
from pipeline.tracking.client import TrackingLost
from pipeline.tracking.entities import Dataset
from pipeline.tracking.parent import CURVE_POINTS, ChildRecord, ParentRun
from pipeline.tracking.run import RunRecord, log_run, log_run_or_say
from pipeline.tracking.sqlite import create_sqlite
from pipeline.tracking.store import check_reachable, tracking_uri

# MLflow says so of its own classes when `mlflow.pyfunc` is imported.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning")


@pytest.fixture
def store(folder: Path, empty_store: Path):
    """A client of the working folder's own store."""
    from mlflow import MlflowClient

    (folder / "mlruns").mkdir()
    shutil.copyfile(empty_store, folder / "mlruns" / "mlflow.db")
    return MlflowClient(tracking_uri())


@pytest.fixture
def record(folder: Path) -> RunRecord:
    (folder / "curves.png").write_bytes(b"a picture")
    (folder / "scores.json").write_text('{"test_accuracy": 0.75}')
    return RunRecord(
        experiment="digits",
        name="adam relu 32",
        params={"train.optimizer": "adam", "model.hidden_units": [32], "train.momentum": None},
        tags={"dvc.stage": "evaluate"},
        curves=pd.DataFrame({"cross_entropy": [0.9, 0.5], "validation_cross_entropy": [1.0, 0.7]}, index=[1, 2]),
        scores={"test_accuracy": 0.75, "test_accuracy_sd": 0.1 + 0.2},
        datasets=[
            Dataset("digits train", "abc", "digits", 1000, "train"),
            Dataset("digits test", "def", "https://example.org/test.csv", 200, "test"),
        ],
        figures=[Path("curves.png")],
        files=[Path("scores.json")],
    )


def test_params_are_logged_under_their_flat_names(store, record):
    run = store.get_run(log_run(record))
    assert run.data.params == {"train.optimizer": "adam", "model.hidden_units": "[32]", "train.momentum": "None"}


def test_curve_has_one_value_for_each_epoch(store, record):
    history = store.get_metric_history(log_run(record), "validation_cross_entropy")
    assert [(metric.step, metric.value) for metric in history] == [(1, 1.0), (2, 0.7)]


def test_scores_are_logged_to_the_last_digit(store, record):
    metrics = store.get_run(log_run(record)).data.metrics
    assert {name: metrics[name] for name in record.scores} == dict(record.scores)


def test_score_named_like_a_curve_is_refused(record):
    with pytest.raises(ValueError, match="validation_cross_entropy"):
        replace(record, scores={"validation_cross_entropy": 0.7})


def test_more_values_than_one_request_may_hold_all_arrive(store, record):
    params = {f"p{i}": i for i in range(230)}
    curves = pd.DataFrame(np.arange(2100.0).reshape(300, 7), columns=[f"m{i}" for i in range(7)])
    run_id = log_run(replace(record, params=params, curves=curves))
    assert len(store.get_run(run_id).data.params) == 230
    assert [metric.value for metric in store.get_metric_history(run_id, "m6")] == curves["m6"].tolist()


def test_param_that_is_too_long_is_cut_visibly(store, record):
    run = store.get_run(log_run(replace(record, params={"seeds": list(range(5000))})))
    assert len(run.data.params["seeds"]) == 6000
    assert run.data.params["seeds"].endswith("…")


def test_value_that_is_not_a_number_is_logged_as_such(store, record):
    run = store.get_run(log_run(replace(record, scores={"test_cross_entropy": float("nan")})))
    assert np.isnan(run.data.metrics["test_cross_entropy"])


def test_datasets_say_digest_source_and_use(store, record):
    train, test = store.get_run(log_run(record)).inputs.dataset_inputs
    assert (train.dataset.name, train.dataset.digest) == ("digits train", "abc")
    assert json.loads(train.dataset.source) == {"uri": "digits"}
    assert json.loads(train.dataset.profile) == {"num_rows": 1000}
    assert (test.dataset.source_type, json.loads(test.dataset.source)) == (
        "http",
        {"url": "https://example.org/test.csv"},
    )
    assert [i.tags[0].value for i in (train, test)] == ["train", "test"]


def test_figures_and_files_are_kept_as_they_are(store, record, folder):
    run = store.get_run(log_run(record))
    location = Path(run.info.artifact_uri.removeprefix("file://"))
    assert location.is_relative_to(folder / "mlruns" / "artifacts")
    assert (location / "figures" / "curves.png").read_bytes() == b"a picture"
    assert (location / "results" / "scores.json").read_bytes() == (folder / "scores.json").read_bytes()


def test_tags_name_the_commit_the_user_and_what_the_caller_adds(store, record, folder, git):
    git("init")
    git("add", "scores.json")
    git("commit", "-m", "first")
    run = store.get_run(log_run(record))
    assert run.data.tags["mlflow.source.git.commit"] == git("rev-parse", "HEAD")
    assert run.data.tags["mlflow.source.git.dirty"] == "false"
    assert run.data.tags["mlflow.source.type"] == "LOCAL"
    assert run.data.tags["mlflow.user"]
    assert run.data.tags["dvc.stage"] == "evaluate"
    assert run.info.run_name == "adam relu 32"


def test_finished_run_is_marked_finished(store, record):
    assert store.get_run(log_run(record)).info.status == "FINISHED"


def test_run_that_an_error_cuts_off_is_marked_failed(store, record, monkeypatch):
    def fail(dataset: Dataset):
        raise RuntimeError("a bug")

    monkeypatch.setattr(tracking, "dataset_input", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        log_run(record)
    experiment = store.get_experiment_by_name("digits")
    assert [run.info.status for run in store.search_runs([experiment.experiment_id])] == ["FAILED"]


def test_missing_file_is_found_before_anything_is_logged(store, record):
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        log_run(replace(record, figures=[Path("gone.png")]))
    assert store.get_experiment_by_name("digits") is None


def test_child_run_finds_its_parent(store, record):
    parent = log_run(record)
    child = log_run(RunRecord("digits", "trial 0", tags={"mlflow.parentRunId": parent}))
    assert store.get_parent_run(child).info.run_id == parent


def test_nothing_is_written_to_the_terminal_even_when_the_store_is_new(folder, record, capfd):
    log_run(record)
    assert (folder / "mlruns" / "mlflow.db").exists()
    assert capfd.readouterr() == ("", "")


@pytest.fixture(scope="module")
def keras_model(tmp_path_factory: pytest.TempPathFactory):
    """A model of 5 features and 3 classes, and its `.keras` file."""
    import keras

    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, activation="softmax")])
    path = tmp_path_factory.mktemp("model") / "model.keras"
    model.save(path)
    return model, path


@pytest.fixture
def logged_model(store, record, keras_model, monkeypatch) -> str:
    """The address of a model in the log."""
    # MLflow's own loading functions take the store from here alone.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri())
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    run_id = log_run(replace(record, model=keras_model[1], n_features=5, n_outputs=3))
    return f"runs:/{run_id}/model"


def test_logged_model_predicts_as_keras_does_for_arrays_and_tables(logged_model, keras_model):
    import mlflow

    rows = np.random.default_rng(0).random((4, 5), dtype=np.float32)
    expected = keras_model[0].predict(rows, verbose=0)
    loaded = mlflow.pyfunc.load_model(logged_model)
    for table in (rows, rows.astype(float), pd.DataFrame(rows, columns=list("abcde"))):
        np.testing.assert_array_equal(np.asarray(loaded.predict(table)), expected)
    with pytest.raises(mlflow.MlflowException, match="missing inputs"):
        loaded.predict(rows[:, :4])


def test_logged_model_is_served_from_csv_and_json(logged_model, keras_model):
    import mlflow
    from mlflow.pyfunc.scoring_server import invocations

    rows = np.random.default_rng(0).integers(0, 16, (4, 5)).astype(np.float32)
    expected = keras_model[0].predict(rows, verbose=0)
    loaded = mlflow.pyfunc.load_model(logged_model)
    table = pd.DataFrame(rows, columns=list("abcde"))
    bodies = {
        "text/csv": [table.to_csv(index=False), table.astype(int).to_csv(index=False)],
        "application/json": [
            json.dumps({"inputs": rows.tolist()}),
            json.dumps({"dataframe_split": table.to_dict(orient="split")}),
        ],
    }
    for kind, body in [(kind, body) for kind, some in bodies.items() for body in some]:
        answer = invocations(body, kind, loaded, loaded.metadata.get_input_schema())
        predictions = pd.DataFrame(json.loads(answer.response)["predictions"])
        np.testing.assert_array_equal(predictions.to_numpy(np.float32), expected)


def test_logged_model_is_a_keras_file_with_pinned_requirements_and_the_scores(logged_model, keras_model, store):
    import mlflow

    assert mlflow.keras.load_model(logged_model).count_params() == keras_model[0].count_params()
    [model] = store.search_logged_models([store.get_experiment_by_name("digits").experiment_id])
    assert {metric.key: metric.value for metric in model.metrics}["test_accuracy"] == 0.75
    files = {file.path for file in store.list_logged_model_artifacts(model.model_id)}
    assert files == {"MLmodel", "conda.yaml", "data", "python_env.yaml", "requirements.txt"}
    requirements = mlflow.pyfunc.get_model_dependencies(logged_model)
    assert {line.partition("==")[0] for line in Path(requirements).read_text().splitlines()} == {
        "mlflow",
        "keras",
        "tensorflow",
        "numpy",
    }


def a_child(**changes: object) -> ChildRecord:
    fields = {"key": "0", "name": "trial 0", "status": "FINISHED", "params": {}, "scores": {}, "curves": {}, "tags": {}}
    return ChildRecord(**fields | {"began": 0, "ended": 1} | changes)


def test_parent_knows_the_runs_of_its_children(store):
    parent = ParentRun("search", "a study")
    parent.open()
    parent.add([a_child(scores={"value": 0.1 + 0.2})])
    assert store.get_run(parent.children["0"]).data.metrics == {"value": 0.1 + 0.2}
    again = ParentRun("search", "a study", parent.run_id)
    again.open()
    assert again.children == parent.children


def test_parent_finds_the_children_on_every_page_and_removes_those_that_were_cut_off(store, monkeypatch):
    monkeypatch.setattr(client_module, "PAGE", 2)
    parent = ParentRun("search", "a study")
    parent.open()
    parent.add([a_child(key=str(number), began=number, ended=number) for number in range(5)])
    for key in ("3", "4"):
        store.update_run(parent.children[key], status="RUNNING")
    again = ParentRun("search", "a study", parent.run_id)
    again.open()
    assert set(again.children) == {"0", "1", "2"}
    assert {store.get_run(parent.children[key]).info.lifecycle_stage for key in ("3", "4")} == {"deleted"}


def test_long_curve_is_thinned_evenly_and_a_short_one_is_whole(store):
    parent = ParentRun("search", "a study")
    parent.open()
    long, short = [float(epoch) for epoch in range(1, 1001)], [3.0, None, 1.0]
    parent.add([a_child(curves={"long": long, "short": short})])
    points = store.get_metric_history(parent.children["0"], "long")
    assert (len(points), points[0].step, points[-1].step) == (CURVE_POINTS // 2, 1, 1000)
    assert all(point.value == point.step for point in points)
    points = store.get_metric_history(parent.children["0"], "short")
    assert [(point.step, point.value) for point in points] == [(1, 3.0), (3, 1.0)]


def test_parent_that_is_gone_on_with_may_have_other_settings_and_more_of_them(store, record):
    parent = ParentRun("search", "a study")
    parent.open()
    parent.finish({"best": 1.0}, {"trials": 40}, [], record.datasets)
    again = ParentRun("search", "a study", parent.run_id)
    again.open()
    again.finish({"best": 0.5}, {"trials": 60} | {f"p{i}": i for i in range(230)}, [])
    run = store.get_run(parent.run_id)
    assert (run.info.status, run.data.metrics["best"]) == ("FINISHED", 0.5)
    assert (run.data.params["trials"], run.data.tags["trials"], len(run.data.params)) == ("40", "60", 231)
    assert [item.dataset.digest for item in run.inputs.dataset_inputs] == ["abc", "def"]


def test_processes_that_come_first_together_share_one_store(folder):
    script = "from pipeline.tracking.run import *; print(log_run(RunRecord('digits', 'one of many')))"
    workers = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) for _ in range(2)]
    run_ids = {worker.communicate(timeout=60)[0].decode().strip() for worker in workers}
    assert [worker.returncode for worker in workers] == [0, 0]
    with closing(sqlite3.connect(folder / "mlruns" / "mlflow.db")) as database:
        assert {row[0] for row in database.execute("SELECT run_uuid FROM runs WHERE status = 'FINISHED'")} == run_ids
    assert [path.name for path in (folder / "mlruns").iterdir() if path.suffix != ".db"] == []


def test_store_appears_on_a_drive_without_hard_links(folder, empty_store, monkeypatch):
    def refuse(self: Path, target: Path):
        raise PermissionError

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    create_sqlite(folder / "mlflow.db")
    assert [path.name for path in folder.iterdir()] == ["mlflow.db"]


def test_deleted_experiment_says_how_to_restore_it(store, record):
    log_run(record)
    store.delete_experiment(store.get_experiment_by_name("digits").experiment_id)
    with pytest.raises(TrackingLost, match="mlflow experiments restore --experiment-id 1"):
        log_run(record)


@contextmanager
def mlflow_server(folder: Path, empty_store: Path, port: int) -> Iterator[tuple[str, subprocess.Popen]]:
    """The address of a server of its own, and the process to kill."""
    shutil.copyfile(empty_store, folder / "server.db")
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    options = ["--backend-store-uri", f"sqlite:///{folder}/server.db", "--artifacts-destination", f"{folder}/stored"]
    server = subprocess.Popen(
        [*command, *options],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},  # its queue is five processes more
    )
    try:
        uri = f"http://127.0.0.1:{port}"
        wait_for(f"{uri}/health", server)
        yield uri, server
    finally:
        if server.poll() is None:
            kill(server)


def wait_for(url: str, server: subprocess.Popen) -> None:
    for _ in range(300):
        assert server.poll() is None, "the server did not start"
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(url)


def kill(server: subprocess.Popen) -> None:
    # The server's workers are in the group of its session.
    os.killpg(server.pid, 9)
    server.wait()


def test_server_lost_on_the_way_costs_one_line_and_no_file(folder, record, empty_store, free_port, monkeypatch, capfd):
    log_values = tracking._log_values

    with mlflow_server(folder, empty_store, free_port) as (uri, server):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        check_reachable()
        finished = log_run(record)

        def lose_server(*arguments: object) -> None:
            kill(server)
            log_values(*arguments)

        monkeypatch.setattr(tracking, "_log_values", lose_server)
        started = time.monotonic()
        assert log_run_or_say(record, "python -m pipeline.evaluate --log-only") is None
        assert time.monotonic() - started < 5

    out, err = capfd.readouterr()
    assert out == ""
    # A connection that is open when the server dies is reset.
    reason = "[Errno 104] Connection reset by peer" if "reset" in err else "[Errno 111] Connection refused"
    assert err == (
        f"warning: run 'adam relu 32' is not logged to {uri}: {reason}; the result files are complete, log them with: "
        "python -m pipeline.evaluate --log-only\n"
    )
    assert (folder / "scores.json").exists()
    with closing(sqlite3.connect(folder / "server.db")) as database:
        statuses = dict(database.execute("SELECT run_uuid, status FROM runs"))
    assert statuses.pop(finished) == "FINISHED"
    assert list(statuses.values()) == ["FAILED"]


def test_store_of_another_release_is_a_loss_that_says_how_to_upgrade(folder, record, empty_store):
    (folder / "mlruns").mkdir()
    shutil.copyfile(empty_store, folder / "mlruns" / "mlflow.db")
    with closing(sqlite3.connect("mlruns/mlflow.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = 'of an older release'")
        database.commit()
    with pytest.raises(TrackingLost, match=r"run 'adam relu 32' is not logged to sqlite:.*mlflow db upgrade"):
        log_run(record)
