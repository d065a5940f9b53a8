"""Seeds that predict together, judged by the rows that all of them hold out."""

from itertools import combinations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss

from experiments.study.ensemble import Members
from experiments.study.outputs import held_out_outputs
from experiments.study.rows import pooled
from pipeline.data.examples import Problem, Split
from pipeline.settings import Model, Train
from pipeline.training.trainer import fit_together


def members_of(seeds: int) -> Members:
    """Return so many trained seeds of a study of 200 rows in ten classes."""
    x, y = load_digits(return_X_y=True)
    x, y, model = (x / 16).astype(np.float32), y.astype(np.int32), Model(hidden_units=(16,))
    rows = pooled(
        Split(x[:150], y[:150]), Split(x[150:200], y[150:200]), list(range(seeds)), Problem("classification", 64, 10)
    )
    train = Train(epochs=15, batch_size=16, learning_rate=0.01, train_score_rows=0)
    [fitted] = fit_together(rows.examples(), [(model, train)], list(range(seeds)))
    return Members(rows, held_out_outputs(model, rows, fitted), np.zeros((seeds, 0, 10)))


def loss_together(members: Members, holders: int, judged: np.ndarray) -> float:
    """Return the loss of so many holders of a row together by scikit-learn, a mean over the sets that all judge it."""
    p = softmax(members.held_out.reshape(-1, *members.held_out.shape[2:]).astype(float), axis=-1)
    is_held_out = (members.rows.ring.judges >= 0).reshape(len(p), -1)
    by_row = []
    for row in np.flatnonzero(judged):
        sets = combinations(np.flatnonzero(is_held_out[:, row]), holders)
        by_row.append(np.mean([-np.log(p[list(one), row].mean(axis=0)[members.rows.y[row]]) for one in sets]))
    return float(np.mean(by_row))


@pytest.mark.parametrize(("seeds", "sizes"), [(10, [2]), (13, [2, 3, 4]), (20, [2, 3, 4])])
def test_each_seed_more_is_judged_by_the_rows_that_so_many_hold_out(seeds, sizes):
    members = members_of(seeds)
    steps, holders = members.steps(), (members.rows.ring.judges >= 0).sum(axis=(0, 1))
    assert [step.members for step in steps] == sizes
    for step in steps:
        judged = holders >= step.members
        fewer, together = (loss_together(members, size, judged) for size in (step.members - 1, step.members))
        assert step.loss == pytest.approx(together)
        assert step.gain.mean == pytest.approx(fewer - together)
        assert step.gain.low < step.gain.mean < step.gain.high


def test_each_seed_more_brings_less_down_to_the_loss_of_the_mean_probabilities_of_all():
    members = members_of(20)
    p, steps = softmax(members.held_out.astype(float), axis=-1).mean(axis=(0, 1)), members.steps()
    assert steps[0].gain.mean > steps[1].gain.mean > steps[2].gain.mean > 0
    assert steps[-1].loss == pytest.approx(log_loss(members.rows.y, p))
