"""Where runs go, and that a store which cannot be used is found before any work."""

import http.server
import subprocess
import sys
import threading
from contextlib import nullcontext

import pytest

from pipeline.errors import InputError, without_password
from pipeline.tracking.store import check_reachable


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
