"""The record of an arm, beside its scores."""

import pytest

from experiments.study.arms import BASELINE
from tests.study.made_up import baseline, records_by_name


def test_rows_that_carry_a_difference_are_named_by_their_number_in_the_source(scored):
    base = baseline(scored)
    losses = base.loss_rows.copy()
    losses[..., 3] -= 9
    losses[..., 199] -= 5
    influence = records_by_name([base, scored("a", losses)])["a"].influence
    assert influence.rows[:2] == [504, 940]
    assert influence.differences[:2] == pytest.approx([-9, -5])
    assert influence.without == pytest.approx(0)


def test_seeds_that_collapse_now_and_then_are_told_with_their_range(scored, pool):
    steady = records_by_name([baseline(scored)])[BASELINE]
    assert steady.seeds_range is None
    losses = baseline(scored).loss_rows.copy()
    losses[pool.ring.judges == 4] = 0.7
    low, high = records_by_name([scored(BASELINE, losses, group=BASELINE, reference=None)])[BASELINE].seeds_range
    assert low < 0.5 < high == pytest.approx(0.7)
