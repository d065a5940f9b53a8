"""A search on a real Dask cluster of two processes, kept in a real PostgreSQL."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna.trial import TrialState

from experiments import search_cluster
from experiments.search_cluster import ClusterWorkers
from pipeline.errors import InputError
from pipeline.params import Search

pytest.importorskip("distributed", reason="Dask is not installed")

SPACE = {"train.learning_rate": {"low": 1e-3, "high": 0.1, "log": True}}


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory, free_port: int) -> Iterator[str]:
    """The address of a scheduler with two workers, each a process of its own."""
    folder, address = tmp_path_factory.mktemp("dask"), f"tcp://127.0.0.1:{free_port}"
    dask = [sys.executable, "-m", "dask"]
    scheduler = [*dask, "scheduler", "--host", "127.0.0.1", "--port", str(free_port), "--no-dashboard"]
    worker = [*dask, "worker", address, "--nworkers", "2", "--nthreads", "1", "--no-dashboard"]
    with (folder / "log").open("w") as log:
        processes = [
            subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
            for command in (scheduler, worker)
        ]
        try:
            yield address
        finally:
            for process in processes:
                os.killpg(process.pid, signal.SIGKILL)  # a farewell in good order takes it eight seconds
                process.wait()


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
