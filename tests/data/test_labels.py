"""Labels and categories in several spellings: what counts as the same, in training, in a test table and when served."""

import numpy as np
import pandas as pd
import pytest

from pipeline.data.dataset import Dataset
from pipeline.data.load import load
from pipeline.data.prepare import prepare
from pipeline.serving import apply
from pipeline.settings import Data

TABLE = pd.DataFrame(
    {"x": range(24), "city": ["Ulm", "Bonn", "ULM"] * 8, "y": ["yes", "no", " YES", "no", "yes", "No "] * 4}
)


@pytest.fixture(autouse=True)
def empty_project(project):
    project()
    TABLE.to_csv("t.csv", index=False)


def notes(dataset: Dataset) -> str:
    return " | ".join(dataset.messages.notes)


def test_labels_that_differ_in_case_or_blanks_alone_are_one_class():
    dataset = load(Data(source="t.csv", target="y"))
    assert dataset.target.value_counts().to_dict() == {"yes": 12, "no": 12}
    assert "differ in case or blanks alone are one class, 'No' as 'no', 'YES' as 'yes'; data.kinds" in notes(dataset)
    assert "labels" not in notes(load(Data(source="t.csv", target="city", drop=["y"], kinds={"city": "category"})))


def test_labels_are_kept_apart_where_the_settings_or_the_file_say_so():
    data = Data(source="t.csv", target="y", kinds={"y": "category"})
    assert set(load(data).target) == {"yes", "YES", "no", "No"}
    assert ("D012", None) in {(one.code, one.column) for one in prepare(load(data), data).findings}
    TABLE.astype({"y": "category"}).to_parquet("t.parquet")
    assert load(Data(source="t.parquet", target="y")).target.nunique() == 4


def test_labels_of_the_test_table_count_as_those_of_the_source():
    TABLE.assign(y=["no", "yes"] * 12).to_csv("t.csv", index=False)
    TABLE.assign(y=["NO", "Yes"] * 12).to_csv("more.csv", index=False)
    dataset = load(Data(source="t.csv", test_source="more.csv", target="y"))
    assert set(dataset.target) == {"yes", "no"}
    assert "data.test_source: labels of the target that differ in case or blanks alone" in notes(dataset)


def test_a_category_of_another_spelling_is_that_category_when_served():
    TABLE.assign(city=["Bad  Ems", "Bonn", "Bonn"] * 8).to_csv("t.csv", index=False)
    data = Data(source="t.csv", target="y")
    result = prepare(load(data), data)
    served = pd.DataFrame({"x": 1, "city": ["Bad  Ems", "bad ems ", "BONN", "Bonn", "Paris"]})
    [city] = [column for column in result.preprocessing["columns"] if column["name"] == "city"]
    rows = apply({"kind": "table", "columns": [city]}, served)
    np.testing.assert_array_equal(rows, [[1, 0], [1, 0], [0, 1], [0, 1], [0, 0]])


def test_categories_of_two_spellings_are_kept_and_told_of():
    data = Data(source="t.csv", target="y")
    result = prepare(load(data), data)
    assert {"city=ULM", "city=Ulm"} <= set(result.summary.features)
    [text] = [finding.text for finding in result.findings if finding.code == "D012"]
    assert "column 'city' has categories that differ in blanks or case alone: 'ULM'/'Ulm'; if they mean" in text


def test_a_category_that_is_new_in_spelling_alone_is_not_unseen():
    city = pd.Series(["Ulm", "Bonn"] * 12)
    TABLE.assign(city=city).to_csv("t.csv", index=False)
    TABLE.assign(city=city.str.upper()).to_csv("more.csv", index=False)
    data = Data(source="t.csv", test_source="more.csv", target="y")
    result = prepare(load(data), data)
    assert {one.code for one in result.findings if one.column == "city"} == {"D012"}
    np.testing.assert_array_equal(result.splits["test"].x[:2, 1:], [[0, 1], [1, 0]])


def test_a_category_that_pandas_reads_as_missing_is_the_more_frequent_of_such_words():
    TABLE.assign(city=["None", "None", "NA", "Ulm"] * 6).to_csv("t.csv", index=False)
    data = Data(source="t.csv", target="y")
    assert [column.get("missing") for column in prepare(load(data), data).preprocessing["columns"]][-1] == "None"
