"""Dates as features: which columns are dates, what the network sees of them, and that served rows are read alike."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.data import load as datasets
from pipeline.data.dates import find_date_order
from pipeline.data.prepare import Prepared, prepare
from pipeline.errors import InputError
from pipeline.serving import apply, read_dates
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
        (["2020-01-01T06:00:00Z", "2020-02-01T06:00:00.5+02:00"], ("DMY", True)),
        (["2020-01-31", "2020-02-01 12:00"], ("DMY", True)),
        (["1/31/20", "2/1/20"], ("MDY", True)),
        (["1/3/20", "2/1/20"], ("MDY", False)),
        (["1-3-2020", "2-1-2020"], ("DMY", False)),
        (["31/1/2020", "1/2/2020"], ("DMY", True)),
        (["31.01.2020 12:30", "01.02.2020 00:00"], ("DMY", True)),
        (["2020/01/31", "NA"], ("MDY", True)),
        (["2020-01-31"] * 9 + ["soon"], ("DMY", True)),
        (["2020-13-01", "2020-01-01"], None),
        (["3.11.7", "3.12.1"], None),
        (["1-2-20", "3-4-20"], None),
        (["2020-01-31", "soon"], None),
        (["555-12-34", "a"], None),
        (["12:30", "May"], None),
        ([1.5, 2.0], None),
    ],
)
def test_the_order_is_that_in_which_most_values_are_dates(texts, expected):
    assert find_date_order(pd.Series(texts)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-01-31", "2020-01-31"),
        ("2020/1/31 6:05", "2020-01-31T06:05"),
        ("2020-01-31t06:00:00.250z", "2020-01-31T06:00:00.250"),
        ("2020-01-31 06:00 +0530", "2020-01-31T00:30"),
        ("31.01.2020", "2020-01-31"),
        ("31.01.20", "2020-01-31"),
        ("31.1.2020, 18:05 Uhr", "2020-01-31T18:05"),
        ("31. Januar 2020", "2020-01-31"),
        ("1. März 1999", "1999-03-01"),
        ("5. Dez. 2021", "2021-12-05"),
        ("31/1/99", "1999-01-31"),
        ("31 Jan 2020", "2020-01-31"),
        ("31-OCT-20", "2020-10-31"),
        ("May 1st, 2020 12:05 AM", "2020-05-01T00:05"),
        ("Sept. 30, 2020 1:05:09 PM", "2020-09-30T13:05:09"),
        ("2020年1月31日", "2020-01-31"),
        ("2020年01月31日 12:30", "2020-01-31T12:30"),
        ("31.1.20", None),
        ("30. Februar 2020", None),
        ("20200131", None),
        ("Marble 3, 2020", None),
        (1577836800000, None),
        (None, None),
    ],
)
def test_dates_of_many_forms_are_read(text, expected):
    [read] = read_dates(pd.Series([text], dtype=object), "DMY")
    assert pd.isna(read) if expected is None else read == pd.Timestamp(expected, tz="UTC")


def test_forms_may_be_mixed_and_a_few_cells_no_dates():
    forms = ["2020-01-31", "31.01.2020", "31. Januar 2020", "31/1/2020 00:00", "2020年1月31日"] * 4
    rows = [f"{form},{'ab'[i % 2]},{i}" for i, form in enumerate([*forms, "unknown"])]
    Path("t.csv").write_text("\n".join(["when,y,x", *rows]), encoding="utf-8")
    result = prepared(source="t.csv", scaling="none")
    assert "1 cells of column 'when' are no dates, such as 'unknown', and count as missing" in result.notes[-1]
    served = apply(result.preprocessing, pd.DataFrame({"when": ["31. Jan 2020", "?", None], "x": [1, 1, 1]}))
    assert served[0, 1:4].tolist() == [2020, 1, 31]
    np.testing.assert_array_equal(served[1], served[2])


def test_a_doubt_about_day_and_month_is_told():
    Path("t.csv").write_text("when,y\n" + "1/2/2020,a\n2/2/2020,b\n" * 10)
    assert "for 2020-01-02, though day and month might be the other way round" in prepared(source="t.csv").notes[-1]


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
    with pytest.raises(ValueError, match=f"column '{column}' holds 'soon' in row 1, which is no date"):
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
    Path("more.csv").write_text("when,y\n31/1/20,a\n1/2/20,b\n")
    with pytest.raises(InputError, match=r"data.test_source: column 'when' holds '31/1/20', which is no date as"):
        prepared(source="t.csv", test_source="more.csv")
