"""What MLflow says of runs when it is asked."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.tracking import read as tracking_read
from pipeline.tracking.client import TrackingLost
from pipeline.tracking.entities import Dataset
from pipeline.tracking.parent import ChildRecord, ParentRun
from pipeline.tracking.read import Looks, read_children, read_run
from pipeline.tracking.run import RunRecord, log_run
from pipeline.tracking.store import tracking_uri

# MLflow says so of its own classes when `mlflow.pyfunc` is imported.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning")

DIGEST = "0123456789abcdef" * 4
TEST_SET = Dataset("digits test", DIGEST, "digits", 200, "test")
SETTINGS = {"data.source": "digits", "model.hidden_units": [32], "train.epochs": 5}


@pytest.fixture
def store(folder: Path, empty_store: Path):
    """A client of the working folder's own store."""
    from mlflow import MlflowClient

    (folder / "mlruns").mkdir()
    shutil.copyfile(empty_store, folder / "mlruns" / "mlflow.db")
    return MlflowClient(tracking_uri())


def look(experiment: str = "pipeline", **changes: object) -> str:
    return log_run(replace(RunRecord(experiment, "a look", params=SETTINGS, datasets=[TEST_SET]), **changes))


def test_every_run_that_read_the_test_set_is_a_look_deleted_ones_too(store):
    assert tracking_read.count_test_looks(DIGEST) == Looks(0, False)
    look()
    store.delete_run(look("study"))
    look(datasets=[replace(TEST_SET, context="validation")])
    look(datasets=[replace(TEST_SET, digest="f" * 64)])
    assert tracking_read.count_test_looks(DIGEST) == Looks(2, False)


def test_settings_that_changed_after_a_look_are_noticed(store):
    look()
    look(params=SETTINGS | {"study.seeds": 10})  # says how it was looked at, not at what
    assert tracking_read.count_test_looks(DIGEST, SETTINGS) == Looks(2, False)
    assert tracking_read.count_test_looks(DIGEST, SETTINGS | {"train.epochs": 6}) == Looks(2, True)
    look(params=SETTINGS | {"train.epochs": 6})
    assert tracking_read.count_test_looks(DIGEST) == Looks(3, True)


def test_nobody_has_looked_before_the_first(store):
    assert tracking_read.count_test_looks(DIGEST, SETTINGS) == Looks(0, False)


def test_more_looks_than_a_page_are_all_counted(store, monkeypatch):
    client = tracking_read.open_client(tracking_uri())
    search = client.search_runs
    monkeypatch.setattr(client, "search_runs", lambda max_results, **query: search(max_results=2, **query))
    for _ in range(5):
        look()
    assert tracking_read.count_test_looks(DIGEST) == Looks(5, False)


def test_lost_store_knows_of_no_looks(folder, monkeypatch, free_port):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port}")
    assert tracking_read.count_test_looks(DIGEST) is None
    for read in (read_run, read_children):
        with pytest.raises(TrackingLost, match=r"cannot be read: .*refused"):
            read("a" * 32)


def test_run_and_its_children_are_read_as_they_were_logged(store):
    parent = ParentRun("search", "a study")
    parent.open()
    parent.add(
        ChildRecord(str(n), f"trial {n}", "FINISHED", {"rate": n}, {"value": n / 3}, {}, {"state": "X"}, 0, 1)
        for n in range(3)
    )
    parent.finish({"best": 0.1 + 0.2}, {}, [])
    run = read_run(parent.run_id)
    assert (run.name, run.status, run.metrics) == ("a study", "FINISHED", {"best": 0.1 + 0.2})
    children = read_children(parent.run_id)
    assert {key: child.metrics["value"] for key, child in children.items()} == {str(n): n / 3 for n in range(3)}
    assert (children["1"].params["rate"], children["1"].tags["state"]) == ("1", "X")
    assert read_run("a" * 32) is None
