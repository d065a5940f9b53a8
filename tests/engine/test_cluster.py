"""Tasks on a real Dask cluster of two processes, whose workers and scheduler may die."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from experiments.engine import cluster as engine_cluster
from experiments.engine.engine import Engine, Task
from experiments.search import __main__ as search
from experiments.study import __main__ as study
from pipeline.errors import InputError, run_stage
from pipeline.settings import Engine as Settings
from tests.engine.tasks import add, die_once, fail, last, load, until_abandoned
from tests.engine.test_engine import begun, run

pytest.importorskip("distributed", reason="Dask is not installed")

STUDY = {
    "seeds": 2,
    "epochs": 2,
    "sections": ["remedies"],
    "remedies": {"model.l2": [1e-2], "model.dropout": [0.3]},
    "peers": ["linear"],
    "half_width": False,
}


@contextmanager
def dask(folder: Path, *arguments: str) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
    # The first death of a worker is told, rather than the fourth.
    environment = os.environ | {
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True, env=environment)
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # a farewell in good order takes it eight seconds
            process.wait()


def port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(address: str) -> bool:
    try:
        with closing(socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])))):
            return True
    except OSError:
        return False


@contextmanager
def scheduler_and_workers(folder: Path, workers: int) -> Iterator[tuple[str, subprocess.Popen]]:
    address = f"tcp://127.0.0.1:{port()}"
    with dask(folder, "scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2]) as scheduler:
        for _ in range(300):
            if answers(address):
                break
            time.sleep(0.1)
        with dask(folder, "worker", address, "--nworkers", str(workers), "--nthreads", "1"):
            yield address, scheduler


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with two workers, each a process of its own."""
    with scheduler_and_workers(tmp_path_factory.mktemp("dask"), 2) as (address, _):
        yield address


def test_results_of_the_cluster_come_back(cluster):
    with Engine(Settings(workers=2, dask=cluster), load) as engine:
        assert run(engine, *(Task(add, (number,), number) for number in range(5))) == {n: 10 + n for n in range(5)}
        with pytest.raises(ValueError, match="of no use"):
            run(engine, Task(fail, ()))


def test_scheduler_that_is_lost_is_one_line(tmp_path, wait_until):
    with (
        scheduler_and_workers(tmp_path, 1) as (address, scheduler),
        Engine(Settings(workers=1, dask=address), load) as engine,
    ):
        engine.submit(Task(last, (tmp_path, "a")))
        begun(tmp_path, "a", wait_until)
        scheduler.kill()
        with pytest.raises(InputError, match=f"engine.dask {address} was lost: .*; start again to go on"):
            run(engine, Task(add, (1,)))


def in_copy(folder: Path, root: Path, change: Callable[..., None], main: Callable[[], None], dask: str | None) -> dict:
    shutil.copytree(root, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["stage"])
        change(engine={"workers": 2, "dask": dask})
        run_stage(main)
        return {path.name: path.read_bytes() for path in Path("experiments/results").iterdir()}


@pytest.mark.reference  # half a minute each
@pytest.mark.parametrize("module", [search, study], ids=["search", "study"])
def test_results_are_those_of_processes_of_this_machine(search_settings, change, cluster, tmp_path_factory, module):
    search_settings(trials=5, generation=2)
    change(study=STUDY)
    root, folder = Path.cwd(), tmp_path_factory.mktemp("copies")
    results = [
        in_copy(folder / str(place), root, change, module.main, dask) for place, dask in enumerate([None, cluster])
    ]
    assert results[0] == results[1]
    assert f"{module.__name__.split('.')[1]}.json" in results[0]


@pytest.mark.parametrize("listens", [False, True], ids=["refused", "silent"])
def test_scheduler_that_does_not_answer_is_one_line(monkeypatch, listens):
    monkeypatch.setattr(engine_cluster, "PATIENCE_SECONDS", 1)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if listens:
            server.listen()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(InputError, match=f"engine.dask is {address}, where no scheduler answers within 1 s: .+"):
            Engine(Settings(dask=address), load)


def test_tasks_end_when_their_owner_has_gone(cluster, tmp_path, wait_until):
    with Engine(Settings(workers=2, dask=cluster), load) as engine:
        for name in "ab":
            engine.submit(Task(until_abandoned, (tmp_path, name)))
        wait_until(lambda: all((tmp_path / f"{name}.begun").exists() for name in "ab"))
    wait_until(lambda: all((tmp_path / f"{name}.ended").exists() for name in "ab"))
    with Engine(Settings(workers=2, dask=cluster), load) as engine:
        assert run(engine, Task(add, (1,))) == {None: 11}


def test_worker_that_dies_costs_its_task_another_try(cluster, tmp_path):
    with Engine(Settings(workers=2, dask=cluster), load) as engine:
        assert run(engine, Task(die_once, (tmp_path / "a",), "a"), Task(add, (2,), "other")) == {"a": 11, "other": 12}
