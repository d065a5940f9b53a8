"""Weights of rows, `data.weight`: from the file to the prepared splits and the scores to beat."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, root_mean_squared_error

from pipeline.data.load import load
from pipeline.data.prepare import Prepared, prepare
from pipeline.errors import InputError
from pipeline.settings import Data

N = 120


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=N)
    return pd.DataFrame({"x": x, "w": rng.gamma(2, 1, N), "y": x + rng.normal(size=N)})


def prepared(table: pd.DataFrame, **settings: object) -> Prepared:
    table.to_csv("t.csv", index=False)
    data = Data(source="t.csv", **{"target": "y", "weight": "w"} | settings)
    return prepare(load(data), data)


def test_each_row_has_its_weight_which_is_no_feature(folder, table):
    result = prepared(table)
    assert (result.summary.features, result.summary.weight) == (["x"], "w")
    for split in result.splits.values():
        np.testing.assert_allclose(split.weights, table["w"][split.numbers], rtol=1e-6)


def test_the_scores_to_beat_are_weighted_as_scikit_learn_weighs_them(folder, table):
    result = prepared(table)
    train, test = result.splits["train"], result.splits["test"]
    mean = np.average(table["y"][train.numbers], weights=train.weights)
    expected = root_mean_squared_error(
        table["y"][test.numbers], np.full(len(test), mean), sample_weight=table["w"][test.numbers]
    )
    assert result.summary.mean_rmse["test"] == pytest.approx(expected, rel=1e-5)


def test_the_most_frequent_class_is_that_of_the_largest_weight(folder, table):
    classes = np.where(np.arange(N) % 3 == 0, "rare", "common")
    result = prepared(table.assign(y=classes, w=np.where(classes == "rare", 10.0, 1.0)))
    test = result.splits["test"]
    right = accuracy_score(classes[test.numbers], np.full(len(test), "rare"), sample_weight=test.weights)
    assert result.summary.majority_share["test"] == pytest.approx(right)
    assert result.summary.class_counts["test"]["rare"] < result.summary.class_counts["test"]["common"]


def test_rows_that_weigh_nothing_are_left_out_with_a_note(folder, table):
    result = prepared(table.assign(w=table["w"].where(np.arange(N) % 4 > 0, 0)))
    assert sum(result.summary.rows.values()) == 90
    assert "rows of data.weight 'w' 0 are left out: 30 of 120" in result.notes
    assert all((split.numbers % 4 > 0).all() for split in result.splits.values())


def test_a_test_set_of_its_own_has_its_weights_too(folder, table):
    table.head(20).to_csv("own.csv", index=False)
    split = prepared(table.tail(100), test_source="own.csv").splits["test"]
    np.testing.assert_allclose(split.weights, table["w"].head(20), rtol=1e-6)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (lambda w: w.where(w.index != 4), r"data\.weight 'w' is missing in 1 rows \(first in row 5\)"),
        (lambda w: w.mask(w.index == 2, -1), r"data\.weight 'w' is below 0 in 1 rows \(first in row 3\)"),
        (lambda w: w.mask(w.index == 2, np.inf), r"column 'w' holds infinity"),
        (lambda w: 0 * w, r"data\.weight 'w' is 0 in all rows"),
        (lambda w: np.where(w > 1, "much", "little"), r"data\.weight must name a column of numbers; 'w' holds text"),
    ],
)
def test_what_is_no_weight_is_refused(folder: Path, table, weights, message):
    with pytest.raises(InputError, match=message):
        prepared(table.assign(w=weights(table["w"])))


def test_the_column_must_be_there_and_not_be_the_target(folder: Path, table):
    with pytest.raises(InputError, match=r"data\.weight: there is no column 'v'"):
        prepared(table, weight="v")
    with pytest.raises(InputError, match=r"data\.weight names 'y', which is the column to predict"):
        prepared(table, weight="y")
