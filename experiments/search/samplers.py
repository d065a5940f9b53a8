"""Optuna's samplers and pruners by name: a sampler chooses a trial's parameters, a pruner ends a trial early."""

import heapq
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.trial import FrozenTrial, TrialState

from pipeline.settings import Search

optuna.logging.set_verbosity(optuna.logging.ERROR)  # its lines are about studies in memory too

BEST, LATEST = 25, 225  # how many of the best and of the latest other trials TPE looks at


@contextmanager
def experimental() -> Iterator[None]:
    """Silence Optuna's warnings of features that are experimental and yet recommended, such as qmc and pictures."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def make_sampler(search: Search, number: int) -> optuna.samplers.BaseSampler:
    """Return the sampler of the trial of this number.

    Each trial has a sampler with its own seed, so that it does not matter whether the search was interrupted before.
    """
    seed = search.sampler_seed * 1_000_003 + number
    samplers = optuna.samplers
    makers = {
        "tpe": lambda: samplers.TPESampler(seed=seed),
        "random": lambda: samplers.RandomSampler(seed=seed),
        # All trials draw from one quasi-random sequence, so its seed is the same for all.
        "qmc": lambda: samplers.QMCSampler(
            seed=search.sampler_seed, independent_sampler=samplers.RandomSampler(seed=seed)
        ),
        "cmaes": lambda: samplers.CmaEsSampler(seed=seed % 2**31),
        "nsga2": lambda: samplers.NSGAIISampler(seed=seed),
        # All parameters of the grid's points are fixed, so nothing is left to draw.
        "grid": lambda: samplers.RandomSampler(seed=seed),
    }
    with experimental():
        return makers[search.sampler]()


def looked_at(trials: list[FrozenTrial], search: Search) -> list[FrozenTrial]:
    """Return the trials that the sampler of the next ones looks at.

    TPE (Bergstra et al. 2011) weighs a density of the best trials, a tenth of them and at most `BEST`, against a
    density of all others, in which the old ones have the least weight. Here those others are only the latest `LATEST`,
    since it goes through all of them for every parameter, and would take longer with every trial.
    """
    if search.sampler != "tpe" or len(search.objectives) > 1:
        return trials
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    best = {trial.number for trial in heapq.nsmallest(BEST, complete, key=lambda trial: trial.values[0])}
    others = [trial for trial in trials if trial.number not in best and trial.state != TrialState.FAIL]
    latest = {trial.number for trial in others[-LATEST:]}
    return [trial for trial in trials if trial.number in best | latest]


def make_pruner(search: Search, epochs: int) -> optuna.pruners.BasePruner:
    """Return the pruner that the settings name; its steps are epochs."""
    pruners = optuna.pruners
    return {
        "none": pruners.NopPruner,
        "median": lambda: pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=epochs // 10),
        "successive_halving": lambda: pruners.SuccessiveHalvingPruner(min_resource=max(1, epochs // 10)),
        "hyperband": lambda: pruners.HyperbandPruner(min_resource=max(1, epochs // 10), max_resource=epochs),
    }[search.pruner]()
