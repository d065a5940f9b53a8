"""Which rows go where."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.partition import partition, stratified_order
from pipeline.errors import InputError
from pipeline.settings import Data

STRATA = np.repeat([0, 1, 2], [100, 60, 40])


def test_every_row_is_in_one_split():
    rows = partition(STRATA, Data())
    assert sorted(np.concatenate(list(rows.values()))) == list(range(200))
    assert {name: len(index) for name, index in rows.items()} == {"train": 128, "validation": 32, "test": 40}


def test_each_split_has_each_classs_share_up_to_a_row():
    for name, index in partition(STRATA, Data(split_seed=3)).items():
        share = np.bincount(STRATA[index]) / len(index)
        assert share == pytest.approx([0.5, 0.3, 0.2], abs=1.5 / len(index)), name


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(0, 1000))
def test_every_prefix_of_a_stratified_order_is_stratified(strata, seed):
    strata = np.array(strata)
    order = stratified_order(strata, np.random.default_rng(seed))
    assert sorted(order) == list(range(len(strata)))
    counts = np.bincount(strata, minlength=4)
    for length in range(1, len(strata) + 1):
        found = np.bincount(strata[order[:length]], minlength=4)
        assert (np.abs(found - counts * length / len(strata)) <= 2).all()


@given(st.floats(0.05, 1), st.floats(0.05, 1), st.integers(0, 1000))
def test_a_smaller_train_fraction_takes_a_subset_and_leaves_the_rest_alone(one, other, seed):
    small, large = (partition(STRATA, Data(train_fraction=share, split_seed=seed)) for share in sorted((one, other)))
    assert set(small["train"]) <= set(large["train"])
    assert np.array_equal(small["validation"], large["validation"])
    assert np.array_equal(small["test"], large["test"])


def test_the_split_follows_from_the_seed():
    first, again, other = (partition(STRATA, Data(split_seed=seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["test"], other["test"])


@given(st.lists(st.integers(0, 9), min_size=30, max_size=80), st.integers(0, 1000))
def test_a_group_is_never_in_two_splits(groups, seed):
    groups = np.array([*groups, 0, 1, 2])
    strata = np.arange(len(groups)) % 2
    rows = partition(strata, Data(split_seed=seed), groups)
    kinds = [set(groups[index]) for index in rows.values()]
    assert all(kinds)
    assert sum(map(len, kinds)) == len(set(groups))


def test_groups_are_chosen_to_keep_shares_and_classes():
    groups = np.random.default_rng(0).integers(0, 40, 200)
    rows = partition(STRATA, Data(test_fraction=0.25), groups)
    assert len(rows["test"]) == pytest.approx(50, abs=4)
    assert np.bincount(STRATA[rows["test"]]) == pytest.approx([25, 15, 10], abs=4)


def test_an_official_test_set_is_kept_as_it_is():
    rows = partition(STRATA, Data(test_fraction=0.5), test_rows=30)
    assert rows["test"].tolist() == list(range(170, 200))
    assert len(rows["validation"]) == 34


def test_a_fraction_of_zero_makes_an_empty_split():
    rows = partition(STRATA, Data(test_fraction=0.0, val_fraction=0.0))
    assert {name: len(index) for name, index in rows.items()} == {"train": 200, "validation": 0, "test": 0}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"test_fraction": 0.001}, "data.test_fraction 0.001 of 200 rows leaves none"),
        ({"val_fraction": 0.001}, "data.val_fraction 0.001 of 160 rows leaves none"),
        ({"test_fraction": 0.999}, "data.test_fraction 0.999 of 200 rows leaves nothing else"),
        ({"train_fraction": 0.001}, "data.train_fraction 0.001 of 128 training rows leaves none"),
    ],
)
def test_a_fraction_that_leaves_a_split_empty_is_refused(setting, message):
    with pytest.raises(InputError, match=message):
        partition(STRATA, Data(**setting))


def test_too_few_groups_are_refused():
    with pytest.raises(InputError, match=r"data.group has 2 different values for 3 splits"):
        partition(STRATA, Data(), np.arange(200) % 2)


TIMES = np.random.default_rng(0).permutation(200)


def test_in_time_the_test_rows_are_the_latest_and_the_validation_rows_the_latest_of_the_rest():
    rows = partition(STRATA, Data(time="day"), times=TIMES)
    assert {name: len(index) for name, index in rows.items()} == {"train": 128, "validation": 32, "test": 40}
    assert TIMES[rows["train"]].max() < TIMES[rows["validation"]].min()
    assert TIMES[rows["validation"]].max() < TIMES[rows["test"]].min()
    assert all((np.diff(index) > 0).all() for index in rows.values())


@given(st.lists(st.integers(0, 9), min_size=20, max_size=80), st.floats(0.1, 0.5), st.floats(0.1, 0.5))
def test_rows_of_one_time_are_never_divided(times, test_fraction, val_fraction):
    times = np.array([0, 1, 2, *times])
    data = Data(time="day", test_fraction=test_fraction, val_fraction=val_fraction)
    try:
        rows = partition(np.zeros(len(times), int), data, times=times)
    except InputError as error:
        assert "have one time alone" in str(error)
        return
    train, validation, test = (times[rows[name]] for name in ("train", "validation", "test"))
    assert train.max() < validation.min() and validation.max() < test.min()
    assert len(train) + len(validation) + len(test) == len(times)


def test_a_boundary_within_one_time_moves_to_its_nearer_side():
    shares = [partition(np.zeros(10, int), Data(time="day", test_fraction=0.3), times=np.repeat([0, 1, 2, 3], counts))
              for counts in ([3, 2, 1, 4], [3, 3, 3, 1])]  # fmt: skip
    assert [len(rows["test"]) for rows in shares] == [4, 4]


def test_in_time_a_smaller_train_fraction_takes_the_latest_of_a_larger_one():
    small, large = (partition(STRATA, Data(time="day", train_fraction=share), times=TIMES) for share in (0.25, 0.5))
    assert len(small["train"]) == 32 and set(small["train"]) < set(large["train"])
    left_out = set(large["train"]) - set(small["train"])
    assert TIMES[small["train"]].min() > TIMES[[*left_out]].max()


def test_with_an_official_test_set_only_the_validation_rows_go_by_time():
    rows = partition(STRATA, Data(time="day"), test_rows=30, times=TIMES)
    assert rows["test"].tolist() == list(range(170, 200))
    assert TIMES[rows["train"]].max() < TIMES[rows["validation"]].min()


def test_rows_of_one_time_alone_cannot_be_split():
    with pytest.raises(InputError, match=r"data\.time 'day': the 200 rows that data\.test_fraction .* have one time"):
        partition(STRATA, Data(time="day"), times=np.zeros(200, int))
