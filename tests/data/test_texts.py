"""Columns of text: which are categories, keys or texts, and what texts become."""

import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from pipeline import serving
from pipeline.data.load import load
from pipeline.data.prepare import Prepared, prepare
from pipeline.data.roles import from_table
from pipeline.errors import InputError
from pipeline.settings import Data

REMARKS = ("the {} patient came in late at night", "{} was seen by the doctor in the morning")


def prepared(table: pd.DataFrame, **data: object) -> Prepared:
    settings = Data(target="y", **data)
    return prepare(from_table(table, settings), settings)


def kinds(result: Prepared) -> dict[str, str]:
    return {column["name"]: column["kind"] for column in result.preprocessing["columns"]}


def table(n: int, **columns: object) -> pd.DataFrame:
    """Return a table of `n` rows, with a number that nothing else has to do with."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(columns | {"x": rng.normal(size=n), "y": rng.normal(size=n)})


def towns(n: int, different: int) -> np.ndarray:
    names = np.array([f"{place}{number}" for number in range(different // 2) for place in ("Neustadt", "Bad ")], object)
    return names[np.random.default_rng(0).permutation(np.arange(n) % different)]


def test_thousands_of_categories_are_encoded_by_n_grams_and_say_so():
    result = prepared(table(6000, town=towns(6000, 2000)))
    assert kinds(result) == {"x": "number", "town": "ngrams"}
    assert result.summary.features[:2] == ["x", "town: n-grams 1"] and result.summary.n_features == 31
    assert any(
        "'town' has 2000 different texts in 6000 rows, and is encoded by groups" in note for note in result.notes
    )
    assert result.summary.warnings == []


def test_a_thousand_categories_and_rare_ones_that_are_grouped_have_features_of_their_own():
    assert kinds(prepared(table(3000, town=towns(3000, 1000))))["town"] == "text"
    names = np.where(np.arange(6000) < 3000, "Ulm", towns(6000, 2000))
    grouped = prepared(table(6000, town=names), rare=10)
    assert grouped.summary.features == ["x", "town=Ulm", "town is rare"]


def test_free_text_is_encoded_and_a_key_is_left_out_unless_it_is_called_text():
    remarks = [REMARKS[row % 2].format(row) for row in range(100)]
    keys = [f"A-{7 * row}" for row in range(100)]
    result = prepared(table(100, remark=remarks, key=keys))
    assert kinds(result) == {"x": "number", "remark": "ngrams"}
    assert [finding.column for finding in result.findings if finding.code == "D002"] == ["key"]
    called = prepared(table(100, key=keys, zip=np.arange(100) % 7 + 100), kinds={"key": "text", "zip": "text"})
    assert kinds(called) == {"x": "number", "key": "ngrams", "zip": "ngrams"}


def test_texts_tell_the_target_by_what_they_have_in_common():
    remarks = [REMARKS[row % 2].format(row) for row in range(200)]
    train = prepared(table(200, remark=remarks)).splits["train"]
    texts, is_second = train.x[:, 1:], train.numbers % 2 == 1
    center = texts[is_second].mean(axis=0) - texts[~is_second].mean(axis=0)
    assert ((texts @ center > 0) == is_second).all()
    assert texts.mean() == pytest.approx(0, abs=1e-5) and texts.var(axis=0).sum() == pytest.approx(1, rel=1e-4)


def test_rows_that_a_model_is_asked_for_are_encoded_as_training_rows_were():
    source = table(6000, town=towns(6000, 2000)).assign(town=lambda t: t["town"].mask(t.index % 50 == 0))
    result = prepared(source)
    constants, train = json.loads(json.dumps(result.preprocessing)), result.splits["train"]
    assert (serving.apply(constants, source.iloc[train.numbers]) == train.x).all()
    assert (train.x[:, -1] == source["town"].isna()[train.numbers]).all()
    asked = pd.DataFrame({"x": 0.0, "town": ["NEUSTADT7 ", "Neustadt7", "Neustadt 7777", None]})
    same, known, new, missing = serving.apply(constants, asked)[:, 1:]
    assert (same == known).all()
    distances = [np.linalg.norm(other - known) for other in (new, missing)]
    assert 0 < distances[0] < distances[1]
    assert serving.apply(constants, asked.iloc[:0]).shape == (0, result.summary.n_features)


def test_encoding_many_rows_takes_little_more_memory_than_their_features():
    source = table(300_000, town=towns(300_000, 3000))
    constants = prepared(source.iloc[:20_000]).preprocessing
    tracemalloc.start()
    features = serving.apply(constants, source)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert features.shape == (300_000, 31)
    assert peak < 2.5 * features.nbytes


def test_sentences_without_blanks_are_texts_and_a_category_stays_one():
    sentences = [f"今天天气很好我们一起去公园散步第{row}次" for row in range(100)]
    assert kinds(prepared(table(100, remark=sentences))) == {"x": "number", "remark": "ngrams"}
    assert kinds(prepared(table(100, remark=sentences), kinds={"remark": "category"}))["remark"] == "text"
    with pytest.raises(InputError, match=r"data\.kinds\.town category: it has 2000 categories.*1000 are allowed"):
        prepared(table(6000, town=towns(6000, 2000)), kinds={"town": "category"})


@pytest.mark.filterwarnings("error")
def test_text_that_never_differs_in_training_does_not_blow_a_new_one_up():
    result = prepared(table(120, remark=["same text"] * 120), kinds={"remark": "text"})
    new = serving.apply(result.preprocessing, pd.DataFrame({"x": [0.0], "remark": ["something else entirely"]}))
    assert np.abs(new).max() < 10


@pytest.mark.parametrize("kind", ["text", "category"])
def test_number_that_stands_for_a_text_is_the_same_in_any_notation(kind, tmp_path):
    cells = ["5.0", "1.50", "0007", "3e3", "12"] * 20
    file = tmp_path / "codes.csv"
    table(100, code=cells).to_csv(file, index=False)
    settings = Data(source=str(file), target="y", kinds={"code": kind})
    result = prepare(load(settings), settings)
    as_written, as_numbers = pd.read_csv(file, dtype={"code": str}), pd.read_csv(file)
    assert as_numbers["code"].dtype == float
    served = [serving.apply(result.preprocessing, rows) for rows in (as_written, as_numbers)]
    assert np.array_equal(*served)
    assert np.unique(served[0][:, 1:], axis=0).shape[0] == 5


@pytest.mark.parametrize("kind", ["text", "category"])
@pytest.mark.parametrize("time", ["", " 06:30:00"])
def test_dates_that_are_called_texts_are_the_same_with_a_type_and_without(kind, time):
    written = pd.Series([f"2026-0{1 + row % 3}-01{time}" for row in range(100)])
    typed = pd.to_datetime(written)
    one, other = (prepared(table(100, day=days), kinds={"day": kind}) for days in (written, typed))
    assert kinds(one)["day"] == {"text": "ngrams", "category": "text"}[kind]
    assert one.preprocessing == other.preprocessing
    assert np.array_equal(one.splits["train"].x, other.splits["train"].x)
    rows = [serving.apply(one.preprocessing, table(100, day=days)) for days in (written, typed)]
    assert np.array_equal(*rows) and np.unique(rows[0][:, 1:], axis=0).shape[0] == 3
