"""The rows that a seed of a study trains on, and those that it holds out to judge by."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from experiments.study.rows import Rows, knowing_nothing, pooled, read_rows
from pipeline.data.examples import Problem, Split
from pipeline.data.splits import read_split, read_summary, split_file
from pipeline.errors import InputError
from pipeline.files import write_arrays

SEEDS = list(range(1000, 1010))


@pytest.fixture
def rows(digits_project) -> Rows:
    return read_rows(SEEDS, read_summary())


def rewrite(name: str, **changes: np.ndarray) -> None:
    write_arrays(split_file(name), read_split(name).arrays | changes)


def shortened(name: str, count: int) -> None:
    write_arrays(split_file(name), {key: value[:count] for key, value in read_split(name).arrays.items()})


def test_every_row_of_the_pool_judges_twice_and_each_seed_trains_on_as_many_as_the_training_split(rows):
    assert rows.train.shape == (10, 1150)
    assert len(rows.y) == 1150 + 288
    held = [rows.held_out(role) for role in range(2)]
    for role in held:
        assert sorted(np.concatenate(role)) == list(range(len(rows.y)))
    for seed, train in enumerate(rows.train):
        parts = (train, held[0][seed], held[1][seed])
        assert len(set(np.concatenate(parts))) == sum(map(len, parts))


def test_what_validates_is_the_second_fold_and_the_holdout_the_first(rows):
    examples = rows.examples()
    for seed in range(10):
        assert set(examples.val_rows[seed]) <= set(rows.ring.held_out(seed, 1))
        assert set(examples.holdout_rows[seed]) <= set(rows.ring.held_out(seed, 0))
    # Folds differ by a row.
    assert examples.val_rows.shape == examples.holdout_rows.shape == (10, 143)


def test_a_smaller_training_set_is_a_part_of_a_larger_one_with_every_class(rows):
    few = rows.examples(train_rows=20).train_rows
    np.testing.assert_array_equal(few, rows.train[:, :20])
    assert all(len(set(rows.y[of_seed])) == 10 for of_seed in few)


def test_rows_are_known_by_their_number_in_the_source_and_by_what_the_search_did_with_them(rows):
    train, validation = read_split("train"), read_split("validation")
    assert rows.numbers.tolist() == [*train.numbers, *validation.numbers]
    assert rows.searched.tolist() == [False] * len(train) + [True] * len(validation)
    everything = read_rows(SEEDS, read_summary(), cross_validated_search=True)
    assert everything.searched.all()
    np.testing.assert_array_equal(everything.train, rows.train)


@pytest.mark.parametrize(("labels", "share"), [("wrong", 0.2), ("shuffled", 0.9)])
def test_only_the_training_rows_get_other_labels(rows, labels, share):
    examples, true = rows.examples(labels=labels), rows.examples()
    np.testing.assert_array_equal(examples.x[examples.train_rows], true.x[true.train_rows])
    changed = (examples.y[examples.train_rows] != true.y[true.train_rows]).mean()
    assert changed == pytest.approx(share, abs=0.03)
    for other in ("val_rows", "holdout_rows"):
        ours, theirs = getattr(examples, other), getattr(true, other)
        np.testing.assert_array_equal(examples.x[ours], true.x[theirs])
        np.testing.assert_array_equal(examples.y[ours], true.y[theirs])


def test_knowing_nothing_is_near_the_entropy_of_the_classes_and_finite_for_a_class_never_seen(rows):
    scores = knowing_nothing(rows, read_split("test"))
    for split in ("holdout", "test"):
        assert scores[split]["cross_entropy"] == pytest.approx(np.log(10), abs=0.01)
        assert scores[split]["accuracy"] == pytest.approx(0.1, abs=0.03)
    unseen = replace(rows, y=np.where(np.isin(np.arange(len(rows.y)), rows.train[0]), 0, rows.y).astype(np.int32))
    assert np.isfinite(unseen.knowing_nothing()).all()
    assert np.isfinite(unseen.floor["cross_entropy"]).all()


def test_knowing_nothing_of_an_unequal_table_is_the_entropy_of_its_shares():
    y = np.repeat([0, 1], [850, 150]).astype(np.int32)
    split = Split(np.zeros((1000, 2), np.float32), y)
    scores = knowing_nothing(pooled(split, split, SEEDS, Problem("classification", 2, 2)), split)
    assert scores["holdout"]["cross_entropy"] == pytest.approx(stats.entropy([0.85, 0.15]), rel=0.01)
    assert scores["holdout"]["accuracy"] == scores["test"]["accuracy"] == pytest.approx(0.85)


def test_knowing_nothing_of_a_regression_is_the_spread_of_its_target(diabetes_project):
    summary = read_summary()
    rows = read_rows(SEEDS, summary)
    scores = knowing_nothing(rows, read_split("test"))
    assert scores["holdout"]["rmse"] == pytest.approx(np.std(rows.y) * summary.target_scale, rel=0.02)
    assert scores["holdout"]["r2"] == pytest.approx(0, abs=0.03)
    assert rows.variance == pytest.approx(np.var(rows.y) * summary.target_scale**2)


def test_without_test_rows_nothing_is_told_of_them(rows):
    assert list(knowing_nothing(rows, Split(rows.x[:0], rows.y[:0]))) == ["holdout"]


def test_rows_of_a_group_stay_in_one_part(digits_project):
    for name, first in (("train", 0), ("validation", 1000)):
        rewrite(name, groups=first + np.arange(len(read_split(name)), dtype=np.int32) // 4)
    rows = read_rows(SEEDS, read_summary())
    groups = rows.ring.groups
    for seed in range(10):
        parts = [set(groups[part]) for part in (rows.train[seed], *(rows.held_out(role)[seed] for role in range(2)))]
        assert len(set.union(*parts)) == sum(map(len, parts))


def test_of_a_pool_much_larger_than_the_training_split_a_part_is_drawn(digits_project):
    shortened("train", 50)
    rows = read_rows(SEEDS, read_summary())
    assert (len(rows.y), rows.train.shape) == (250, (10, 50))
    validation = read_split("validation")
    known = {row.tobytes() for row in np.concatenate([read_split("train").x, validation.x])}
    assert all(row.tobytes() in known for row in rows.x)
    of_search = rows.x[rows.searched]
    assert {row.tobytes() for row in of_search} <= {row.tobytes() for row in validation.x}
    # Each class keeps its share.
    shares = np.bincount(rows.y) / len(rows.y)
    everything = np.bincount(np.concatenate([read_split("train").y, validation.y]))
    np.testing.assert_allclose(shares, everything / everything.sum(), atol=0.01)


def test_too_few_rows_are_refused(digits_project):
    shortened("train", 10)
    shortened("validation", 5)
    with pytest.raises(InputError, match=r"the study needs 20 training and validation rows.*there are 15"):
        read_rows(SEEDS, read_summary())
