"""Which rows a seed of a study trains on, chooses on and judges on."""

import numpy as np
import pytest

from experiments.study_data import Rows, read_rows
from pipeline.errors import InputError
from pipeline.files import write_arrays
from pipeline.params import Study
from pipeline.splits import read_split, read_summary, split_file

SEEDS = [1000, 1001, 1002]


@pytest.fixture
def rows(digits_project) -> Rows:
    return read_rows(Study(), SEEDS, read_summary())


def parts(rows: Rows, seed: int) -> list[np.ndarray]:
    return [rows.train[seed], rows.val[seed], rows.holdout[seed]]


def test_each_seed_has_parts_of_its_own_that_share_no_row(rows):
    for seed in range(3):
        assert sorted(np.concatenate(parts(rows, seed))) == list(range(len(rows.y)))
    assert set(rows.holdout[0]) != set(rows.holdout[1])
    assert [part.shape[1] for part in (rows.train, rows.val, rows.holdout)] == [1150, 144, 144]


def test_a_smaller_training_set_is_a_part_of_a_larger_one_with_every_class(rows):
    few = rows.examples(train_rows=20).train_rows
    np.testing.assert_array_equal(few, rows.train[:, :20])
    assert all(len(set(rows.y[own])) == 10 for own in few)


def test_seeds_share_the_prepared_split_where_nothing_is_split_again(digits_project):
    rows = read_rows(Study(resplit=False), SEEDS, read_summary())
    assert sorted(rows.train[0]) == list(range(1150))
    assert len(rows.train) == len(rows.holdout) == 1
    assert rows.overlap == 0
    assert len(rows.chance(3)) == 3


def test_overlap_is_of_judging_rows_to_the_others_of_the_pool(rows):
    assert rows.overlap == pytest.approx(144 / (1150 + 144))


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


def test_chance_is_near_the_entropy_of_the_classes(rows):
    np.testing.assert_allclose(rows.chance(3), np.log(10), atol=0.01)


def test_chance_of_a_regression_is_the_spread_of_its_target(diabetes_project):
    summary = read_summary()
    rows = read_rows(Study(), SEEDS, summary)
    np.testing.assert_allclose(rows.chance(3), summary.target_scale, rtol=0.25)


def test_rows_of_a_group_stay_in_one_part(digits_project):
    group_of = {}
    for name in ("train", "validation"):
        split = read_split(name)
        groups = np.arange(len(split), dtype=np.int32) // 4
        write_arrays(split_file(name), {"x": split.x, "y": split.y, "groups": groups})
        group_of |= {row.tobytes(): group for row, group in zip(split.x, groups, strict=True)}
    rows = read_rows(Study(), SEEDS, read_summary())
    for seed in range(3):
        train, val, holdout = ({group_of[row.tobytes()] for row in rows.x[part]} for part in parts(rows, seed))
        assert not train & val and not train & holdout and not val & holdout


def test_no_more_rows_are_held_than_there_are_to_train_on(digits_project):
    split = read_split("train")
    write_arrays(split_file("train"), {"x": split.x[:100], "y": split.y[:100]})
    rows = read_rows(Study(), SEEDS, read_summary())
    assert [part.shape[1] for part in (rows.train, rows.val, rows.holdout)] == [100, 50, 50]
    # Of the pool of 388 rows each seed draws 200.
    assert set(rows.train[0]) != set(rows.train[1])
    assert rows.overlap == pytest.approx(50 / 338)


def test_too_few_validation_rows_are_refused(digits_project):
    split = read_split("validation")
    write_arrays(split_file("validation"), {"x": split.x[:3], "y": split.y[:3]})
    with pytest.raises(InputError, match=r"at least 4 validation rows.*there are 3: raise data\.val_fraction"):
        read_rows(Study(), SEEDS, read_summary())
