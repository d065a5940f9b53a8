"""Every row judges twice, by two seeds that did not train on it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.statistics.ring import Ring, draw_ring, ring_in_time
from pipeline.statistics.weights import over_judges

ROWS = 103  # not a multiple of the folds


def ring_of(seeds: int, groups: np.ndarray | None = None, rows: int = ROWS) -> Ring:
    return draw_ring(rows, list(range(1000, 1000 + seeds)), groups)


def times_held_out(ring: Ring) -> np.ndarray:
    """Count how many seeds hold each row out, `[n]`."""
    held = [np.union1d(ring.held_out(seed, 0), ring.held_out(seed, 1)) for seed in range(ring.seeds)]
    return np.bincount(np.concatenate(held), minlength=ring.n)


@pytest.mark.parametrize(("seeds", "folds", "rings"), [(5, 5, 1), (7, 7, 1), (10, 10, 1), (20, 10, 2), (30, 10, 3)])
def test_in_whole_rings_every_row_judges_twice_in_each(seeds, folds, rings):
    ring = ring_of(seeds)
    assert (ring.folds, len(ring.fold)) == (folds, rings)
    assert (times_held_out(ring) == 2 * rings).all()
    assert (ring.judges >= 0).all()
    assert (ring.judges[:, 0] != ring.judges[:, 1]).all()


@pytest.mark.parametrize(("seeds", "most"), [(1, 1), (3, 2), (12, 4)])
def test_with_other_numbers_of_seeds_some_rows_judge_less_often(seeds, most):
    ring = ring_of(seeds)
    counts = times_held_out(ring)
    assert counts.max() == most
    assert np.array_equal(counts, (ring.judges >= 0).sum(axis=(0, 1)))
    assert all(len(ring.held_out(seed, role)) for seed in range(seeds) for role in range(2))


@pytest.mark.parametrize("seeds", [1, 3, 5, 10, 12, 20])
def test_no_seed_trains_on_a_row_that_it_judges(seeds):
    ring = ring_of(seeds)
    for seed in range(seeds):
        parts = [ring.trained_on(seed), ring.held_out(seed, 0), ring.held_out(seed, 1)]
        assert sorted(np.concatenate(parts)) == list(range(ring.n))


def test_the_second_fold_of_a_seed_is_the_first_of_the_next_and_the_last_is_followed_by_the_first():
    ring = ring_of(20)
    for seed in range(20):
        following = seed + 1 if (seed + 1) % 10 else seed - 9
        np.testing.assert_array_equal(ring.held_out(seed, 1), ring.held_out(following, 0))


def test_folds_differ_by_at_most_a_row():
    for fold in ring_of(20).fold:
        assert set(np.bincount(fold)) == {10, 11}


def test_folds_do_not_know_the_classes():
    """Stratified folds would judge on the class shares that were trained on, which new rows do not have."""
    classes = np.arange(200) % 2
    shares = [classes[ring_of(10, rows=200).held_out(seed, 0)].mean() for seed in range(10)]
    assert np.std(shares) > 0.05


def test_rings_are_independent_and_each_depends_on_its_first_seed():
    both = draw_ring(ROWS, [*range(10), *range(50, 60)])
    assert not np.array_equal(*both.fold)
    np.testing.assert_array_equal(both.fold[1:], draw_ring(ROWS, range(50, 60)).fold)
    np.testing.assert_array_equal(both.fold[:1], draw_ring(ROWS, [0, *range(90, 99)]).fold)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 12), st.integers(3, 40))
def test_a_group_is_never_both_trained_on_and_held_out(seed, seeds, count):
    rng = np.random.default_rng(seed)
    groups = np.concatenate([np.arange(count), rng.integers(0, count, 80)])
    ring = draw_ring(len(groups), list(range(seed, seed + seeds)), groups)
    for each in range(seeds):
        parts = [set(groups[rows]) for rows in (ring.trained_on(each), ring.held_out(each, 0), ring.held_out(each, 1))]
        assert all(parts)
        assert sum(map(len, parts)) == len(np.unique(groups))


def test_fewer_groups_than_folds_make_as_many_folds():
    groups = np.arange(ROWS) % 4
    ring = ring_of(10, groups)
    assert (ring.folds, len(ring.fold)) == (4, 3)
    assert (times_held_out(ring) >= 4).all()


def test_too_few_groups_are_told_with_the_setting():
    with pytest.raises(InputError, match=r"data\.group has 2 different values .* the study needs 3"):
        ring_of(10, np.arange(ROWS) % 2)


def test_too_few_rows_are_told_with_the_setting():
    with pytest.raises(InputError, match=r"the study needs 20 .*there are 19: lower data\.test_fraction"):
        ring_of(10, rows=19)
    assert ring_of(5, rows=19).n == 19


def test_values_of_seeds_come_back_as_the_means_of_their_rows():
    ring = ring_of(12)
    values = np.random.default_rng(0).normal(size=12)
    np.testing.assert_allclose(ring.by_seed(ring.by_row(np.stack([values, values]))), values)
    by_role = ring.by_row(np.stack([values, 10 * values]))
    first, second = ring.held_out(3, 0), ring.held_out(3, 1)
    assert (by_role[0, 0, first] == values[3]).all()
    assert (by_role[0, 1, second] == 10 * values[3]).all()
    assert np.isnan(by_role[ring.judges < 0]).all()


def test_a_row_that_several_seeds_judge_has_their_mean():
    ring = ring_of(12)
    values = ring.by_row(np.arange(24.0).reshape(2, 12))
    found = over_judges(values)
    row = ring.held_out(0, 1)[0]
    assert found[row] == pytest.approx(np.nanmean(values[..., row]))
    assert np.isnan(over_judges(np.full_like(values, np.nan))).all()


def test_rows_that_may_not_judge_leave_the_mean_of_a_seed_to_the_others():
    ring = ring_of(5)
    values = np.broadcast_to(np.arange(ring.n, dtype=float), ring.judges.shape).copy()
    values[..., ring.held_out(0, 1)] = np.nan
    found = ring.by_seed(values)
    assert found[0] == pytest.approx(ring.held_out(0, 0).mean())
    assert found[1] == pytest.approx(ring.held_out(1, 1).mean())
    values[..., ring.held_out(0, 0)] = np.nan
    assert np.isnan(ring.by_seed(values)[0])


def in_time(seeds: int, folds: int = 6, rows: int = ROWS) -> Ring:
    """Return a ring of rows in the order of time, the earlier half of which is the last fold."""
    later = np.arange(rows - rows // 2) * (folds - 1) // (rows - rows // 2)
    return ring_in_time(np.concatenate([np.full(rows // 2, folds - 1), folds - 2 - later]), seeds)


@pytest.mark.parametrize("seeds", [1, 4, 6, 8])
def test_in_time_a_seed_trains_before_what_stops_it_and_that_comes_before_what_judges_it(seeds):
    ring = in_time(seeds)
    assert len(ring.fold) == -(-seeds // 4)
    for seed in range(seeds):
        judging, stopping, trained = ring.held_out(seed, 0), ring.held_out(seed, 1), ring.trained_on(seed)
        assert trained.max() < stopping.min() and stopping.max() < judging.min()
        assert len(trained) == stopping.min()
        np.testing.assert_array_equal(np.flatnonzero((ring.judges == seed).any(axis=(0, 1))), judging)
    assert (ring.judges[:, 1] == -1).all()
    assert not ring.may_judge[: ring.held_out(seeds - 1 if seeds < 4 else 3, 0).min()].all()
    assert set((ring.judges >= 0).sum(axis=(0, 1))) <= {0, 1, 2}
