"""Numbers that are written in another notation: how it is told, and that served rows are read alike."""

import json
from datetime import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.data import load as datasets
from pipeline.data.notation import find_notation, has_decimal_commas
from pipeline.data.prepare import prepare
from pipeline.errors import InputError
from pipeline.serving import apply, read_numbers
from pipeline.settings import Data, Read

CASES = Path(__file__).parent / "cases"


@pytest.fixture(autouse=True)
def empty_project(project):
    project()


def numbers(texts: list[str], read: Read = Read(), decimal_commas: bool = False) -> list[float] | None:  # noqa: B008
    column = pd.Series(texts)
    notation = find_notation(column, read, decimal_commas)
    return None if notation is None else read_numbers(column, notation).tolist()


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1,50", "-0,5", "3"], [1.5, -0.5, 3]),
        (["1,080", "12"], [1080, 12]),
        (["1,080", "12,5"], [1.08, 12.5]),
        (["1.080,50", "900"], [1080.5, 900]),
        (["$84,835.00", "$1.5", "-$3"], [84835, 1.5, -3]),
        (["51.8%", "5 %"], [51.8, 5]),
        (["7 €", "8,25 €"], [7, 8.25]),
        (["1,5e3", "2"], [1500, 2]),
        (["5%", "5"], None),
        (["1,2,3", "4,5"], None),
        (["1.2.2020", "3.4.2021"], None),
        (["a", "1,5"], None),
        (["00:12", "23:59:15", "6:30 pm", "12:15 am"], [0.2, 23.9875, 18.5, 0.25]),
        (["00:12", "24:01"], None),
        (["06:30", "7"], None),
    ],
)
def test_the_notation_is_told_from_all_values_of_a_column(texts, expected):
    assert numbers(texts) == (expected and pytest.approx(expected))


def test_the_settings_decide_where_the_values_do_not():
    assert numbers(["1,080"], Read(decimal=",")) == [1.08]
    assert numbers(["1.080"], Read(thousands=".")) == [1080]
    assert numbers(["1 080,5"], Read(decimal=",", thousands=" ")) == [1080.5]
    assert numbers(["1,50"], Read(decimal=".")) is None


def test_decimal_commas_of_one_column_decide_on_the_others():
    table = pd.DataFrame({"a": ["1,080", "2,000"], "b": ["1,5", "2,25"]})
    assert has_decimal_commas(table)
    assert not has_decimal_commas(table[["a"]])
    assert numbers(["1,080"], decimal_commas=True) == [1.08]


def test_a_point_is_no_decimal_mark_where_another_is_set():
    Path("t.csv").write_text("x;y\n" + "1.080;a\n2.500;b\n" * 6)
    read = {"decimal": ",", "thousands": "."}
    dataset = datasets.load(Data(source="t.csv", target="y", read=read))
    assert set(dataset.features["x"]) == {1080, 2500}


@pytest.mark.parametrize(
    ("name", "raw", "values"),
    [
        ("04_decimal_comma.tsv", {"x": ["0,20", "NA", 0.2]}, {"x": [0.2, np.nan, 0.2]}),
        ("05_thousands.csv", {"income": ["1,080", "1080", " "]}, {"income": [1080, 1080, np.nan]}),
        ("06_money_percent.csv", {"income": ["$1,600.00 "], "rate": ["63.5%"]}, {"income": [1600], "rate": [63.5]}),
        ("10_semicolon_decimal_comma.csv", {"x": ["0,21"], "z": ["1"]}, {"x": [0.21], "z": [1]}),
    ],
)
def test_served_rows_are_read_as_the_training_rows_were(name, raw, values):
    data = Data(source=str(CASES / name), target="y")
    dataset = datasets.load(data)
    assert set(dataset.kinds.values()) == {"number"}
    assert "text is read as numbers" in dataset.messages.notes[-1]
    preprocessing = json.loads(json.dumps(prepare(dataset, data).preprocessing))
    np.testing.assert_allclose(apply(preprocessing, pd.DataFrame(raw)), apply(preprocessing, pd.DataFrame(values)))
    wrong = pd.DataFrame(raw).astype(object)
    wrong.iloc[0, 0] = "1;5"
    with pytest.raises(ValueError, match="holds '1;5' in row 1, which is no number"):
        apply(preprocessing, wrong)


