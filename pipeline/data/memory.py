"""Examples that are in memory, as a notebook has them, in the form in which `load` returns those of a source."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import ArrayLike
from scipy.sparse import issparse

from pipeline.data.arrays import from_examples
from pipeline.data.dataset import Dataset
from pipeline.data.prepare import Prepared
from pipeline.data.roles import from_table
from pipeline.errors import InputError
from pipeline.settings import Data


def dataset_of(
    X: Any, y: Any, data: Data, sample_weight: ArrayLike | None = None, groups: ArrayLike | None = None
) -> Dataset:
    """Return the examples of arrays or a data frame.

    Args:
        X: a table, as `columns_of` takes it, or images `[n, height, width]` or `[n, height, width, channels]`.
        y: the target, as `column_of` takes it.
        sample_weight: how much each row counts, `[n]`; rows of weight 0 are left out. None where all count alike.
        groups: rows of one value stay in one split, `[n]`; None where rows are independent.

    Raises:
        InputError: the lengths differ, a weight is not a number of at least 0, or data that no network can learn from.
    """
    x, target = columns_of(X), column_of(y)
    if not len(x):
        raise InputError("X has no rows")
    name = str(target.name) if target.name is not None else "target"
    weights = None if sample_weight is None else checked_weights(sample_weight)
    for label, values in (("y", target), ("sample_weight", weights), ("groups", groups)):
        if values is not None and len(values) != len(x):  # type: ignore[arg-type]
            raise InputError(f"{label} must have a value for each of the {len(x)} rows of X; got {len(values)}")  # type: ignore[arg-type]
    if isinstance(x, pd.DataFrame):
        while name in x:
            name = f"{name}_"
        dataset = from_table(x.assign(**{name: target}), data.model_copy(update={"target": name}), label="X")
    else:
        dataset = from_examples(x, target.to_numpy(), None, "X")
    rows = np.arange(len(x)) if dataset.numbers is None else dataset.numbers
    dataset = replace(
        dataset,
        groups=dataset.groups if groups is None else pd.factorize(np.asarray(groups))[0][rows],
        weights=dataset.weights if weights is None else weights[rows],
        numbers=rows,
    )
    return dataset if weights is None or weights.all() else dataset.take(np.flatnonzero(weights[rows]))


def column_of(y: Any) -> pd.Series:
    """Return a target `[n]`, also of a table or an array of one column, with its rows numbered from 0.

    Raises:
        InputError: there are more columns than one.
    """
    shape = np.shape(y)
    if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
        raise InputError(f"y must have a class or a number for each row, [n]; got the shape {list(shape)}")
    column = y.iloc[:, 0] if isinstance(y, pd.DataFrame) else np.ravel(y) if len(shape) == 2 else y
    return _without_arrow(pd.DataFrame({"y": pd.Series(column).reset_index(drop=True)}))["y"]


def _without_arrow(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table in which the columns of Arrow arrays hold values as pandas itself has them."""
    in_arrow = [str(name) for name, column in frame.items() if isinstance(column.dtype, pd.ArrowDtype)]
    return frame.assign(**{name: pa.array(frame[name]).to_pandas() for name in in_arrow})


def checked_weights(sample_weight: ArrayLike) -> np.ndarray:
    """Return the weights of rows as float64 `[n]`.

    Raises:
        InputError: there is not one number of at least 0 for each row, or none is above 0.
    """
    weights = np.asarray(sample_weight, float)
    if weights.ndim != 1 or not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise InputError("sample_weight must hold a number of at least 0 for each row")
    if not weights.any():
        raise InputError("sample_weight is zero for all rows; a row at least must count")
    return weights


def columns_of(X: Any) -> pd.DataFrame | np.ndarray:
    """Return a table as a data frame with text for names, numbered from 0 and without Arrow arrays; images stay one.

    Args:
        X: a pandas data frame; one of another library that hands out Arrow data, as Polars does; columns by name; an
            array `[n, features]`, whose columns become x0, x1 and so on; or images.

    Raises:
        InputError: a sparse matrix, an array of another shape, or two columns of one name.
    """
    if issparse(X):
        raise InputError("X is a sparse matrix; X.toarray() makes an array of it")
    if isinstance(X, dict):
        X = pd.DataFrame(X)
    if not isinstance(X, pd.DataFrame | pd.Series) and hasattr(X, "__arrow_c_stream__"):
        X = pa.table(X).to_pandas()
    if isinstance(X, pd.DataFrame):
        frame = X.reset_index(drop=True)
        frame.columns = [str(name) for name in frame.columns]
        if not frame.columns.is_unique:
            raise InputError(f"X has more than one column {frame.columns[frame.columns.duplicated()][0]!r}")
        return _without_arrow(frame)
    array = np.asarray(X)
    if array.ndim == 2:
        return pd.DataFrame(array, columns=[f"x{place}" for place in range(array.shape[1])])
    if array.ndim not in (3, 4):
        raise InputError(f"X must be a table or images, with two to four axes; got the shape {list(array.shape)}")
    return array


def labels_of(prepared: Prepared, y: np.ndarray) -> np.ndarray | None:
    """Return the classes as they are in `y`, `[n]`, in the order of their indices; None for regression."""
    train = prepared.splits["train"]
    if prepared.summary.classes is None or train.numbers is None:
        return None
    _, first = np.unique(train.y, return_index=True)
    return y[train.numbers[first]]
