"""Tasks and the worker processes of this machine, which may die, and die with their owner."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.engine import local
from experiments.engine.engine import Engine, Task
from experiments.engine.local import WorkerDied
from pipeline.settings import Engine as Settings
from tests.engine.tasks import add, die, die_once, fail, last, load, meet, process


@pytest.fixture(scope="module")
def two() -> Iterator[Engine]:
    """An engine of two workers, for tests that leave none of its tasks behind."""
    with Engine(Settings(workers=2), load) as engine:
        yield engine


@pytest.fixture(scope="module")
def one() -> Iterator[Engine]:
    """An engine of one worker, for the same."""
    with Engine(Settings(workers=1), load) as engine:
        yield engine


def run(engine: Engine, *tasks: Task) -> dict[Any, Any]:
    """Return the results by the tasks' labels, in the order in which the tasks have finished."""
    for task in tasks:
        engine.submit(task)
    results: dict[Any, Any] = {}
    until = time.monotonic() + 60
    while len(results) < len(tasks) and time.monotonic() < until:
        results |= {task.label: result for task, result in engine.finished(5)}
    return results


def test_each_task_is_done_once_with_the_rows_and_its_arguments(two):
    assert run(two, *(Task(add, (number,), number) for number in range(7))) == {n: 10 + n for n in range(7)}
    assert two.finished(0) == []


def test_tasks_of_one_graph_stay_with_one_worker(two, tmp_path):
    pairs = [Task(meet, (tmp_path, f"{a}{n}", f"{b}{n}"), f"{a}{n}", a) for n in range(3) for a, b in ("ab", "ba")]
    workers = run(two, *pairs)
    by_graph = [{workers[f"{graph}{n}"] for n in range(3)} for graph in "ab"]
    assert [len(workers) for workers in by_graph] == [1, 1]
    assert by_graph[0] != by_graph[1]


def test_graph_that_is_begun_goes_on_before_longer_ones_and_those_before_shorter_ones(one):
    first, short, long, same = (
        Task(add, (0,), label, graph, effort)
        for label, graph, effort in (("first", 1, 1), ("short", 2, 1), ("long", 3, 2), ("same", 1, 0.5))
    )
    assert list(run(one, first, short, long, same)) == ["first", "same", "long", "short"]


def test_worker_that_dies_costs_its_task_another_try_and_the_other_worker_nothing(two, tmp_path):
    both = set(run(two, *(Task(meet, (tmp_path, a, b), a) for a, b in ("ab", "ba"))).values())
    results = run(two, Task(die_once, (tmp_path / "dead",), "dies"), Task(meet, (tmp_path, "c", "dead"), "other"))
    assert results["dies"] == 11
    assert results["other"] in both
    again = set(run(two, *(Task(meet, (tmp_path, a, b), a) for a, b in ("de", "ed"))).values())
    assert len(again - both) == 1


def test_task_of_which_three_workers_have_died_is_given_up(one):
    results = run(one, Task(die, (), "deadly"), Task(add, (1,), "harmless"))
    assert isinstance(results["deadly"], WorkerDied)
    assert results["harmless"] == 11


def test_mistake_in_a_task_is_raised_and_costs_no_worker(one):
    before = run(one, Task(process, ()))
    with pytest.raises(ValueError, match="of no use"):
        run(one, Task(fail, ()))
    assert run(one, Task(process, ())) == before


def test_worker_that_has_done_many_tasks_goes_on_as_a_new_process(monkeypatch):
    monkeypatch.setattr(local, "TASKS_PER_PROCESS", 3)
    with Engine(Settings(workers=1), load) as engine:
        processes = run(engine, *(Task(process, (), number) for number in range(7)))
    assert len(processes) == 7
    assert len(set(processes.values())) == 3  # the first task of a worker's first process is to import


def begun(folder: Path, names: str, wait_until: Callable[..., Any]) -> list[int]:
    """Wait for tasks, and return their processes."""
    wait_until(lambda: all((folder / name).exists() for name in names))
    return [int((folder / name).read_text()) for name in names]


def test_workers_end_at_once_when_the_engine_is_closed(tmp_path, wait_until, is_alive):
    with Engine(Settings(workers=2), load) as engine:
        for name in "abc":
            engine.submit(Task(last, (tmp_path, name)))
        workers = begun(tmp_path, "ab", wait_until)
        began = time.monotonic()
    wait_until(lambda: not any(map(is_alive, workers)))
    assert time.monotonic() - began < 5
    assert not (tmp_path / "c").exists()


OWNER = """
import sys
from pathlib import Path
from experiments.engine.engine import Engine, Task
from pipeline.settings import Engine as Settings
from tests.engine.tasks import last, load

if __name__ == "__main__":
    with Engine(Settings(workers=2), load) as engine:
        for name in "ab":
            engine.submit(Task(last, (Path(sys.argv[1]), name)))
        while True:
            engine.finished(1)
"""


def test_workers_end_with_an_owner_that_is_killed_and_are_not_reached_by_its_ctrl_c(tmp_path, wait_until, is_alive):
    (tmp_path / "owner.py").write_text(OWNER)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(tmp_path / "owner.py"), str(tmp_path)]
    with subprocess.Popen(command, env=environment, start_new_session=True) as owner:
        workers = begun(tmp_path, "ab", wait_until)
        for worker in workers:
            os.kill(worker, signal.SIGINT)
        time.sleep(0.5)
        assert all(map(is_alive, workers))
        owner.kill()
    wait_until(lambda: not any(map(is_alive, workers)))
