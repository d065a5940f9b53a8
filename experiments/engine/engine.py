"""The engine to which search and study hand their trainings, and from which they get the results as they finish."""

from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from experiments.engine.local import LocalWorker, WorkerDied
from pipeline.settings import Engine as EngineSettings

MOST_WORKER_DEATHS = 3  # a task whose worker died that often is given up


@dataclass(eq=False)
class Task:
    """Some trainings for one worker: it calls `function(rows, *arguments)`, where it has the rows already.

    Attributes:
        function: a function of a module, since another process finds it by its name.
        label: what the caller knows the task by.
        graph: equal for tasks that share compiled graphs, which are best left to one worker.
        effort: how long it takes, relative to other tasks.
        worker_deaths: how many workers have died of it so far.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    label: Any = None
    graph: Hashable = None
    effort: float = 1.0
    worker_deaths: int = field(default=0, init=False)


class Worker(Protocol):
    """A place where one task runs at a time."""

    def run(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Return `function(rows, *arguments)` when it has run; start the worker first where there is none.

        Raises:
            WorkerDied: the worker died meanwhile.
            Exception: whatever the function raised.
        """

    def close(self) -> None:
        """End the worker, whatever it is doing."""


class Engine(AbstractContextManager["Engine"]):
    """The workers of one search or study, and the tasks that wait for them.

    Args:
        load: called without arguments, returns the rows that all tasks are about. Each process of this machine calls it
            once; to a cluster the rows are sent.

    Raises:
        InputError: the cluster cannot be reached.
    """

    def __init__(self, settings: EngineSettings, load: Callable[[], Any]):
        self.workers = list(_workers(settings, load))
        self.threads = ThreadPoolExecutor(len(self.workers))  # each waits for a worker
        self.waiting: list[Task] = []
        self.running: dict[Future, tuple[Task, Worker]] = {}
        self.last_graph: dict[Worker, Hashable] = {}

    def __exit__(self, *_: object) -> None:
        """End the workers, whatever they are doing."""
        for worker in self.workers:
            worker.close()
        self.threads.shutdown(wait=False, cancel_futures=True)

    def submit(self, task: Task) -> None:
        """Let a task wait for a worker."""
        self.waiting.append(task)
        self._start()

    def finished(self, seconds: float) -> list[tuple[Task, Any]]:
        """Return the tasks that have finished with their results, after waiting for one for so many seconds at most.

        The result of a task of which `MOST_WORKER_DEATHS` workers died is a `WorkerDied`.

        Raises:
            Exception: whatever a task raised.
        """
        ended, _ = wait(self.running, seconds, FIRST_COMPLETED)
        results = []
        for future in ended:
            task, _ = self.running.pop(future)
            try:
                results.append((task, future.result()))
            except WorkerDied as death:
                task.worker_deaths += 1
                if task.worker_deaths < MOST_WORKER_DEATHS:
                    self.waiting.append(task)
                else:
                    results.append((task, death))
        self._start()
        return results

    def _start(self) -> None:
        """Give the workers that are free something to do."""
        busy = {worker for _, worker in self.running.values()}
        for worker in self.workers:
            if worker not in busy and self.waiting:
                task = self._best_for(worker)
                self.waiting.remove(task)
                self.last_graph[worker] = task.graph
                self.running[self.threads.submit(worker.run, task.function, task.arguments)] = task, worker

    def _best_for(self, worker: Worker) -> Task:
        """Return the task to do next: of the worker's last graph, else of one that no other has; the longest first."""
        elsewhere = {graph for other, graph in self.last_graph.items() if other is not worker}
        efforts: dict[Hashable, float] = {}
        for task in self.waiting:
            efforts[task.graph] = efforts.get(task.graph, 0.0) + task.effort

        def preference(task: Task) -> tuple[bool, bool, float, float]:
            is_last = task.graph == self.last_graph.get(worker)
            return is_last, task.graph not in elsewhere, efforts[task.graph], task.effort

        return max(self.waiting, key=preference)


def _workers(settings: EngineSettings, load: Callable[[], Any]) -> Iterator[Worker]:
    if settings.dask is None:
        yield from (LocalWorker(load, settings.workers) for _ in range(settings.workers))
    else:
        from experiments.engine.cluster import cluster_workers  # needs the extra `cluster`

        yield from cluster_workers(settings, load)
