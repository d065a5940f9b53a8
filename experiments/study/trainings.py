"""The trainings of a study: those that are kept from before, and those that the engine is given."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from rich.console import Console

from experiments.engine.engine import MOST_WORKER_DEATHS, Engine, Task
from experiments.engine.local import WorkerDied
from experiments.study.jobs import CACHE, Job, Result, cache_path, read_result, write_result
from experiments.study.rows import Rows
from experiments.study.tasks import run
from pipeline.errors import InputError
from pipeline.progress import Bar
from pipeline.settings import Settings

# More configurations in a graph gain little, and a study that is interrupted loses those that are not finished.
AT_ONCE = 6
SECONDS_BETWEEN_LOOKS = 0.5


class Trainings(AbstractContextManager):
    """Has jobs trained that have not been trained before, and hands out the results.

    Args:
        load: called without arguments, returns the study's rows.
        study_digest: the `jobs.context` of the study, under which results are kept in files; None for no files.
        console: where progress is shown; None for standard output.
    """

    def __init__(
        self,
        settings: Settings,
        seeds: list[int],
        load: Callable[[], Rows],
        study_digest: str | None = None,
        console: Console | None = None,
    ):
        self.settings, self.epochs = settings.engine, settings.study.epochs or settings.train.epochs
        self.seeds, self.study_digest, self.load, self.console = seeds, study_digest, load, console
        self.results: dict[Job, Result] = {}
        self.used: set[Path] = set()
        self.from_before: set[Job] = set()
        self.engine: Engine | None = None

    def __exit__(self, *reason: object) -> None:
        if self.engine is not None:
            self.engine.__exit__(*reason)

    def run(self, jobs: list[Job], label: str) -> None:
        """Train what is missing of these jobs; all are in `results` afterwards.

        Raises:
            InputError: a worker was killed again and again, as happens when the memory is full.
        """
        jobs = [job for job in dict.fromkeys(jobs) if job not in self.results]
        missing = [job for job in jobs if not self._load(job)]
        self.from_before |= set(jobs) - set(missing)
        if not missing:
            return
        self.engine = self.engine or Engine(self.settings, self.load)
        for group in side_by_side(missing):
            effort = sum(job.effort for job in group)
            self.engine.submit(Task(run, (group, self.seeds, self.epochs), group, group[0].graph, effort))
        done = 0
        with Bar(label, len(missing), self.console) as bar:
            while done < len(missing):
                for task, results in self.engine.finished(SECONDS_BETWEEN_LOOKS):
                    self._keep(task.label, results)
                    done += len(task.label)
                    bar.show(done, "", partial("{}: {} of {} arms".format, label, done, len(missing)))

    def seconds_before(self) -> float:
        """Return the time that the trainings of an earlier start took then, in as many processes."""
        return sum(self.results[job].seconds for job in self.from_before) / self.settings.workers

    def _load(self, job: Job) -> bool:
        if self.study_digest is None:
            return False
        path = cache_path(job, self.study_digest)
        self.used.add(path)
        result = read_result(path)
        if result is not None:
            self.results[job] = result
        return result is not None

    def _keep(self, jobs: list[Job], results: list[Result] | WorkerDied) -> None:
        if isinstance(results, WorkerDied):
            raise InputError(
                f"the worker of a training was killed {MOST_WORKER_DEATHS} times, perhaps for lack of memory; start "
                "again to go on, with fewer engine.workers"
            )
        for job, result in zip(jobs, results, strict=True):
            if self.study_digest is not None:
                write_result(cache_path(job, self.study_digest), result)
            self.results[job] = result

    def forget_others(self) -> None:
        """Delete what is kept of trainings that this study does not use."""
        for path in CACHE.glob("*.npz"):
            if path not in self.used:
                path.unlink()


def side_by_side(jobs: list[Job]) -> list[list[Job]]:
    """Return the jobs in groups that train together."""
    groups: dict[object, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.together, []).append(job)
    return [group[start : start + AT_ONCE] for group in groups.values() for start in range(0, len(group), AT_ONCE)]
