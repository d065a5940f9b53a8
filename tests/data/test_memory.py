"""Tables in memory: what kinds of columns and targets are read, and what is said of others."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from pipeline import serving
from pipeline.data.memory import columns_of, dataset_of
from pipeline.data.prepare import Prepared, prepare
from pipeline.errors import InputError
from pipeline.settings import Data

N = 60
RNG = np.random.default_rng(0)
SIZES = RNG.normal(size=N)
NUMBERS = RNG.normal(size=N)
TABLE = pd.DataFrame(
    {
        "size": SIZES,
        "count": pd.array([None, 1, 2] * 20, dtype="Int64"),
        "member": pd.array([True, None, False] * 20, dtype="boolean"),
        "town": pd.array(["Ulm", None, "Bonn"] * 20, dtype="string"),
        "since": pd.date_range("2026-01-01", periods=N),
    }
)


def prepared(X: object, y: object = NUMBERS) -> Prepared:
    data = Data(source="X", test_fraction=0.0)
    return prepare(dataset_of(X, y, data), data)


def test_columns_in_arrow_arrays_are_those_of_pandas():
    in_arrow = TABLE.convert_dtypes(dtype_backend="pyarrow")
    assert all(isinstance(dtype, pd.ArrowDtype) for dtype in in_arrow.dtypes)
    plain, other = prepared(TABLE), prepared(in_arrow, pd.Series(NUMBERS).convert_dtypes(dtype_backend="pyarrow"))
    assert other.preprocessing == plain.preprocessing
    assert np.array_equal(other.splits["train"].x, plain.splits["train"].x)
    assert np.array_equal(other.splits["train"].y, plain.splits["train"].y)
    served = serving.apply(plain.preprocessing, columns_of(in_arrow))
    assert np.array_equal(served, serving.apply(plain.preprocessing, TABLE))


@pytest.mark.parametrize(
    "values",
    [
        pd.cut(pd.Series(SIZES).where(SIZES < 1), 3),
        pd.Categorical([1, "a", 2.5] * 20),
        pd.Categorical(pd.to_datetime(["2026-01-01", "2026-02-01", None] * 20)),
    ],
    ids=["intervals", "mixed", "dates"],
)
def test_categories_of_any_values_are_categories_by_their_text(values: object):
    table = pd.DataFrame({"size": SIZES, "kind": values})
    result = prepared(table)
    assert {column["name"]: column["kind"] for column in result.preprocessing["columns"]} == {
        "size": "number",
        "kind": "text",
    }
    features = serving.apply(result.preprocessing, table)
    different = table["kind"].astype(object).map(str).nunique()
    assert np.unique(features[:, 1:], axis=0).shape == (different, different)
    as_text = table.assign(kind=table["kind"].astype(object).map(serving.text_of, na_action="ignore"))
    assert np.array_equal(features, serving.apply(result.preprocessing, as_text))


def test_columns_by_name_and_a_target_of_one_column_are_read():
    frame = prepared(pd.DataFrame({"a": SIZES}))
    for other in (
        prepared({"a": SIZES.tolist()}),
        prepared(pd.DataFrame({"a": SIZES}), NUMBERS[:, None]),
        prepared(pd.DataFrame({"a": SIZES}), pd.DataFrame({"b": NUMBERS})),
    ):
        assert np.array_equal(other.splits["train"].x, frame.splits["train"].x)
        assert np.array_equal(other.splits["train"].y, frame.splits["train"].y)


@pytest.mark.parametrize(
    ("X", "y", "told"),
    [
        (scipy.sparse.csr_matrix(np.eye(N)), NUMBERS, r"X is a sparse matrix; X\.toarray\(\) makes an array of it"),
        (TABLE, np.eye(N, 2), r"y must have a class or a number for each row, \[n\]; got the shape \[60, 2\]"),
        (TABLE, pd.get_dummies(TABLE["town"]), r"y must have a class or a number for each row"),
        (TABLE[:0], NUMBERS[:0], "X has no rows"),
        (TABLE.assign(z=[1, "a"] * 30), NUMBERS, "'z' holds mixed-integer values.*or in data.kinds as a category"),
        (TABLE.assign(z=pd.to_timedelta(np.arange(N), "D")), NUMBERS, "'z' holds dates or times .such as 0 days"),
    ],
)
def test_what_cannot_be_read_is_told(X: object, y: object, told: str):
    with pytest.raises(InputError, match=told):
        prepared(X, y)
