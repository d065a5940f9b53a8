"""Tables in Excel workbooks: which sheet, and cells of several types in one column."""

from datetime import datetime

import pandas as pd
import pytest

from pipeline.data import load as datasets
from pipeline.errors import InputError
from pipeline.settings import Data

ROWS = range(12)
TABLE = pd.DataFrame({"x": [i / 4 for i in ROWS], "y": ["no", "yes"] * 6})


@pytest.fixture(autouse=True)
def empty_project(project):
    project()


def load(table: pd.DataFrame, target: str = "y", header: bool = True, **data: object) -> datasets.Dataset:
    table.to_excel("t.xlsx", index=False, header=header)
    return datasets.load(Data(source="t.xlsx", target=target, **data))


def test_the_first_sheet_is_read_with_a_note_and_others_by_name_or_number():
    with pd.ExcelWriter("t.xlsx") as book:
        for name, factor in (("2023", 1), ("2024", 10)):
            TABLE.assign(x=TABLE["x"] * factor).to_excel(book, sheet_name=name, index=False)
    first = datasets.load(Data(source="t.xlsx", target="y"))
    assert first.features["x"].max() == 2.75
    assert "of its sheets '2023', '2024' the first is read; data.read.sheet" in first.messages.notes[0]
    for sheet in (2, "2024"):
        second = datasets.load(Data(source="t.xlsx", target="y", read={"sheet": sheet}))
        assert second.features["x"].max() == 27.5
        assert not second.messages.notes
    for sheet in (3, "2025"):
        with pytest.raises(InputError, match=r"data.read.sheet must be one of '2023', '2024', or their number; got"):
            datasets.load(Data(source="t.xlsx", target="y", read={"sheet": sheet}))


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, 2.5, None] * 4, "number", {1, 2.5}),
        (["1", "2"] * 6, "number", {1, 2}),
        ([1, "NA", 3.5] * 4, "number", {1, 3.5}),
        ([1, "2,50", 3] * 4, "number", {1, 2.5, 3}),
        ([True, False, None] * 4, "boolean", {0, 1}),
        (["NA", "low", "high"] * 4, "text", {"NA", "low", "high"}),
        ([1, 2, "3 or more"] * 4, "text", {"1", "2", "3 or more"}),
        ([datetime(2020, 1, day) for day in range(1, 13)], "date", None),
    ],
)
def test_a_column_is_told_from_its_cells(values, kind, expected):
    dataset = load(TABLE.assign(z=values))
    assert dataset.kinds["z"] == kind
    assert expected is None or set(dataset.features["z"].dropna()) == expected


def test_numbers_are_names_where_the_settings_say_so():
    dataset = load(TABLE.assign(zip=[1067, 20095, None] * 4), kinds={"zip": "category"})
    assert set(dataset.features["zip"].dropna()) == {"1067", "20095"}


def test_a_sheet_without_names_says_so():
    dataset = load(TABLE, target="column_2", header=False)
    assert len(dataset) == 12
    assert "it has no row of names" in dataset.messages.warnings[0]


def test_empty_rows_and_columns_around_the_table_are_passed_over():
    TABLE.to_excel("t.xlsx", index=False, startrow=3, startcol=2)
    dataset = datasets.load(Data(source="t.xlsx", target="y"))
    assert list(dataset.features) == ["x"]
    assert len(dataset) == 12
    assert not dataset.messages.warnings


def test_an_empty_sheet_is_refused():
    with pytest.raises(InputError, match="its sheet 'Sheet1' is empty"):
        load(TABLE.head(0), header=False)
