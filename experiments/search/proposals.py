"""The trials that Optuna proposes, going by those before, and their record when they have ended."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from experiments.search import space
from experiments.search.jobs import TrialEnd
from experiments.search.objectives import as_losses
from experiments.search.samplers import looked_at, make_sampler
from pipeline.choices import OBJECTIVES, OPTIMIZERS, Objective
from pipeline.settings import Settings

RUNGS = "completed_rung_"  # begins the names under which successive halving stores the rungs that a trial has reached


@dataclass(frozen=True, eq=False)
class Proposal:
    """A trial that Optuna has proposed.

    Attributes:
        study: the study in memory that chose it.
    """

    number: int
    study: optuna.Study
    trial: Trial
    settings: Settings

    def end(self, ended: TrialEnd) -> FrozenTrial:
        """Return the trial as the study records it when it has ended."""
        if len(self.study.directions) == 1:  # with two objectives there is nothing to prune by
            for epoch, value in ended.reports.items():
                self.trial.report(value, epoch)
        attributes = {"settings": shown(self.settings), "facts": ended.facts, "seconds": ended.seconds}
        for name, attribute in (attributes | ({"error": ended.error} if ended.error else {})).items():
            self.trial.set_user_attr(name, attribute)
        trial = self.study.tell(self.trial, ended.values, TrialState[ended.state])
        if ended.state == "PRUNED" and OBJECTIVES[self.settings.search.objectives[0]].is_score:
            trial.values = None  # Optuna takes the last report, which is a loss and no score
        trial.number = self.number
        trial.system_attrs = {**trial.system_attrs, **ended.pruner}
        trial.datetime_start, trial.datetime_complete = map(datetime.fromtimestamp, (ended.began, ended.ended))
        return trial


def ask(settings: Settings, first: int, before: list[FrozenTrial], fixed: Sequence[dict[str, Any]]) -> list[Proposal]:
    """Ask Optuna for one generation of trials.

    The choice depends on the arguments alone, so that a search which goes on chooses as one without interruption.

    Args:
        settings: those that trials start from.
        first: the number of the first trial.
        before: the trials of all generations but the last one before this, which is still at work.
        fixed: the parameters of each trial that are fixed beforehand.
    """
    search = settings.search
    study = optuna.create_study(directions=[StudyDirection.MINIMIZE] * len(search.objectives))
    study.add_trials(looked_at([minimized(trial, search.objectives) for trial in before], search))
    if search.sampler == "qmc":
        _pass_points(study, settings, first)
    return [_ask_one(study, settings, number, parameters) for number, parameters in enumerate(fixed, start=first)]


def minimized(trial: FrozenTrial, objectives: Sequence[Objective]) -> FrozenTrial:
    """Return the trial as the sampler sees it: less is better, as it is in the losses that pruned trials report."""
    if trial.state != TrialState.COMPLETE or not any(OBJECTIVES[name].is_maximized for name in objectives):
        return trial
    negated = copy(trial)
    negated.values = as_losses(trial, objectives)
    return negated


def _ask_one(study: optuna.Study, settings: Settings, number: int, fixed: dict[str, Any]) -> Proposal:
    dimensions = settings.search.space
    study.sampler = make_sampler(settings.search, number)
    if number > 0:
        study.enqueue_trial(fixed)
        trial = study.ask()
        return Proposal(number, study, trial, space.suggest(trial, dimensions, settings))
    # The first trial has the configured settings, and is recorded as far as the space has them.
    known = space.represent(settings, dimensions, OPTIMIZERS[settings.train.optimizer].learning_rate)
    study.enqueue_trial(known)
    trial = study.ask()
    space.record(trial, dimensions, known)
    return Proposal(number, study, trial, settings)


def _pass_points(study: optuna.Study, settings: Settings, first: int) -> None:
    """Let the quasi-random sequence go on after the points of trials before; the first two generations have none."""
    study.sampler = make_sampler(settings.search, first)
    for _ in range(first - 2 * settings.search.generation):
        study.ask()


def for_pruner(trials: Sequence[FrozenTrial]) -> tuple[FrozenTrial, ...]:
    """Return trials that hold only what a pruner reads, since they are sent to the workers."""
    return tuple(
        create_trial(
            state=trial.state,
            values=trial.values,
            intermediate_values=trial.intermediate_values,
            system_attrs={name: value for name, value in trial.system_attrs.items() if name.startswith(RUNGS)},
        )
        for trial in trials
    )


def shown(settings: Settings) -> dict[str, object]:
    """Return the settings of a trial as they are stored with it."""
    return settings.model_dump(include={"model", "train"})
