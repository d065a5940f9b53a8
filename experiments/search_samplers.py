"""Who chooses a search's trials and who ends them early: Optuna's samplers and pruners by name."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial

from pipeline.params import Search

WORSE_TRIALS = 200


@contextmanager
def experimental() -> Iterator[None]:
    """Use what Optuna warns of as experimental although its documentation tells to: heartbeats, qmc, pictures."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


class _TPE(TPESampler):
    """Optuna's TPE (Bergstra et al. 2011), to which trials long past are no burden.

    TPE weighs a density of the best trials, a tenth of them and at most 25, against a density of all others, in which
    the old ones have the least weight. Here that is of the latest `WORSE_TRIALS`: Optuna's own looks at every one of
    them for every parameter, and takes twice as long to choose the 500th trial as the 50th. Until there are more, both
    draw the same.
    """

    # A private method, since TPE has no public one between its trials and its densities.
    def _build_parzen_estimator(
        self, study: optuna.Study, space: dict[str, BaseDistribution], trials: list[FrozenTrial], handle_below: bool
    ):
        counted = trials if handle_below else trials[-WORSE_TRIALS:]
        return super()._build_parzen_estimator(study, space, counted, handle_below)


def make_sampler(
    search: Search, number: int = 0, before: optuna.samplers.BaseSampler | None = None
) -> optuna.samplers.BaseSampler:
    """The sampler of one trial.

    Each trial's has a seed of its own, so that it matters neither which worker draws nor whether the search was
    interrupted before.

    Args:
        before: the sampler of an earlier trial of the study.
    """
    seed = search.sampler_seed * 1_000_003 + number
    samplers = optuna.samplers
    makers = {
        "tpe": lambda: _TPE(seed=seed),
        "random": lambda: samplers.RandomSampler(seed=seed),
        # One sequence for all trials.
        "qmc": lambda: samplers.QMCSampler(
            seed=search.sampler_seed, independent_sampler=samplers.RandomSampler(seed=seed)
        ),
        "cmaes": lambda: samplers.CmaEsSampler(seed=seed % 2**31),
        "nsga2": lambda: samplers.NSGAIISampler(seed=seed),
        # The queue has the grid's points, so nothing is left to draw.
        "grid": lambda: samplers.RandomSampler(seed=seed),
    }
    with experimental():
        made = makers[search.sampler]()
    if isinstance(made, TPESampler) and isinstance(before, TPESampler):
        # Which parameters all trials have, as far as they were looked at; a new one would go through every trial again.
        made._search_space = before._search_space
    return made


def make_pruner(search: Search, epochs: int) -> optuna.pruners.BasePruner:
    """The pruner by name; its steps are epochs."""
    pruners = optuna.pruners
    return {
        "none": pruners.NopPruner,
        "median": lambda: pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=epochs // 10),
        "successive_halving": lambda: pruners.SuccessiveHalvingPruner(min_resource=max(1, epochs // 10)),
        "hyperband": lambda: pruners.HyperbandPruner(min_resource=max(1, epochs // 10), max_resource=epochs),
    }[search.pruner]()
