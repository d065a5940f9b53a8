"""A trial in its worker: several seeds trained side by side with its settings, pruned, and judged by the objectives."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.trial import TrialState, create_trial

from experiments.engine.abandoned import ends_when_abandoned
from experiments.search.jobs import Job, TrialEnd
from experiments.search.objectives import scores_of
from experiments.search.samplers import make_pruner
from experiments.search.scoring import outputs_of_nothing, validation_scores
from pipeline.choices import Objective
from pipeline.data.examples import Examples, Problem
from pipeline.errors import InputError
from pipeline.settings import EarlyStopping, Settings, Train, seed_list
from pipeline.statistics import scores
from pipeline.statistics.weights import average
from pipeline.training.fast.process import compile_for
from pipeline.training.fitted import Fitted
from pipeline.training.trainer import Epoch, fit_together, with_train_scores

REPORTS = 10  # how often, at most, a trial asks the pruner


def run_jobs(examples: Examples, jobs: list[Job]) -> list[TrialEnd]:
    """Train jobs that have one `structure.together` side by side; an error fails one trial, and is its result."""
    began, started = time.time(), time.perf_counter()
    try:
        ended = _run(examples, jobs)
    except (MemoryError, InputError):
        raise
    except Exception as error:
        if len(jobs) > 1:
            return [one for job in jobs for one in run_jobs(examples, [job])]
        message = " ".join(str(error).split())
        ended = [TrialEnd("FAIL", error=f"{type(error).__name__}: {message}"[:2000])]
    seconds = (time.perf_counter() - started) / len(jobs)
    return [replace(one, seconds=seconds, began=began, ended=time.time()) for one in ended]


def _run(examples: Examples, jobs: list[Job]) -> list[TrialEnd]:
    """Train several seeds of each job, and judge it by each seed's best epoch."""
    settings, chance = jobs[0].settings, chance_level(examples)
    compile_for(examples.train_rows.shape[1] * settings.train.epochs)
    seeds, reporters = seed_list(settings.search.seeds), [Reporter(job, chance) for job in jobs]
    fitted = _fit(examples, jobs, seeds, [reporter.ends_with for reporter in reporters])
    return [
        reporter.pruned() if reporter.is_pruned else _complete(of_job, job, examples, chance, reporter)
        for job, reporter, of_job in zip(jobs, reporters, fitted, strict=True)
    ]


def _complete(fitted: Fitted, job: Job, examples: Examples, chance: np.ndarray, reporter: "Reporter") -> TrialEnd:
    objectives = job.settings.search.objectives
    further = validation_scores(fitted, job.settings.model, examples, scores_of(objectives))
    outcome = judge(fitted, examples.problem, objectives, chance, further)
    return TrialEnd("COMPLETE", outcome.values, reporter.reports, outcome.facts, reporter.stored)


def _fit(
    examples: Examples, jobs: list[Job], seeds: list[int], ends: list[Callable[[Epoch], bool]]
) -> Iterable[Fitted]:
    """Train, and with early stopping score the training rows only once, with the weights of the best epochs."""
    configurations = [(job.settings.model, _with_best_weights(job.settings)) for job in jobs]
    train = configurations[0][1]
    if not train.early_stopping or train.train_score_rows == 0:
        return fit_together(examples, configurations, seeds, ends)
    unscored = [(model, train.model_copy(update={"train_score_rows": 0})) for model, train in configurations]
    fitted = fit_together(examples, unscored, seeds, ends)
    return [
        with_train_scores(examples, *configuration, of_job)
        for configuration, of_job in zip(configurations, fitted, strict=True)
    ]


def _with_best_weights(settings: Settings) -> Train:
    """Return the training, which for a score keeps the weights of each seed's best epoch also where nothing stops."""
    train = settings.train
    if train.early_stopping or not scores_of(settings.search.objectives):
        return train
    return train.model_copy(update={"early_stopping": EarlyStopping(patience=train.epochs)})


