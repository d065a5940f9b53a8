"""Which trials a sampler draws."""

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from experiments.search.samplers import BEST, LATEST, looked_at, make_sampler
from pipeline.settings import Search

X = {"x": FloatDistribution(0, 1)}
TPE = Search(sampler="tpe", sampler_seed=0)


def tried(*places: np.ndarray) -> list[FrozenTrial]:
    """Return trials at these places; the lowest value is at 0.5."""
    study = optuna.create_study()
    study.add_trials(create_trial(params={"x": x}, distributions=X, value=abs(x - 0.5)) for x in np.concatenate(places))
    return study.trials


def draw(sampler: BaseSampler, trials: list[FrozenTrial]) -> float:
    """Return what comes after these trials."""
    study = optuna.create_study(sampler=sampler)
    study.add_trials(trials)
    return study.ask(X).params["x"]


@pytest.fixture
def best() -> np.ndarray:
    """Return as many trials as TPE takes for good ones."""
    return np.linspace(0.49, 0.51, BEST)


@pytest.fixture
def late() -> np.ndarray:
    return np.linspace(0.2, 0.45, LATEST)


@pytest.mark.parametrize("seed", range(3))
def test_tpe_is_optunas_as_long_as_trials_are_few(best, late, seed):
    trials = tried(late, best)
    assert draw(make_sampler(TPE, seed), looked_at(trials, TPE)) == draw(TPESampler(seed=seed), trials)


def test_trials_long_past_are_no_burden_to_tpe(best, late):
    past = [np.linspace(0.47, 0.48, 225), np.linspace(0.52, 0.53, 225)]  # either side of the best
    ours = [draw(make_sampler(TPE, 3), looked_at(tried(early, late, best), TPE)) for early in past]
    assert ours[0] == ours[1]
    optunas = [draw(TPESampler(seed=3), tried(early, late, best)) for early in past]
    assert optunas[0] != optunas[1]


def test_tpe_looks_at_pruned_trials_and_not_at_failed_ones(best):
    study = optuna.create_study()
    study.add_trials(tried(best))
    study.add_trials([create_trial(state=TrialState.PRUNED), create_trial(state=TrialState.FAIL)])
    assert [trial.number for trial in looked_at(study.trials, TPE)] == list(range(BEST + 1))


@pytest.mark.parametrize("sampler", ["nsga2", "cmaes"])
def test_other_samplers_look_at_all_trials(best, late, sampler):
    trials = tried(late, late, best)
    assert looked_at(trials, Search(sampler=sampler)) == trials


@pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes", "nsga2"])
def test_each_trial_has_a_seed_of_its_own(sampler):
    search = Search(sampler=sampler, sampler_seed=5)
    drawn = [draw(make_sampler(search, number), []) for number in (1, 2, 1)]
    assert drawn[0] == drawn[2] != drawn[1]
