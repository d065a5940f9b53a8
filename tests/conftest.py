"""Fixtures that several test files share."""

# ruff: noqa: E402 (the process is configured before anything imports TensorFlow, as stages and workers do)
from pipeline.training.fast.process import compile_for, configure

configure()
compile_for(0)  # the tests' trainings are all short

import gc
import importlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import psycopg
import pytest
from filelock import FileLock
from optuna.storages import BaseStorage
from optuna.storages.journal import JournalFileBackend, JournalStorage

from experiments.search import storage as search_storage
from experiments.study.arms import Arm
from experiments.study.jobs import Result
from experiments.study.rows import Rows, pooled
from experiments.study.scored import Scored, score
from pipeline.data.examples import Problem, Split
from pipeline.errors import run_stage
from pipeline.params import read_settings
from pipeline.settings import Model, Settings, Train
from pipeline.tracking.client import import_mlflow
from pipeline.tracking.sqlite import create_sqlite
from pipeline.training.fitted import Chosen, Fitted

# Tracing makes many objects that stay; to look through all of them as often as usual takes a twelfth of the time.
gc.set_threshold(100_000, 20, 50)

# A shell that runs the tests in the background has them ignore Ctrl-C, and so would the stages that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


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
def made_once(
    tmp_path_factory: pytest.TempPathFactory, testrun_uid: str
) -> Callable[[str, Callable[[Path], object]], Path]:
    """`made_once("digits", fill)` is a folder that `fill` has filled, in one of the processes that run the tests.

    It is not to be changed.
    """
    of_process = tmp_path_factory.getbasetemp()
    of_all = of_process.parent if "PYTEST_XDIST_WORKER" in os.environ else of_process

    def make(name: str, fill: Callable[[Path], object]) -> Path:
        folder = of_all / f"{name} {testrun_uid}".replace(" ", "-")
        filled = folder.with_suffix(".filled")
        with FileLock(folder.with_suffix(".lock")):
            if not filled.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                fill(folder)
                filled.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def empty_store(made_once: Callable[..., Path]) -> Path:
    """An SQLite store with its tables and no runs; making one takes a second, copying it does not."""
    import_mlflow()
    return made_once("store", lambda folder: create_sqlite(folder / "mlflow.db")) / "mlflow.db"


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


def _finish(source: str, root: Path, stage: Callable[..., None], empty_store: Path) -> None:
    settings = {"data": {"source": source}, "model": {"hidden_units": [8], "dropout": 0.1}, "train": TRAIN}
    (root / "params.yaml").write_text(json.dumps(settings), encoding="utf-8")
    (root / "mlruns").mkdir()
    shutil.copyfile(empty_store, root / "mlruns" / "mlflow.db")
    with chdir(root), pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        for name in STAGES:
            stage(name)


@pytest.fixture(scope="session")
def finished_digits(made_once: Callable[..., Path], stage: Callable[..., None], empty_store: Path) -> Path:
    """A project of a classification in which every stage has run; not to be changed."""
    return made_once("digits", lambda root: _finish("digits", root, stage, empty_store))


@pytest.fixture(scope="session")
def finished_diabetes(made_once: Callable[..., Path], stage: Callable[..., None], empty_store: Path) -> Path:
    """The same for a regression."""
    return made_once("diabetes", lambda root: _finish("diabetes", root, stage, empty_store))


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