class Reporter:
    """The pruner's view of one trial, which it compares with those of earlier generations; see `jobs.Job.ended`.

    Attributes:
        reports: see `TrialEnd`.
    """

    def __init__(self, job: Job, chance: np.ndarray):
        self.chance, self.reports, self.is_pruned = chance, dict[int, float](), False
        search, epochs = job.settings.search, job.settings.train.epochs
        self.period = -(-epochs // REPORTS)  # rounded up
        # The first trial is the default that all others are compared with, so it is never pruned.
        self.may_prune = job.number > 0 and len(search.objectives) == 1
        self.study = optuna.create_study(study_name=job.study, pruner=make_pruner(search, epochs))
        self.study.add_trials(job.ended)
        # Hyperband goes by a trial's number; what fills the numbers up counts for no pruner.
        for _ in range(job.number - len(job.ended)):
            self.study.add_trial(create_trial(state=TrialState.FAIL))
        self.trial = self.study.ask()

    @property
    def stored(self) -> dict[str, Any]:
        """Return what the pruner has stored with the trial."""
        return dict(self.study.get_trials(deepcopy=False)[-1].system_attrs)

    def ends_with(self, epoch: Epoch) -> bool:
        """Report an epoch to the pruner, now and then, and return whether the trial ends with it."""
        if epoch.number % self.period == 0 and epoch.number < epoch.of:
            self.reports[epoch.number] = float(np.minimum(epoch.lowest_loss, self.chance).mean())
            self.trial.report(self.reports[epoch.number], epoch.number)
            self.is_pruned = self.may_prune and self.trial.should_prune()
        return self.is_pruned or ends_when_abandoned(epoch)

    def pruned(self) -> TrialEnd:
        """Return what there is to say of the trial when it is pruned."""
        epoch, value = max(self.reports.items())
        facts = {"epochs": epoch, "value_so_far": value}
        return TrialEnd("PRUNED", None, self.reports, facts, self.stored)


def chance_level(examples: Examples) -> np.ndarray:
    """Return the validation loss of knowing nothing, which stands for a seed that never had a finite loss.

    Its shape is `[R]`, one loss for each seed; `[1]` where all seeds share it.
    """
    problem, loss = examples.problem, scores.METRICS[examples.problem.task][0]
    actual = examples.y[examples.val_rows]
    of_actual = None if examples.weights is None else examples.weights[examples.val_rows]
    nothing = outputs_of_nothing(examples)
    by_row = scores.by_row(problem.task, nothing[:, None] if problem.is_classification else nothing, actual)
    losses = scores.from_mean(loss, average(by_row[scores.row_score_of(loss)], of_actual))
    return losses * problem.target_scale


@dataclass(frozen=True)
class Outcome:
    """The outcome of a trial.

    Attributes:
        values: one for each objective.
        facts: plain data that is stored with the trial: each seed's value, means and standard deviations over the seeds
            of the scores at their best epochs, and the mean curve of the validation loss.
    """

    values: list[float]
    facts: dict[str, Any]


def judge(
    fitted: Fitted,
    problem: Problem,
    objectives: Sequence[Objective],
    chance: np.ndarray,
    further: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> Outcome:
    """Return the objectives and the facts of a finished training.

    Args:
        chance: see `chance_level`.
        further: see `validation_scores`.
    """
    loss, score = scores.METRICS[problem.task]
    best = at_best_epoch(fitted)
    best[f"validation_{loss}"] = np.where(best[f"validation_{loss}"].isna(), chance, best[f"validation_{loss}"])
    if f"train_{loss}" in best:  # a seed that counts as knowing nothing has no gap
        gap = scores.gap(loss, best[f"train_{loss}"], best[f"validation_{loss}"])
        best["gap"] = gap.where(np.isfinite(gap), 0.0)
    else:
        best["gap"] = math.nan
    best = best.assign(**{f"validation_{name}": values for name, values in further.items()})
    columns = {name: f"validation_{name}" for name in further} | {"cross_entropy": f"validation_{loss}", "gap": "gap"}
    reported = dict.fromkeys((f"validation_{loss}", f"validation_{score}", "gap", *columns.values()))
    means = {name: float(best[name].mean()) for name in reported}
    facts = {
        "per_seed": best[columns[objectives[0]]].tolist(),
        "best_epoch": _finite(best["epoch"].mean()),
        "epochs": int(fitted.history["epoch"].max()),
        "seed_epochs": len(fitted.history),
        "diverged": int(fitted.diverged.sum()),
        "curve": [_finite(value) for value in fitted.history.groupby("epoch")[f"validation_{loss}"].mean()],
        **{name: _finite(mean) for name, mean in means.items()},
        **{f"{name}_sd": scores.spread(best[name]) for name in means},
    }
    by_objective = {name: means[column] for name, column in columns.items()} | {"weights": float(fitted.weight_count)}
    return Outcome([by_objective[name] for name in objectives], facts | {"weights": fitted.weight_count})


def at_best_epoch(fitted: Fitted) -> pd.DataFrame:
    """Return a row per seed: its history at its best epoch, NaN where it has none."""
    best = pd.DataFrame({"seed": fitted.seeds, "epoch": fitted.best_epoch})
    return best.merge(fitted.history, how="left", on=["seed", "epoch"])


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
