"""Which rows the seeds of a trial train and validate on."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris, load_wine

from experiments.search.rows import cross_validated, data_digests, describe_folds, read_examples
from pipeline.data.examples import Examples, Problem, Split
from pipeline.data.splits import read_summary
from pipeline.errors import InputError
from pipeline.settings import Settings

IRIS = Problem("classification", n_features=4, n_outputs=3)


def splits(loader: Callable = load_iris, train_rows: int = 100, groups: np.ndarray | None = None) -> list[Split]:
    """A training and a validation part, in random order."""
    x, y = loader(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x, y = np.float32(x[order]), (np.int32 if loader is not load_diabetes else np.float32)(y[order])
    parts = slice(None, train_rows), slice(train_rows, None)
    return [Split(x[part], y[part], None if groups is None else groups[part]) for part in parts]


def judged(examples: Examples) -> list[set[int]]:
    return [set(rows) for rows in examples.val_rows]


def test_every_row_validates_one_seed_and_trains_the_others():
    examples = cross_validated(IRIS, *splits(train_rows=150), folds=5, seeds=[0, 1, 2, 3, 4])
    assert sorted(examples.val_rows.ravel()) == list(range(150))
    for trained, held_out in zip(examples.train_rows, judged(examples), strict=True):
        assert {*trained} | held_out == set(range(150))
        assert not {*trained} & held_out


def test_folds_are_of_training_and_validation_rows_together():
    train, validation = splits()
    examples = cross_validated(IRIS, train, validation, folds=3, seeds=[7, 8, 9])
    assert (examples.x == np.concatenate([train.x, validation.x])).all()
    for rows in (*examples.train_rows, *examples.val_rows):
        assert rows.min() < len(train) <= rows.max()


def test_seed_trains_on_no_more_rows_than_the_training_split_has():
    examples = cross_validated(IRIS, *splits(train_rows=30), folds=5, seeds=[0, 1])
    assert examples.train_rows.shape == (2, 30)
    assert examples.val_rows.shape == (2, 30)


@pytest.mark.parametrize("seeds", [[0], [0, 1], [0, 1, 2, 3, 4, 5, 6]])
def test_seeds_take_the_folds_in_turn_however_many_they_are(seeds):
    folds = judged(cross_validated(IRIS, *splits(), folds=3, seeds=[0, 1, 2]))
    examples = cross_validated(IRIS, *splits(), folds=3, seeds=seeds)
    assert judged(examples) == [folds[number % 3] for number in range(len(seeds))]


def test_first_seed_draws_the_folds():
    one, other = (judged(cross_validated(IRIS, *splits(), folds=3, seeds=seeds)) for seeds in ([0, 1, 2], [1, 0, 2]))
    assert one != other


def test_every_row_of_a_smaller_fold_judges_and_some_twice():
    examples = cross_validated(Problem("classification", 13, 3), *splits(load_wine), folds=3, seeds=[0, 1, 2])
    assert sorted(len(rows) for rows in judged(examples)) == [59, 59, 60]
    assert examples.val_rows.shape == (3, 60)


def test_groups_stay_whole():
    groups = np.int32(np.random.default_rng(0).choice(12, 150))
    examples = cross_validated(IRIS, *splits(groups=groups), folds=4, seeds=[0, 1, 2, 3])
    for trained, held_out in zip(examples.train_rows, examples.val_rows, strict=True):
        assert not {*groups[trained]} & {*groups[held_out]}
    assert set.union(*judged(examples)) == set(range(150))


def test_regression_has_folds_of_any_targets():
    problem = Problem("regression", 10, 1, target_scale=77.0)
    examples = cross_validated(problem, *splits(load_diabetes, 300), folds=2, seeds=[0, 1])
    assert set.union(*judged(examples)) == set(range(442))
    assert examples.problem.target_scale == 77.0


def test_too_few_rows_or_groups_are_told():
    groups = np.int32(np.arange(150) % 3)
    with pytest.raises(InputError, match=r"search.folds 4 needs as many different values of data.group .* there are 3"):
        cross_validated(IRIS, *splits(groups=groups), folds=4, seeds=[0])
    with pytest.raises(InputError, match=r"search.folds 76 needs 152 training and validation rows, .* there are 150"):
        cross_validated(IRIS, *splits(), folds=76, seeds=[0])


def test_without_folds_all_seeds_validate_on_the_validation_rows(search_settings: Callable[..., Settings]):
    summary = read_summary()
    examples = read_examples(data_digests(summary), search_settings().search)
    train, validation = summary.rows["train"], summary.rows["validation"]
    assert examples.val_rows.tolist() == [list(range(train, train + validation))]


@pytest.mark.parametrize(
    ("seeds", "told"),
    [
        (3, "validates on one of 3 folds of the 150 training and validation rows"),
        (2, "; with 2 of search.seeds only 2 of the folds validate"),
    ],
)
def test_folds_that_no_seed_validates_on_are_told(seeds, told):
    examples = cross_validated(IRIS, *splits(), folds=3, seeds=list(range(seeds)))
    line = describe_folds(examples, seeds, folds=3)
    assert line.startswith("each seed of a trial trains on 100 rows and ")
    assert line.endswith(told)
