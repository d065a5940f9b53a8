"""The examples that tests of the trainer share."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits

from pipeline.data.examples import Examples, Problem, Split
from tests.training.runs import DIGITS


@pytest.fixture(scope="module")
def digits() -> Examples:
    x, y = load_digits(return_X_y=True)
    x, y = (x / 16).astype(np.float32), y.astype(np.int32)
    # 250 rows: the last of the batches of 64 is not full.
    return Examples.of_splits(DIGITS, Split(x=x[:250], y=y[:250]), Split(x=x[250:350], y=y[250:350]))


@pytest.fixture(scope="module")
def diabetes() -> Examples:
    x, y = load_diabetes(return_X_y=True)
    x, y = (x * 20).astype(np.float32), ((y - y.mean()) / y.std()).astype(np.float32)
    problem = Problem("regression", n_features=10, n_outputs=1, target_scale=77.0)
    parts = [Split(x=x[a:b], y=y[a:b]) for a, b in ((0, 300), (300, 400))]
    return Examples.of_splits(problem, *parts)
