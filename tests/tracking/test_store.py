"""Where runs go, and that a store which cannot be used is found before any work."""

import http.server
import subprocess
import sys
import threading
from contextlib import nullcontext

import pytest

from pipeline.errors import InputError, without_password
from pipeline.tracking.store import check_reachable, sqlite_path, tracking_uri


def test_default_store_is_reachable_and_mlflow_is_not_imported_to_see_it(folder):
    script = "import sys; from pipeline.tracking.store import *; check_reachable(); assert 'mlflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
    assert list((folder / "mlruns").iterdir()) == []


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("http://127.0.0.1:{port}", "where no server answers"),
        ("http://user:secret@127.0.0.1:{port}/", r"http://user:\*\*\*@127\.0\.0\.1.* where no server answers"),
        ("./mlruns", "a folder, which MLflow no longer writes to; use SQLite, such as sqlite:///mlruns/mlflow.db"),
        ("file:///tmp/mlruns", "a folder, which MLflow no longer writes to"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///scores.json/mlflow.db", "folder cannot be written to"),
        ("sqlite:///scores.json", "file is not a database"),
        ("postgresql+nodriver://me:secret@127.0.0.1:{port}/mlflow", "cannot be used"),
        ("localhost:5000", "whose scheme localhost MLflow does not know; use http"),
    ],
)
def test_unusable_store_is_named_with_what_to_do(folder, free_port, monkeypatch, uri, problem):
    (folder / "scores.json").write_text('{"test_accuracy": 0.75}')
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(port=free_port))
    with pytest.raises(InputError, match=f"MLFLOW_TRACKING_URI is .*{problem}") as refusal:
        check_reachable()
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("uri", ["databricks", "databricks://profile"])
def test_hosted_store_is_taken_at_its_word(folder, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    check_reachable()


@pytest.mark.parametrize(
    ("status", "problem"), [(200, None), (401, None), (404, "no working MLflow"), (503, "answers 503")]
)
def test_server_is_judged_by_its_answer(folder, monkeypatch, status, problem):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()

        def log_message(self, *arguments: object):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(InputError, match=problem) if problem else nullcontext():
            check_reachable()


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://user:secret@host/db",
        "postgresql://user:sec/ret@host/db",
        "postgresql://host/db?user=u&password=secret",
        "postgresql://host/db?password=secret&sslmode=require",
    ],
)
def test_password_is_not_shown(uri):
    shown = without_password(uri)
    assert "sec" not in shown
    assert "***" in shown
    assert "host/db" in shown


@pytest.mark.parametrize("uri", ["sqlite:///mlruns/mlflow.db", "http://host:5000", "postgresql://user@host/db"])
def test_address_without_a_password_is_shown_as_it_is(uri):
    assert without_password(uri) == uri


@pytest.mark.parametrize("name", ["a%41b", "a%2Fb", "a?b", "a#b", "a b ü"])
def test_project_whose_path_means_something_in_a_uri_has_its_store_and_files_inside(tmp_path, monkeypatch, name):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project = tmp_path / name
    project.mkdir()
    monkeypatch.chdir(project)
    check_reachable()
    assert sqlite_path(tracking_uri()) == project / "mlruns" / "mlflow.db"
    assert set("%?#") & set(tracking_uri()) == set()


def test_store_elsewhere_whose_path_means_something_in_a_uri_is_refused(folder, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////tmp/a%41b/mlflow.db")
    with pytest.raises(InputError, match=r"whose path has a %, \? or #, which MLflow takes for part of a URI"):
        check_reachable()


def test_store_with_a_path_that_is_too_long_for_sqlite_is_refused(folder, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{'/'.join(['a' * 200] * 3)}/mlflow.db")
    with pytest.raises(InputError, match=r"whose path has \d+ bytes, of which SQLite takes 480"):
        check_reachable()


NO_ROOM = """
import resource, signal
from pathlib import Path
from pipeline.tracking import client
from pipeline.tracking.sqlite import create_sqlite
client.import_mlflow()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    create_sqlite(Path("mlruns/mlflow.db").absolute())
except Exception as error:
    print(client.is_loss(error), list(Path("mlruns").iterdir()))
"""


def test_store_for_which_there_is_no_room_is_lost_and_leaves_nothing_behind(folder):
    ended = subprocess.run([sys.executable, "-c", NO_ROOM], capture_output=True, text=True, check=True)
    assert ended.stdout == "True []\n"
