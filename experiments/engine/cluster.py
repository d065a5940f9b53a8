"""Workers on an existing Dask cluster: some of its threads, each of which trains one task at a time."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any

from experiments.engine.abandoned import is_abandoned
from experiments.engine.local import WorkerDied
from pipeline.errors import InputError
from pipeline.settings import Engine as EngineSettings

PATIENCE_SECONDS = 5
SENDING_TRIES = 3
_one_at_a_time = threading.Lock()


def cluster_workers(settings: EngineSettings, load: Callable[[], Any]) -> Iterator["ClusterWorker"]:
    """Yield `engine.workers` places for tasks on the cluster at `engine.dask`.

    Raises:
        InputError: Dask is not installed, or no scheduler answers.
    """
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise InputError("engine.dask needs Dask: pip install distributed") from None
    cluster = Cluster(str(settings.dask), load)
    for _ in range(settings.workers):
        yield ClusterWorker(cluster)


class Cluster:
    """The connection to a scheduler, and the rows, which are sent to its workers once.

    Raises:
        InputError: no scheduler answers at the address, or it has gone.
    """

    def __init__(self, address: str, load: Callable[[], Any]):
        from distributed import Client

        self.address, self.load = address, load
        try:
            _meet(address)
            self.client = Client(address, timeout=PATIENCE_SECONDS, set_as_default=False)
        except Exception as error:  # what a server of another kind sends can fail in any way
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise InputError(
                f"engine.dask is {address}, where no scheduler answers within {PATIENCE_SECONDS} s: {reason}"
            ) from None
        self.executor = self.client.get_executor(pure=False)
        self.send()

    def send(self) -> None:
        """Send the rows to the workers; it fails where one of them is dying, so it is tried again."""
        for tries_left in reversed(range(SENDING_TRIES)):
            try:
                self.rows = self.client.scatter(self.load(), broadcast=True)
                return
            except (OSError, RuntimeError) as error:
                if not tries_left or self.client.status != "running":  # the scheduler itself is gone
                    raise self._lost(error) from None
                time.sleep(1)

    def submit(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Future:
        """Start a task, wherever the cluster has room."""
        try:
            return self.executor.submit(run, function, self.rows, arguments)
        except (OSError, RuntimeError) as error:
            raise self._lost(error) from None

    def _lost(self, error: Exception) -> InputError:
        reason = str(error).partition("\n")[0]
        return InputError(f"engine.dask {self.address} was lost: {reason}; start again to go on")

    def close(self) -> None:
        """Cancel the tasks and leave the cluster."""
        self.executor.shutdown(wait=False)
        self.client.close()


class ClusterWorker:
    """A place for one task at a time on the cluster."""

    def __init__(self, cluster: Cluster):
        self.cluster = cluster

    def run(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Run a task; see `Worker`.

        Raises:
            InputError: the cluster is gone.
        """
        from distributed import KilledWorker

        try:
            return self.cluster.submit(function, arguments).result()
        except (KilledWorker, CancelledError) as error:
            self.cluster.send()  # the rows may be lost with the worker
            raise WorkerDied from error

    def close(self) -> None:
        """Leave the cluster."""
        self.cluster.close()


def run(function: Callable[..., Any], rows: Any, arguments: tuple[Any, ...]) -> Any:
    """Run a task in a worker of the cluster, whose threads take turns: a graph serves one at a time."""
    from distributed import get_worker

    dask_worker = get_worker()
    task = dask_worker.state.tasks[dask_worker.get_current_task()]
    is_abandoned.set(lambda: task.state != "executing")  # Dask cancels the tasks of a client that is gone
    with _one_at_a_time:
        from experiments.engine import worker

        worker.use_threads(dask_worker.state.nthreads)
        return function(rows, *arguments)


def _meet(address: str) -> None:
    """Return when a scheduler has answered.

    A client that cannot connect prints a traceback when Python collects it, and waits without end for a server that
    takes the connection and is silent.

    Raises:
        Exception: none has answered in time, or something else has.
    """
    from distributed import Security
    from distributed.comm.core import connect

    async def meet() -> None:
        comm = await connect(address, timeout=PATIENCE_SECONDS, **Security().get_connection_args("client"))
        await comm.close()

    with ThreadPoolExecutor(1) as thread:  # that of a notebook has an event loop already
        thread.submit(asyncio.run, asyncio.wait_for(meet(), PATIENCE_SECONDS + 1)).result()
