"""Dates as features: which columns are dates, what the network sees of them, and that served rows are read alike."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.data import load as datasets
from pipeline.data.dates import find_date_format
from pipeline.data.prepare import Prepared, prepare
from pipeline.errors import InputError
from pipeline.serving import apply
from pipeline.settings import Data

CASES = Path(__file__).parent / "cases"


@pytest.fixture(autouse=True)
def empty_project(project):
    project()


def prepared(**settings: object) -> Prepared:
    data = Data(target="y", **settings)
    return prepare(datasets.load(data), data)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["2020-01-01T06:00:00Z", "2020-02-01T06:00:00.5+02:00"], "ISO8601"),
        (["2020-01-31", "2020-02-01 12:00"], "ISO8601"),
        (["1/31/20", "2/1/20"], "%m/%d/%y"),
        (["31/1/2020", "1/2/2020"], "%d/%m/%Y"),
        (["31.01.2020 12:30", "01.02.2020 00:00"], "%d.%m.%Y %H:%M"),
        (["2020/01/31", "NA"], "%Y/%m/%d"),
        (["2020-13-01", "2020-01-01"], None),
        (["3.11.7", "3.12.1"], None),
        (["2020-01-31", "soon"], None),
        (["555-12-34", "a"], None),
        ([1.5, 2.0], None),
    ],
)
def test_the_format_is_one_that_fits_all_values(texts, expected):
    assert find_date_format(pd.Series(texts)) == expected


@pytest.mark.parametrize(
    ("name", "column", "parts"),
    [
        ("07_iso8601_T_dates.csv", "when", ["year", "month", "day of year", "weekday"]),
        ("08_two_digit_year_dates.csv", "Dt_Customer", ["year", "month", "day of year", "weekday"]),
    ],
)
def test_a_date_is_a_few_numbers_and_served_rows_are_read_alike(name, column, parts):
    result = prepared(source=str(CASES / name), scaling="none")
    assert result.summary.features == ["x", *(f"{column}: {part}" for part in parts)]
    assert "holds dates" in result.notes[-1]
    raw = pd.read_csv(CASES / name)
    x = apply(json.loads(json.dumps(result.preprocessing)), raw)
    first = pd.to_datetime(raw[column], format="ISO8601" if "T" in raw[column][0] else "%m/%d/%y")
    np.testing.assert_array_equal(x[:, 1], first.dt.year)
    np.testing.assert_array_equal(x[:, 3], first.dt.day_of_year)
    train = result.splits["train"]
    np.testing.assert_allclose(train.x, x[train.numbers])
    with pytest.raises(ValueError, match=f"column '{column}' holds 'soon', which is no date"):
        apply(result.preprocessing, raw.assign(**{column: "soon"}))


def test_hours_and_missing_dates_have_features_where_there_are_any():
    when = pd.date_range("2020-01-01 05:00", periods=24, freq="7h").to_series().where(np.arange(24) % 5 > 0)
    pd.DataFrame({"when": when.to_numpy(), "y": ["a", "b"] * 12}).to_parquet("t.parquet")
    result = prepared(source="t.parquet")
    assert result.summary.features[-2:] == ["when: hour", "when is missing"]
    raw = pd.DataFrame({"when": [None, "2020-01-03T04:00:00Z", pd.Timestamp("2020-01-03 04:00")]})
    x = apply(result.preprocessing, raw)
    assert x[:, -1].tolist() == [1, 0, 0]
    np.testing.assert_array_equal(x[1], x[2])
    assert prepared(source="t.parquet", missing="median").summary.features[-1] == "when: hour"


def test_a_second_table_with_another_way_to_write_dates_is_refused():
    Path("t.csv").write_text("when,y\n" + "1/31/20,a\n2/1/20,b\n" * 10)
    Path("more.csv").write_text("when,y\n31.1.20,a\n1.2.20,b\n")
    with pytest.raises(InputError, match=r"data.test_source: column 'when' holds '31.1.20', which is no date as"):
        prepared(source="t.csv", test_source="more.csv")