def test_a_target_in_another_notation_is_a_number():
    Path("t.csv").write_text("x,y\n" + "\n".join(f'{i},"${i},{i}00.50"' for i in range(1, 10)) + '\n0,"$1"\n')
    dataset = datasets.load(Data(source="t.csv", target="y"))
    assert dataset.target.tolist()[:2] == [1100.5, 2200.5]


def test_the_second_table_is_read_in_the_notation_of_the_first():
    Path("t.csv").write_text("x;y\n" + "1,50;a\n2,25;b\n" * 6)
    Path("more.csv").write_text("x;y\n1,080;a\n3;b\n")
    settings = {"source": "t.csv", "test_source": "more.csv", "target": "y"}
    assert datasets.load(Data(**settings)).features["x"].tolist()[-2:] == [1.08, 3]
    Path("more.csv").write_text("x;y\n1,080;a\nold;b\n")
    with pytest.raises(InputError, match=r"data.test_source: column 'x' holds 'old', which is no number"):
        datasets.load(Data(**settings))


def test_all_columns_that_cannot_be_used_are_told_of_at_once():
    dataset = datasets.load(Data(source=str(CASES / "27_three_text_ids.csv"), target="y"))
    assert [(code, column) for code, column, *_ in dataset.messages.found] == [("D002", "name"), ("D002", "ticket")]
    assert list(dataset.features) == ["when", "x"]
    Path("t.csv").write_text("a,b,y\n" + "".join(f"{i},{i}e300,{i % 2}\n".replace("7,", "?,") for i in range(400)))
    with pytest.raises(InputError, match=r"column 'a' holds .*; data.source: column 'b' holds infinity"):
        datasets.load(Data(source="t.csv", target="y"))


@pytest.mark.parametrize(
    ("name", "separator", "encoding"),
    [
        ("01_none_is_a_category.csv", ",", "utf-8"),
        ("02_na_is_a_category.csv", ",", "utf-8"),
        ("03_missing_number_tells_the_class.csv", ",", "utf-8"),
        ("04_decimal_comma.tsv", "\t", "utf-8"),
        ("05_thousands.csv", ",", "utf-8"),
        ("06_money_percent.csv", ",", "utf-8"),
        ("07_iso8601_T_dates.csv", ",", "utf-8"),
        ("08_two_digit_year_dates.csv", ",", "utf-8"),
        ("10_semicolon_decimal_comma.csv", ";", "utf-8"),
        ("11_semicolon_comma_in_a_name.csv", ";", "utf-8"),
        ("12_latin1.csv", ",", "cp1252"),
        ("28_blank_cell_in_numbers.csv", ",", "utf-8"),
    ],
)
@pytest.mark.parametrize("reading", [{"dtype": "str", "keep_default_na": False}, {}], ids=["cells", "pandas"])
def test_training_rows_that_are_served_give_the_same_features(name, separator, encoding, reading):
    data = Data(source=str(CASES / name), target="y")
    result = prepare(datasets.load(data), data)
    served = pd.read_csv(data.source, sep=separator, encoding=encoding, **reading)
    train = result.splits["train"]
    np.testing.assert_allclose(apply(result.preprocessing, served.iloc[train.numbers]), train.x, atol=1e-6)


def test_times_of_day_are_hours_with_a_note_and_when_served():
    table = pd.DataFrame({"at": [f"{i % 24:02}:{i * 7 % 60:02}" for i in range(60)], "y": ["a", "b"] * 30})
    table.loc[3, "at"] = ""
    table.to_csv("t.csv", index=False)
    data = Data(source="t.csv", target="y")
    prepared = prepare(datasets.load(data), data)
    assert "data.source: times of day are read as hours, such as '00:00' as 0, in column at" in prepared.notes
    assert prepared.summary.features == ["at", "at is missing"]
    [train] = [prepared.splits["train"]]
    rows = apply(prepared.preprocessing, table.iloc[train.numbers][["at"]])
    np.testing.assert_array_equal(rows, train.x)
    column = prepared.preprocessing["columns"][0]
    served = apply(prepared.preprocessing, pd.DataFrame({"at": ["18:30", time(18, 30), None]}))
    assert served[:2, 0] == pytest.approx((18.5 - column["center"]) / column["scale"], abs=1e-6)
    assert served[:, 1].tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match=r"column 'at' holds 'noon' in row 2, which is no number"):
        apply(prepared.preprocessing, pd.DataFrame({"at": ["18:30", "noon"]}))
