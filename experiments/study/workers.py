"""The worker processes of a study, which work through its jobs and share the cores."""

import os
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from experiments.processes import prepare, share
from experiments.study.jobs import KEPT, Job, Result, kept_file, read_result
from pipeline.errors import InputError
from pipeline.progress import Bar
from pipeline.settings import Settings


def _begin(workers: int, seeds: list[int], epochs: int) -> None:
    os.environ |= share(workers)
    # The process that the workers are forked from has imported it already.
    from experiments.study.worker import begin

    begin(seeds, epochs)


def _work(jobs: list[tuple[Job, Path]]) -> None:
    from experiments.study.worker import work

    work(jobs)


class Trainings(AbstractContextManager):
    """Has jobs trained that have not been trained before, and hands out the results.

    Args:
        study_digest: the `jobs.context` of the study.
    """

    def __init__(self, settings: Settings, seeds: list[int], study_digest: str):
        self.workers, self.epochs = settings.study.workers, settings.study.epochs or settings.train.epochs
        self.seeds, self.study_digest = seeds, study_digest
        self.results: dict[Job, Result] = {}
        self.used: set[Path] = set()
        self.from_before: set[Job] = set()
        self.pool: ProcessPoolExecutor | None = None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.pool is None:
            return
        workers = list(self.pool._processes.values())  # no public way to end a training that runs
        self.pool.shutdown(wait=kind is None, cancel_futures=True)
        if kind is not None:
            for worker in workers:
                worker.kill()

    def run(self, jobs: list[Job], label: str) -> None:
        """Train what is missing of these jobs; all are in `results` afterwards.

        Raises:
            InputError: a worker was killed, as happens when the memory is full.
        """
        jobs = [job for job in dict.fromkeys(jobs) if job not in self.results]
        missing = [job for job in jobs if not self._load(job)]
        self.from_before |= set(jobs) - set(missing)
        if not missing:
            return
        tasks = _tasks(missing)
        try:
            waiting = {self._submit(task): task for task in tasks}
            with Bar(label, len(missing)) as bar:
                done = 0
                for ended in as_completed(waiting):
                    ended.result()
                    done += len(waiting[ended])
                    bar.show(done, "", partial("{}: {} of {} arms".format, label, done, len(missing)))
        except BrokenProcessPool:
            raise InputError(
                "a worker of the study was killed, perhaps for lack of memory; start again to go on, with fewer "
                "study.workers"
            ) from None
        for job in missing:
            self._load(job)

    def seconds_before(self) -> float:
        """Return the time that the trainings of an earlier start took then, in as many processes."""
        return sum(self.results[job].seconds for job in self.from_before) / self.workers

    def _load(self, job: Job) -> bool:
        path = kept_file(job, self.study_digest)
        self.used.add(path)
        result = read_result(path)
        if result is not None:
            self.results[job] = result
        return result is not None

    def _submit(self, task: list[Job]) -> Future:
        if self.pool is None:
            start = (self.workers, self.seeds, self.epochs)
            self.pool = ProcessPoolExecutor(self.workers, prepare("experiments.study.worker"), _begin, start)
        return self.pool.submit(_work, [(job, kept_file(job, self.study_digest)) for job in task])

    def forget_others(self) -> None:
        """Delete what is kept of trainings that this study does not use."""
        for path in KEPT.glob("*.npz"):
            if path not in self.used:
                path.unlink()


def _tasks(jobs: list[Job]) -> list[list[Job]]:
    """Return jobs that share a graph together, since each process compiles its own; the longest first."""
    by_graph: dict[tuple[object, ...], list[Job]] = {}
    for job in jobs:
        by_graph.setdefault(job.graph, []).append(job)
    return sorted(by_graph.values(), key=lambda task: -sum(job.effort for job in task))
