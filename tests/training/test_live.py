"""The curves of a training in MLflow while it lasts, in the run that the stage evaluate completes."""

import json
import signal
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pandas as pd
import pytest

from pipeline.paths import CURVES_FILE, EVALUATE_RUN_FILE
from pipeline.tracking.store import tracking_uri
from pipeline.training import live


def runs() -> list:
    """Return the runs of the working folder's store, the newest first."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri())
    return list(client.search_runs([client.get_experiment_by_name("pipeline").experiment_id]))


def curve(run_id: str, name: str) -> list[tuple[int, float]]:
    """Return the epochs and values of a metric, as they were logged."""
    from mlflow import MlflowClient

    return [(point.step, point.value) for point in MlflowClient(tracking_uri()).get_metric_history(run_id, name)]


@pytest.fixture
def long(monkeypatch):
    """Whatever is trained counts as long."""
    monkeypatch.setattr(live, "SECONDS_BEFORE_THE_FIRST", 0.0)
    monkeypatch.setattr(live, "SECONDS_BETWEEN", 0.0)


def test_short_training_opens_no_run(digits_project, stage):
    before = len(runs())
    stage("train")
    assert len(runs()) == before


def test_curves_are_there_before_the_evaluation_and_it_completes_the_run(any_project, stage, long):
    stage("train")
    (begun, *earlier), curves = runs(), pd.read_csv(CURVES_FILE, index_col="epoch")
    assert begun.info.status == "SCHEDULED"
    assert begun.data.metrics.keys() == set(curves)
    for name, column in curves.items():
        assert curve(begun.info.run_id, name) == list(column.items())
    stage("evaluate")
    assert json.loads(EVALUATE_RUN_FILE.read_text()) == {"run_id": begun.info.run_id}
    completed, before = runs()[0], earlier[0]
    assert len(runs()) == 1 + len(earlier)
    assert (completed.info.status, completed.info.run_name) == ("FINISHED", before.info.run_name)
    assert (completed.data.params, completed.data.metrics) == (before.data.params, before.data.metrics)
    for name, column in curves.items():
        assert curve(begun.info.run_id, name) == list(column.items())


def test_evaluation_again_is_a_new_run(digits_project, stage, long):
    stage("train")
    stage("evaluate")
    number = len(runs())
    stage("evaluate")
    assert len(runs()) == number + 1
    assert {run.info.status for run in runs()} == {"FINISHED"}


def test_interrupted_training_goes_on_in_its_run(digits_project, stage, change, long, monkeypatch):
    change(train={"epochs": 6})
    log = live.LiveCurves.__call__

    def interrupt(self, event):
        log(self, event)
        if event.number == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(live.LiveCurves, "__call__", interrupt)
    with pytest.raises(SystemExit):
        stage("train")
    (begun, *_), number = runs(), len(runs())
    assert begun.info.status == "KILLED"
    monkeypatch.setattr(live.LiveCurves, "__call__", log)
    stage("train")
    assert (runs()[0].info.run_id, runs()[0].info.status, len(runs())) == (begun.info.run_id, "SCHEDULED", number)
    assert [epoch for epoch, _ in curve(begun.info.run_id, "learning_rate")] == [1, 2, 3, 4, 5, 6]


def test_training_goes_on_without_a_server_that_is_gone(digits_project, stage, long, monkeypatch, capsys):
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object):
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)  # it answers the first question and is gone after it
    once = threading.Thread(target=lambda: (server.handle_request(), server.server_close()))
    once.start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
    stage("train")
    once.join()
    printed = capsys.readouterr()
    assert printed.err.startswith("warning: digits, in training is not logged to http://127.0.0.1:")
    assert printed.err.endswith("; the stage evaluate logs it\n")
    assert printed.err.count("\n") == 1
    assert printed.out.startswith("3 seeds, ")
