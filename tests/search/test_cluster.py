"""A search on a real Dask cluster of two processes, kept in a real PostgreSQL."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from experiments.search.cluster import ClusterWorkers, workers_by_host
from optuna.trial import TrialState

from experiments.search import cluster as search_cluster
from pipeline.errors import InputError
from pipeline.settings import Search

pytest.importorskip("distributed", reason="Dask is not installed")

SPACE = {"train.learning_rate": {"low": 1e-3, "high": 0.1, "log": True}}


@contextmanager
def dask(folder: Path, *arguments: str) -> Iterator[None]:
    command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # a farewell in good order takes it eight seconds
            process.wait()


@pytest.fixture
def scheduler(tmp_path_factory: pytest.TempPathFactory, free_port: int) -> Iterator[str]:
    """The address of a scheduler without workers."""
    with dask(tmp_path_factory.mktemp("dask"), "scheduler", "--host", "127.0.0.1", "--port", str(free_port)):
        yield f"tcp://127.0.0.1:{free_port}"


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory, scheduler: str) -> Iterator[str]:
    """The address of a scheduler with two workers, each a process of its own."""
    with dask(tmp_path_factory.mktemp("dask"), "worker", scheduler, "--nworkers", "2", "--nthreads", "1"):
        yield scheduler


def test_search_on_a_cluster_survives_the_death_of_a_worker(search_settings, the_study, wait_until, database, cluster):
    search_settings(trials=4, workers=2, storage=database, dask=cluster, epochs=30, space=SPACE)
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.search"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    study = wait_until(lambda: the_study(database))
    wait_until(lambda: study.get_trials(states=(TrialState.RUNNING,)))
    os.kill(workers_of_this_machine()[0], signal.SIGKILL)
    out, error = process.communicate(timeout=120)
    assert (process.returncode, error) == (0, ""), out
    assert [trial.number for trial in study.trials] == list(range(4))
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE}
    assert Path("experiments/results/search.json").exists()
    assert "secret" not in out + error


def answers(address: str) -> bool:
    try:
        with closing(socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])))):
            return True
    except OSError:
        return False


def test_workers_that_never_started_are_not_waited_for(scheduler, wait_until):
    wait_until(lambda: answers(scheduler))
    search = Search(dask=scheduler, storage="postgresql://localhost/x", workers=2)

    def begin_and_end() -> None:
        with ClusterWorkers(search, "study") as workers:
            workers.look(waiting=2, finished=0)
            assert [worker.exitcode for worker in workers.workers] == [None, None]

    ending = threading.Thread(target=begin_and_end, daemon=True)
    ending.start()
    ending.join(20)
    assert not ending.is_alive()


def test_cores_of_a_machine_are_shared_by_its_own_workers():
    four = {"tcp://10.0.0.1:1": 2, "tcp://10.0.0.1:2": 2, "tcp://10.0.0.2:1": 4}
    assert workers_by_host(2, four) == {"10.0.0.1": 1, "10.0.0.2": 1}
    assert workers_by_host(6, four) == {"10.0.0.1": 3, "10.0.0.2": 3}
    assert workers_by_host(100, four) == {"10.0.0.1": 4, "10.0.0.2": 4}  # no more than run at once
    assert workers_by_host(2, {}) == {}


def test_error_of_a_worker_on_the_cluster_is_in_that_worker_s_log(cluster, wait_until):
    wait_until(lambda: answers(cluster))
    search = Search(dask=cluster, storage="postgresql://127.0.0.1:1/x", workers=1)
    with ClusterWorkers(search, "study") as workers:
        workers.look(waiting=1, finished=0)
        wait_until(lambda: workers.workers[0].exitcode is not None)
        with pytest.raises(InputError, match="cannot go on; the log of the Dask worker that ran it says why"):
            workers.look(waiting=1, finished=0)


def workers_of_this_machine() -> list[int]:
    here, found = Path.cwd(), []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"--worker" in (process / "cmdline").read_bytes().split(b"\0") and (process / "cwd").readlink() == here:
                found.append(int(process.name))
        except OSError:
            continue
    return found


def test_scheduler_that_does_not_answer_is_one_line(free_port, monkeypatch):
    monkeypatch.setattr(search_cluster, "PATIENCE_SECONDS", 1)
    search = Search(dask=f"tcp://127.0.0.1:{free_port}", storage="postgresql://localhost/x")
    with pytest.raises(InputError, match=f"search.dask is tcp://127.0.0.1:{free_port}, where no scheduler answers"):
        ClusterWorkers(search, "study")


@pytest.mark.parametrize("address", ["nonsense", "tcp://", "http://127.0.0.1:1"])
def test_address_that_is_none_is_one_line(address):
    with pytest.raises(InputError, match=r"search\.dask is"):
        ClusterWorkers(Search(dask=address, storage="postgresql://localhost/x"), "study")
