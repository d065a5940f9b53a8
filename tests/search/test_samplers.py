"""Which trials a sampler draws."""

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.samplers import BaseSampler, TPESampler

from experiments.search.samplers import BEST, LATEST, make_sampler
from pipeline.settings import Search

X = {"x": FloatDistribution(0, 1)}


def draw(sampler: BaseSampler, tried: list[np.ndarray]) -> float:
    """Return what comes after the trials at these places; the lowest value is at 0.5."""
    study = optuna.create_study(sampler=sampler)
    for x in np.concatenate(tried):
        trial = optuna.trial.create_trial(params={"x": x}, distributions=X, value=abs(x - 0.5))
        study.add_trial(trial)
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
    search = Search(sampler_seed=0)
    assert draw(make_sampler(search, seed), [late, best]) == draw(TPESampler(seed=seed), [late, best])


def test_trials_long_past_are_no_burden_to_tpe(best, late):
    past = [np.linspace(0.47, 0.48, 225), np.linspace(0.52, 0.53, 225)]  # either side of the best
    ours = [draw(make_sampler(Search(sampler_seed=0), 3), [early, late, best]) for early in past]
    assert ours[0] == ours[1]
    optunas = [draw(TPESampler(seed=3), [early, late, best]) for early in past]
    assert optunas[0] != optunas[1]
