"""Fixtures that several test files share."""

import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """The working folder is an empty project; `project(data={"source": "iris"})` writes its params.yaml."""
    monkeypatch.chdir(tmp_path)

    def write_params(**sections: object) -> Path:
        # JSON is YAML.
        (tmp_path / "params.yaml").write_text(json.dumps(sections), encoding="utf-8")
        return tmp_path

    write_params()
    return write_params


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, with nothing said about where to track."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture
def free_port() -> int:
    """A port of this machine where nothing answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def git() -> Callable[..., str]:
    """`git("init")` runs git in the working folder and returns what it prints."""

    def run(*arguments: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        return subprocess.run(["git", *who, *arguments], check=True, capture_output=True, text=True).stdout.strip()

    return run
