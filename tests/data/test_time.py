"""Splits that go by a column of times: `data.time`, from the file to the summary."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.data.load import load
from pipeline.data.prepare import Prepared, prepare
from pipeline.errors import InputError
from pipeline.params import parse_settings
from pipeline.settings import Data

N = 100
DAYS = pd.Series(pd.date_range("2024-01-25", periods=N, freq="D"))
ORDER = np.random.default_rng(0).permutation(N)  # of the rows in the file


@pytest.fixture
def table() -> pd.DataFrame:
    """Return a table whose rows stand in no order, with a date written day first."""
    x = np.random.default_rng(1).normal(size=N)
    return pd.DataFrame({"day": DAYS.dt.strftime("%d/%m/%Y"), "x": x, "y": x + np.arange(N) / N}).iloc[ORDER]


def prepared(table: pd.DataFrame, **settings: object) -> Prepared:
    table.to_csv("t.csv", index=False)
    data = Data(source="t.csv", **{"target": "y", "time": "day"} | settings)
    return prepare(load(data), data)


def test_the_latest_days_are_the_test_set_and_each_splits_range_is_told(folder, table):
    result = prepared(table)
    summary = result.summary
    assert (summary.time, summary.rows) == ("day", {"train": 64, "validation": 16, "test": 20})
    assert summary.time_range == {
        "train": ("2024-01-25", "2024-03-28"),
        "validation": ("2024-03-29", "2024-04-13"),
        "test": ("2024-04-14", "2024-05-03"),
    }
    days = {name: ORDER[split.numbers] for name, split in result.splits.items()}
    assert sorted(days["test"]) == list(range(80, 100)) and days["train"].max() < days["validation"].min()
    np.testing.assert_array_equal(result.splits["validation"].times, days["validation"])
    assert any("train from 2024-01-25 to 2024-03-28, validation from 2024-03-29" in note for note in result.notes)
    assert summary.findings == []  # and none about an order that the splits take no notice of


def test_the_column_is_a_feature_unless_it_is_dropped(folder, table):
    assert "day: month" in prepared(table).summary.features
    dropped = prepared(table, drop=["day"])
    assert dropped.summary.features == ["x"]
    assert any("data.time 'day', which is no feature" in note for note in dropped.notes)


def test_numbers_are_times_too(folder, table):
    result = prepared(table.assign(day=ORDER / 2))
    assert result.summary.time_range["test"] == ("40", "49.5")


def test_rows_without_a_target_leave_the_others_their_times(folder, table):
    result = prepared(table.assign(y=table["y"].where(table["x"] > -1)))
    latest = max(ORDER[split.numbers].max() for split in result.splits.values())
    assert ORDER[result.splits["test"].numbers].max() == latest
    assert ORDER[result.splits["train"].numbers].max() < ORDER[result.splits["validation"].numbers].min()


def test_a_share_that_equal_times_change_is_told(folder, table):
    result = prepared(table.assign(day=np.sort(np.arange(N) // 30)[ORDER]))
    assert result.summary.rows == {"train": 60, "validation": 30, "test": 10}
    assert "data.test_fraction 0.2 became 0.1, since rows of one time stay together" in result.notes
    assert "data.val_fraction 0.2 became 0.333, since rows of one time stay together" in result.notes


def test_whole_groups_are_split_by_their_latest_rows(folder, table):
    patient = np.random.default_rng(2).integers(0, 25, N)
    result = prepared(table.assign(patient=patient), group="patient", drop=["patient"])
    latest = pd.Series(ORDER).groupby(patient).max()
    of_split = {name: set(patient[split.numbers]) for name, split in result.splits.items()}
    assert sum(map(len, of_split.values())) == len(set(patient))
    assert latest[list(of_split["train"])].max() < latest[list(of_split["validation"])].min()
    assert latest[list(of_split["validation"])].max() < latest[list(of_split["test"])].min()
    rows = result.summary.rows
    assert any(f"became {rows['test'] / N:.3g}, since rows of one group stay together" in note for note in result.notes)
    # Whatever goes by the splits' times, such as the study, keeps groups together too.
    times = pd.Series(np.concatenate([split.times for split in result.splits.values()]))
    groups = np.concatenate([split.groups for split in result.splits.values()])
    assert times.groupby(groups).nunique().eq(1).all()


def test_with_a_test_set_of_its_own_only_validation_goes_by_time(folder, table):
    table.head(20).to_csv("own.csv", index=False)
    summary = prepared(table.tail(80), test_source="own.csv").summary
    assert summary.rows == {"train": 64, "validation": 16, "test": 20}
    assert summary.time_range["train"][1] < summary.time_range["validation"][0]


@pytest.mark.parametrize(
    ("column", "settings", "message"),
    [
        ({"day": lambda t: t["day"].where(t.x > -1)}, {}, r"data\.time 'day' is missing in 15 rows \(first in row 1\)"),
        ({"day": lambda t: ["ab"[i % 2] for i in range(N)]}, {}, r"data\.time must name a column of dates or numbers"),
        ({}, {"time": "when"}, r"data\.time: there is no column 'when'; the columns are day, x, y"),
        ({}, {"time": "y"}, r"data\.time names 'y', which is the column to predict"),
        ({"y": lambda t: np.where(ORDER < 80, "a", "b")}, {}, r"data\.time 'day' leaves 64 rows to train on.*'b'"),
    ],
)  # fmt: skip
def test_what_gives_no_order_is_refused(folder, table, column, settings, message):
    with pytest.raises(InputError, match=message):
        prepared(table.assign(**column), **settings)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"data": {"time": "day", "rare_classes": "train"}}, r"data\.rare_classes must be refuse or leave_out"),
        ({"data": {"time": "day"}, "search": {"folds": 5}}, r"search\.folds must be null with data\.time.*got 5"),
        ({"data": {"source": "digits", "time": "day"}}, r"data\.time names columns of a table, and data\.source"),
    ],
)  # fmt: skip
def test_settings_that_do_not_go_with_time_are_refused(folder: Path, sections, message):
    with pytest.raises(InputError, match=message):
        load(parse_settings(sections).data)
