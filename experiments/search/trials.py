"""The trials of one search, from their plan to their record.

Trials are asked for in generations. Two of them are at work, so that no worker waits for the last trial of one: the
next generation is asked for as soon as all but the latest one have ended, and depends on these alone. So the same seed
gives the same search with any number of workers, however often it is interrupted.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from experiments.engine.engine import MOST_WORKER_DEATHS, Task
from experiments.engine.local import WorkerDied
from experiments.search.jobs import Job, TrialEnd
from experiments.search.plan import plan
from experiments.search.proposals import Proposal, ask, for_pruner, shown
from experiments.search.tasks import run
from pipeline.errors import InputError
from pipeline.settings import Settings
from pipeline.training.structure import effort

AT_ONCE = 4  # trials that train side by side at most, so that workers share a generation of one structure


class Trials:
    """The trials of one search: those that are recorded, those that have ended, and those that are to come.

    Args:
        study: the study that records the trials which have ended, in the order of their numbers.
        settings: see `trial_settings`.

    Attributes:
        recorded: the trials of this search that the study has recorded.
    """

    def __init__(self, study: optuna.Study, settings: Settings):
        self.study, self.settings, self.plan = study, settings, plan(settings)
        self.recorded: list[FrozenTrial] = study.get_trials(deepcopy=False)[: len(self.plan)]
        self.next_generation = len(self.recorded) // settings.search.generation
        self.pending: dict[int, Proposal] = {}
        # A trial that ends before one of a lower number waits here. The study stores these too, for the next start.
        self.ended: dict[int, TrialEnd] = {}
        self.stored_ends: dict[str, Any] = study.user_attrs.get("ended", {})  # from the start before

    @property
    def all_recorded(self) -> bool:
        """Return whether the search is complete."""
        return len(self.recorded) == len(self.plan)

    @property
    def all_proposed(self) -> bool:
        """Return whether all trials have been asked for."""
        return self.next_generation * self.settings.search.generation >= len(self.plan)

    def ask(self) -> list[Task]:
        """Ask for the generations that can be asked for now, and return their trials as tasks for workers.

        Raises:
            InputError: another search writes to the study.
        """
        size, tasks = self.settings.search.generation, []
        while not self.all_proposed and len(self.recorded) >= (self.next_generation - 1) * size:
            first = self.next_generation * size
            before = self.recorded[: max(0, first - size)]
            fixed = self.plan[first : first + size]
            proposals = [one for one in ask(self.settings, first, before, fixed) if one.number >= len(self.recorded)]
            tasks += list(self._tasks([one for one in proposals if not self._has_ended(one)], before))
            self.next_generation += 1
            self._record()  # a search that was killed as it recorded trials has kept the ends of those that follow
        return tasks

    def _has_ended(self, proposal: Proposal) -> bool:
        """Take a trial in, with its end where an interrupted search has kept that."""
        self.pending[proposal.number] = proposal
        stored = self.stored_ends.get(str(proposal.number))
        if stored is None or stored["of"] != self._identity(proposal):
            return False
        self.ended[proposal.number] = TrialEnd.of_plain(stored["ended"])
        return True

    def _identity(self, proposal: Proposal) -> list[Any]:
        """Return all that the end of a trial depends on beside the study's name and the trials before it."""
        return [json.loads(json.dumps(shown(proposal.settings))), self.settings.search.pruner]

    def _tasks(self, proposals: list[Proposal], before: list[FrozenTrial]) -> Iterator[Task]:
        """Yield tasks of trials that train side by side."""
        compared = for_pruner(before) if self.settings.search.pruner != "none" else ()
        groups: dict[object, list[Job]] = {}
        for proposal in proposals:
            job = Job(proposal.number, proposal.settings, self.study.study_name, compared)
            groups.setdefault(job.together, []).append(job)
        for group in groups.values():
            for start in range(0, len(group), AT_ONCE):
                jobs = group[start : start + AT_ONCE]
                efforts = sum(effort(job.settings.model, job.settings.train) for job in jobs)
                yield Task(run, (jobs,), [job.number for job in jobs], jobs[0].graph, efforts)

    def end(self, numbers: list[int], ended: list[TrialEnd] | WorkerDied) -> None:
        """Take in how trials have ended, and record those that no trial before them holds up.

        Raises:
            InputError: another search writes to the study.
        """
        if isinstance(ended, WorkerDied):
            ended = [TrialEnd("FAIL", error=f"its worker died {MOST_WORKER_DEATHS} times", began=time.time())] * len(
                numbers
            )
        self.ended |= dict(zip(numbers, ended, strict=True))
        self._record()

    def _record(self) -> None:
        """Record the trials that have ended and that no trial before them holds up; let the study keep the others."""
        while (number := len(self.recorded)) in self.ended:
            trial = self.pending.pop(number).end(self.ended.pop(number))
            if len(self.study.get_trials(deepcopy=False)) != number:
                raise InputError(f"study {self.study.study_name} is written to by another search; wait for it")
            self.study.add_trial(trial)
            self.recorded.append(trial)
        waiting = {
            number: {"of": self._identity(self.pending[number]), "ended": ended.plain()}
            for number, ended in self.ended.items()
        }
        if waiting or self.study.user_attrs.get("ended"):
            self.study.set_user_attr("ended", waiting)

    def check_failures(self, new: int) -> None:
        """Check the latest trials.

        Args:
            new: how many trials have been recorded in this run.

        Raises:
            InputError: the last `search.max_failures` of them have failed.
        """
        limit = self.settings.search.max_failures
        last = self.recorded[-min(limit, new) :] if new else []
        if len(last) == limit and all(trial.state == TrialState.FAIL for trial in last):
            raise InputError(f"{limit} trials in a row failed, the last with {last[-1].user_attrs.get('error')}")
