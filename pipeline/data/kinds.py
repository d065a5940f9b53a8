"""Kinds of columns: numbers, booleans, text, or what the user says that they hold."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from pipeline.data.messages import Messages
from pipeline.errors import InputError
from pipeline.serving import text_of
from pipeline.settings import ColumnKind

Kind = Literal["number", "boolean", "text", "date", "ngrams"]  # text: categories with a feature each
# By the name that pandas gives to the values of a column, without the missing ones.
KINDS: dict[str, Kind] = {
    "floating": "number", "integer": "number", "mixed-integer-float": "number", "decimal": "number",
    "boolean": "boolean", "string": "text",
}  # fmt: skip
DATE = r"\s*(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})\b.*"


def of_kinds(setting: str, table: pd.DataFrame, kinds: Mapping[str, ColumnKind], messages: Messages) -> pd.DataFrame:
    """Return a table whose columns are what `data.kinds` says; in a column of numbers all other cells are missing."""
    changed = {}
    for name in (name for name in kinds if name in table):
        column = table[name]
        is_date = pd.api.types.is_datetime64_any_dtype(column)
        if kinds[name] != "number":
            texts = column.map(text_of, na_action="ignore") if is_date else column.astype("str").where(column.notna())
            changed[name] = texts.astype("category")
            continue
        # A date is no number, though pandas would make it one of nanoseconds.
        changed[name] = pd.to_numeric(column.astype(object) if is_date else column, errors="coerce")
        if strays := int((changed[name].isna() & column.notna()).sum()):
            messages.notes.append(f"{setting}: {strays} cells of column {name!r} are no numbers, and count as missing")
    return table.assign(**changed)


def tidy(column: pd.Series, label: str, advice: str) -> tuple[Kind | None, pd.Series]:
    """Return the kind of a column and its values: float64 (booleans as 0 and 1) or `str` objects, NaN where missing.

    The kind is None if every value is missing. Messages begin with `label` and end with `advice`.

    Raises:
        InputError: dates, unless they are declared categorical; lists, bytes or values of several kinds.
    """
    is_declared = isinstance(column.dtype, pd.CategoricalDtype)
    if is_declared:
        column = column.astype(column.cat.categories.dtype if column.notna().all() else object)
    if column.isna().all():
        return None, pd.Series(np.nan, column.index, float)
    inferred = pd.api.types.infer_dtype(column, skipna=True)
    kind = KINDS.get(inferred)
    if is_declared and kind is None:
        column, kind = column.map(text_of, na_action="ignore"), "text"
    elif inferred.startswith(("date", "time", "period")) or (kind == "text" and not is_declared and _all_dates(column)):
        raise InputError(
            f"{label} holds dates or times (such as {column.dropna().iloc[0]}), not numbers or classes: replace it by "
            f"numbers (year, month, days since), or {advice}"
        )
    if kind is None:
        raise InputError(f"{label} holds {inferred} values; numbers, booleans and text are allowed: {advice}")
    if kind == "text":  # rows of one value share its text; the place of a missing one is -1
        places, distinct = pd.factorize(column)
        texts = np.append(np.asarray(distinct, object), np.nan)
        return kind, pd.Series(texts[places], column.index, "object")
    return kind, pd.Series(column.to_numpy(float, na_value=np.nan), column.index)


def _all_dates(column: pd.Series) -> bool:
    return bool(column.drop_duplicates().dropna().astype("str").str.fullmatch(DATE).all())
