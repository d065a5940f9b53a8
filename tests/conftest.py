"""Fixtures that several test files share."""

import importlib
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest

from pipeline import tracking
from pipeline.errors import run_stage


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


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite store with its tables and no runs; making one takes a second, copying it does not."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    tracking._mlflow()
    tracking._create_sqlite(path)
    return path


@pytest.fixture(scope="session")
def stage() -> Callable[..., None]:
    """`stage("train")` does in the working folder what `python -m pipeline.train` does."""

    def run(name: str, *arguments: str) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", [name, *arguments])
            run_stage(importlib.import_module(f"pipeline.{name}").main)

    return run


STAGES = ("source", "prepare", "build", "train", "evaluate")
TRAIN = {"epochs": 6, "seeds": 3, "batch_size": 64, "learning_rate": 0.01, "early_stopping": {"patience": 2}}


def _finished(source: str, factory: pytest.TempPathFactory, stage: Callable[..., None], empty_store: Path) -> Path:
    root = factory.mktemp(source)
    settings = {"data": {"source": source}, "model": {"hidden_units": [8], "dropout": 0.1}, "train": TRAIN}
    (root / "params.yaml").write_text(json.dumps(settings), encoding="utf-8")
    (root / "mlruns").mkdir()
    shutil.copyfile(empty_store, root / "mlruns" / "mlflow.db")
    with chdir(root), pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        for name in STAGES:
            stage(name)
    return root


@pytest.fixture(scope="session")
def finished_digits(tmp_path_factory: pytest.TempPathFactory, stage: Callable[..., None], empty_store: Path) -> Path:
    """A project of a classification in which every stage has run; not to be changed."""
    return _finished("digits", tmp_path_factory, stage, empty_store)


@pytest.fixture(scope="session")
def finished_diabetes(tmp_path_factory: pytest.TempPathFactory, stage: Callable[..., None], empty_store: Path) -> Path:
    """The same for a regression."""
    return _finished("diabetes", tmp_path_factory, stage, empty_store)


@pytest.fixture
def digits_project(finished_digits: Path, folder: Path) -> Path:
    """The working folder is a copy of a project of a classification in which every stage has run."""
    return shutil.copytree(finished_digits, folder, dirs_exist_ok=True)


@pytest.fixture
def diabetes_project(finished_diabetes: Path, folder: Path) -> Path:
    """The same for a regression."""
    return shutil.copytree(finished_diabetes, folder, dirs_exist_ok=True)


@pytest.fixture(params=["digits", "diabetes"])
def any_project(request: pytest.FixtureRequest, folder: Path) -> Path:
    """The one and the other."""
    return shutil.copytree(request.getfixturevalue(f"finished_{request.param}"), folder, dirs_exist_ok=True)


@pytest.fixture
def change() -> Callable[..., None]:
    """`change(train={"epochs": 3})` changes settings in the params.yaml of the working folder."""

    def rewrite(**sections: dict[str, object]) -> None:
        settings = json.loads(Path("params.yaml").read_text(encoding="utf-8"))
        for name, changes in sections.items():
            settings.setdefault(name, {}).update(changes)
        Path("params.yaml").write_text(json.dumps(settings), encoding="utf-8")

    return rewrite