def _postgres_binary(name: str) -> str | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name, path=os.pathsep.join([os.environ["PATH"], *map(str, folders)]))


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start a PostgreSQL server for these tests, and yield its URL without a database's name."""
    initdb, server = _postgres_binary("initdb"), _postgres_binary("postgres")
    if not initdb or not server:
        pytest.skip("PostgreSQL is not installed")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    # It refuses to run as root; and pytest's folders are root's alone.
    user = {"user": "nobody"} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory() as folder:
        if user:
            shutil.chown(folder, "nobody")
        data, options = f"{folder}/data", {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([initdb, "-D", data, "-U", "tester", "--no-sync", "-E", "UTF8"], check=True, **options, **user)
        arguments = ["-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        process = subprocess.Popen([server, "-D", data, *arguments], **options, **user)
        url = f"postgresql://tester:a-secret@127.0.0.1:{port}"
        try:
            _wait_for(f"{url}/postgres")
            yield url
        finally:
            process.send_signal(signal.SIGINT)  # its "fast shutdown"
            process.wait()


def _wait_for(url: str) -> None:
    for _ in range(100):
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.1)
    pytest.fail("PostgreSQL does not start")


@pytest.fixture
def database(postgres: str) -> str:
    """The URL of an empty database."""
    name = f"search_{uuid.uuid4().hex}"
    with psycopg.connect(f"{postgres}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{postgres}/{name}"


@pytest.fixture
def search_settings(digits_project: Path, change: Callable[..., None]) -> Callable[..., Settings]:
    """`search_settings(trials=3)` makes the working folder a project with a search of tiny trials."""

    def write(engine: dict[str, object] | None = None, **search: object) -> Settings:
        space = {
            "train.optimizer": {"choices": ["momentum", "adam"]},
            "train.learning_rate": {"low": 1e-3, "high": 0.1, "log": True},
            "model.l2": {"low": 1e-4, "high": 1e-2, "log": True, "switch": True},
        }
        defaults = {"trials": 5, "seeds": 2, "pruner": "none", "space": space}
        change(model={"hidden_units": [8], "dropout": 0.0})
        change(train={"epochs": 2, "batch_size": 256, "learning_rate": None, "early_stopping": None})
        change(search=defaults | search, engine={"workers": 1} | (engine or {}))
        return read_settings()

    return write


STUDY_SEEDS = list(range(1000, 1010))


@pytest.fixture(scope="session")
def pool() -> Rows:
    """A study's pool of 200 rows in two classes, of which the last 40 are those that a search validates on."""
    train, validation = (
        Split(np.zeros((n, 2), np.float32), np.arange(n, dtype=np.int32) % 2, None, first + np.arange(n))
        for n, first in ((160, 500), (40, 900))
    )
    return pooled(train, validation, STUDY_SEEDS, Problem("classification", 2, 2))


@pytest.fixture
def scored(pool: Rows) -> Callable[..., Scored]:
    """`scored("dropout", 0.3)` is an arm of a study with this mean loss, or with losses of its rows `[rings, 2, n]`."""
    rng = np.random.default_rng(0)
    easy_or_hard = rng.gamma(2, 0.15, pool.ring.n)  # alike for all arms
    easy_or_hard -= easy_or_hard.mean()
    names = ("cross_entropy", "accuracy")

    def make(name: str, losses: float | np.ndarray, section: str = "remedies", **arm: object) -> Scored:
        if isinstance(losses, float):
            losses = losses + easy_or_hard + rng.normal(0, 0.03, pool.ring.judges.shape)
        described = {"factor": name, "group": "single", "reference": "baseline"} | arm
        curves = {f"{split}_{metric}": 0.2 for split in ("train", "validation", "holdout") for metric in names}
        history = pd.DataFrame(
            [{"seed": seed, "epoch": epoch, "learning_rate": 0.1} | curves for seed in STUDY_SEEDS for epoch in (1, 2)]
        )
        weights = {"output/kernel": np.zeros((10, 2, 2))}
        holdout = Chosen(weights, np.full(10, 2))
        fitted = Fitted(weights, np.full(10, 2), list(range(10)), np.zeros(10, bool), history, holdout)
        row_scores = {name: np.asarray(losses, float) for name in (*names, "brier")}
        result = Result(fitted, row_scores, np.ones((2, 10), bool), 1.0)
        configuration = Arm(section=section, name=name, model=Model(), train=Train(epochs=2), **described)
        return score(configuration, result, pool, STUDY_SEEDS)

    return make


@pytest.fixture
def the_study() -> Iterator[Callable[[str | None], optuna.Study | None]]:
    """`the_study(url)` is the one study of a storage, once its search has begun; None before."""
    opened: dict[str | None, BaseStorage] = {}

    def look(url: str | None = None) -> optuna.Study | None:
        path = search_storage.journal_path(url)
        if path and not path.exists():
            return None
        if url not in opened:  # a journal without mending it, as the search may be in the midst of a line
            opened[url] = JournalStorage(JournalFileBackend(str(path))) if path else search_storage.open_storage(url)
        names = optuna.get_all_study_names(opened[url])
        study = optuna.load_study(storage=opened[url], study_name=names[0]) if len(names) == 1 else None
        return study if study and "mlflow_run" in study.user_attrs else None

    yield look
    for kept in opened.values():
        search_storage.close(kept)


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object]], object]:
    """`wait_until(condition)` returns what the condition does, once it is true."""

    def wait(condition: Callable[[], object]) -> object:
        for _ in range(600):
            if found := condition():
                return found
            time.sleep(0.1)
        return pytest.fail("waited in vain for a minute")

    return wait


@pytest.fixture
def workers_of() -> Callable[[int], list[int]]:
    """`workers_of(process)` lists the workers of a search or study, the first in front; a child of it forks them."""

    def children(process: int) -> list[int]:
        of_threads = Path(f"/proc/{process}/task").glob("*/children")
        return [int(pid) for path in of_threads for pid in path.read_text().split()]

    def forks_workers(process: int) -> bool:
        return b"multiprocessing.forkserver" in Path(f"/proc/{process}/cmdline").read_bytes()

    return lambda process: sorted(
        worker for child in children(process) if forks_workers(child) for worker in children(child)
    )


@pytest.fixture
def is_alive() -> Callable[[int], bool]:
    """`is_alive(process)` says whether it runs; one that nobody has waited for is still listed."""

    def look(process: int) -> bool:
        try:
            return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    return look


@pytest.fixture
def not_root() -> Iterator[None]:
    """Root may write everywhere, so for the time of the test it is another user, who may use the working folder."""
    if os.geteuid() != 0:
        yield
        return
    Path.cwd().chmod(0o777)
    os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
