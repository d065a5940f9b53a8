"""Optuna's samplers and pruners by name: a sampler chooses a trial's parameters, a pruner ends a trial early."""

import heapq
import warnings
from collections.abc import Container, Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState

from pipeline.settings import Search

BEST, LATEST = 25, 225  # how many of the best and of the latest other trials TPE looks at


@contextmanager
def experimental() -> Iterator[None]:
    """Silence Optuna's warnings of features that are experimental and yet recommended: heartbeats, qmc, pictures."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


class _TPE(TPESampler):
    """Optuna's TPE (Bergstra et al. 2011), limited to the best and the latest trials so that it stays fast.

    TPE weighs a density of the best trials, a tenth of them and at most `BEST`, against a density of all others, in
    which the old ones have the least weight. Here those others are only the latest `LATEST`. Optuna's own sampler goes
    through all trials for every parameter, and takes twice as long to choose the 500th trial as the 50th. Both draw the
    same until there are more trials than these, and with two objectives.
    """

    seen: optuna.Study

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw the parameters that all trials have; Optuna calls this first for each trial."""
        self.seen = _Part(study) if len(study.directions) == 1 else study
        return super().sample_relative(self.seen, trial, search_space)

    def sample_independent(self, study: optuna.Study, *of_parameter: Any) -> Any:
        """Draw a parameter that only some trials have."""
        return super().sample_independent(self.seen, *of_parameter)


class _Part(optuna.Study):
    """A view of a study with fewer trials, as Optuna's Hyperband pruner shows its sampler one.

    Its trials are chosen once for a new trial, so no parameter of that depends on what other workers do meanwhile. All
    its other attributes are the study's own, so it has no need of `Study.__init__`.
    """

    def __init__(self, study: optuna.Study):
        self.study = study
        trials = study.get_trials(deepcopy=False)
        finished = [trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
        complete = [trial for trial in finished if trial.state == TrialState.COMPLETE]
        best = heapq.nsmallest(BEST, complete, key=lambda trial: trial.values[0])
        are_best = {trial.number for trial in best}
        latest = [trial for trial in finished if trial.number not in are_best][-LATEST:]
        running = [trial for trial in trials if trial.state == TrialState.RUNNING]
        self.shown = sorted(best + latest + running, key=lambda trial: trial.number)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.study, name)

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        return [trial for trial in self.shown if states is None or trial.state in states]


def make_sampler(
    search: Search, number: int = 0, before: optuna.samplers.BaseSampler | None = None
) -> optuna.samplers.BaseSampler:
    """Return the sampler of one trial.

    Each trial has a sampler with its own seed, so that it matters neither which worker draws nor whether the search was
    interrupted before.

    Args:
        number: the trial's.
        before: the sampler of an earlier trial of the study.
    """
    seed = search.sampler_seed * 1_000_003 + number
    samplers = optuna.samplers
    makers = {
        "tpe": lambda: _TPE(seed=seed),
        "random": lambda: samplers.RandomSampler(seed=seed),
        # All trials draw from one quasi-random sequence, so its seed is the same for all.
        "qmc": lambda: samplers.QMCSampler(
            seed=search.sampler_seed, independent_sampler=samplers.RandomSampler(seed=seed)
        ),
        "cmaes": lambda: samplers.CmaEsSampler(seed=seed % 2**31),
        "nsga2": lambda: samplers.NSGAIISampler(seed=seed),
        # The queue holds the grid's points, so nothing is left to draw.
        "grid": lambda: samplers.RandomSampler(seed=seed),
    }
    with experimental():
        sampler = makers[search.sampler]()
    if isinstance(sampler, TPESampler) and isinstance(before, TPESampler):
        # The earlier sampler knows which parameters all trials have; a new one would go through every trial again.
        sampler._search_space = before._search_space
    return sampler


def make_pruner(search: Search, epochs: int) -> optuna.pruners.BasePruner:
    """Return the pruner that the settings name; its steps are epochs."""
    pruners = optuna.pruners
    return {
        "none": pruners.NopPruner,
        "median": lambda: pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=epochs // 10),
        "successive_halving": lambda: pruners.SuccessiveHalvingPruner(min_resource=max(1, epochs // 10)),
        "hyperband": lambda: pruners.HyperbandPruner(min_resource=max(1, epochs // 10), max_resource=epochs),
    }[search.pruner]()
