"""How often the intervals of a study hold the truth, and how often it finds what is not there. `make reference`.

Networks of random hidden units, whose outputs are fitted by least squares, are trained on hundreds of pools in seconds;
their seeds differ as those of trained networks do. `experiments.benchmarks.judging` does the same with Keras models.
"""

import numpy as np
import pytest

from pipeline.statistics.comparisons import estimates, judge
from pipeline.statistics.intervals import SIGNIFICANCE
from pipeline.statistics.ring import Ring, draw_ring

pytestmark = pytest.mark.reference

POOLS, NEW_ROWS, FEATURES = 160, 600, 6
# Of each arm the hidden units, the penalty, and how far its seeds are from those of the baseline.
ARMS = {
    "baseline": (40, 1.0, 0),
    "null": (40, 1.0, 1000),
    "null 2": (40, 1.0, 2000),
    "fewer units": (20, 1.0, 0),
    "more units": (60, 1.0, 0),
    "less penalty": (40, 0.3, 0),
    "more penalty": (40, 3.0, 0),
}
IS_NULL = np.array([name.startswith("null") for name in ARMS if name != "baseline"])


def draw(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose target is a smooth function of the features, with noise of heavy tails."""
    x = rng.normal(size=(rows, FEATURES))
    target = np.sin(x[:, 0] * 1.5) + x[:, 1] * x[:, 2] + np.abs(x[:, 3]) + 0.3 * rng.standard_t(5, rows)
    return x, target


def hidden(x: np.ndarray, units: int, seed: int) -> np.ndarray:
    """Return what random hidden units make of the rows, `[n, units + 1]`; the last one is constant."""
    rng = np.random.default_rng(seed)
    outputs = np.tanh(x @ rng.normal(size=(FEATURES, units)) * 0.7 + rng.normal(size=units))
    return np.concatenate([outputs, np.ones((len(x), 1))], axis=1)


def trained(ring: Ring, pool: tuple, new: tuple, arm: tuple[int, float, int], first: int) -> tuple[np.ndarray, float]:
    """The squared error of every row by the seeds that held it out, `[rings, 2, n]`, and the mean one on new rows."""
    (x, y), (new_x, new_y), (units, penalty, away) = pool, new, arm
    losses, truth = np.full(ring.judges.shape, np.nan), []
    for seed in range(ring.seeds):
        inputs = hidden(x, units, first + seed + away)
        rows = ring.trained_on(seed)
        design = inputs[rows]
        weights = np.linalg.solve(design.T @ design + penalty * np.eye(units + 1), design.T @ y[rows])
        errors = np.square(inputs @ weights - y)
        losses = np.where(ring.judges == seed, errors, losses)
        truth.append(np.square(hidden(new_x, units, first + seed + away) @ weights - new_y).mean())
    return losses, float(np.mean(truth))


# With 200 rows the networks differ so much that the raised design effects make the intervals wider than need be.
@pytest.mark.parametrize(
    ("rows", "seeds", "most"), [(200, 10, 0.99), (600, 10, 0.98), (1000, 10, 0.98), (600, 5, 0.98), (600, 20, 0.98)]
)
def test_intervals_hold_the_truth_and_nothing_is_found_where_nothing_is(rows, seeds, most):
    new = draw(np.random.default_rng(1), NEW_ROWS)
    differences, truths, rings = [], [], []
    for number in range(POOLS):
        pool = draw(np.random.default_rng([number, 2]), rows)
        ring = draw_ring(rows, [100 * number + k for k in range(seeds)])
        losses, truth = zip(*(trained(ring, pool, new, arm, 10_000 * number) for arm in ARMS.values()), strict=True)
        differences.append(np.stack(losses)[1:] - losses[0])
        truths.append(np.array(truth)[1:] - truth[0])
        rings.append(ring)
    expected = np.where(IS_NULL, 0, np.mean(truths, axis=0))
    covered, false, any_false = [], [], []
    for ring, values in zip(rings, differences, strict=True):
        results = estimates(list(values), ring)
        intervals = [each.interval() for each in results]
        covered.append([each.low <= truth <= each.high for each, truth in zip(intervals, expected, strict=True)])
        verdicts = judge(results, [None] * len(results))
        false.append([each.p < SIGNIFICANCE for each in verdicts])
        any_false.append(any(np.array([each.p_adjusted for each in verdicts])[IS_NULL] < SIGNIFICANCE))
    coverage = np.mean(covered, axis=0)
    print(f"{rows} rows, {seeds} seeds: coverage {coverage.round(3)}, mean {coverage.mean():.3f}")
    print(f"false positives {np.mean(false, axis=0)[IS_NULL]}, one or more after Holm {np.mean(any_false):.3f}")
    assert 0.92 <= coverage.mean() <= most
    assert np.mean(false, axis=0)[IS_NULL].mean() <= 0.07
    assert np.mean(any_false) <= 0.07
