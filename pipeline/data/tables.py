"""Reading of tables, and recognition of numbers, booleans and text in their columns."""

import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from pipeline.errors import InputError, nearest_first

Kind = Literal["number", "boolean", "text"]

# By the name that pandas gives to the values of a column, without the missing ones.
KINDS: dict[str, Kind] = {
    "floating": "number", "integer": "number", "mixed-integer-float": "number", "decimal": "number",
    "boolean": "boolean", "string": "text",
}  # fmt: skip
SEPARATORS = {".csv": ",", ".tsv": "\t"}
DATE = r"\s*(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})\b.*"
SHOWN_COLUMNS = 20
# Larger numbers become infinite in the float32 that the network sees.
LARGEST = float(np.finfo(np.float32).max)


def read_table(setting: str, name: str, text_columns: tuple[str, ...] = ()) -> tuple[pd.DataFrame, list[str]]:
    """Read a `.csv`, `.tsv` or `.parquet` file; return the table and notes for the user.

    Args:
        text_columns: read as text even if all values look like numbers, as they are text in the other file.

    Raises:
        InputError: it is not such a table, holds no row, or has two columns of one name.
    """
    path = Path(name)
    notes: list[str] = []
    try:
        if path.suffix.lower() == ".parquet":
            frame = pd.read_parquet(path).reset_index(drop=True)
            frame.columns = [str(column) for column in frame.columns]
        else:
            frame, notes = _read_text(setting, path, text_columns)
    # pyarrow's errors are ValueError or OSError; pandas' of parsing and of decoding are ValueError.
    except (ValueError, OSError, pd.errors.ParserWarning) as error:
        raise InputError(f"{setting}: {name} is not a readable {path.suffix} table: {error}") from None
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise _repeated(setting, name, repeated[0])
    if frame.empty:
        raise InputError(f"{setting}: {name} has no rows below its column names")
    return frame, notes


def _read_text(setting: str, path: Path, text_columns: tuple[str, ...]) -> tuple[pd.DataFrame, list[str]]:
    with path.open("rb") as file:
        if b"\0" in file.read(4096):
            raise ValueError("it is a binary file, not text in UTF-8")
    separator = SEPARATORS[path.suffix.lower()]
    # pandas renames a repeated column, so the names are first read as plain text.
    header = pd.read_csv(
        path, sep=separator, header=None, nrows=1, dtype=str, keep_default_na=False, encoding="utf-8-sig"
    ).iloc[0]
    named = header != ""
    repeated = header[named & header.duplicated()]
    if len(repeated):
        raise _repeated(setting, str(path), repeated.iloc[0])
    with warnings.catch_warnings():
        # pandas would cut off a row that is longer than the header, with a warning.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        frame = pd.read_csv(
            path, sep=separator, index_col=False, low_memory=False, encoding="utf-8-sig",
            dtype=dict.fromkeys(text_columns, "str"),
        )  # fmt: skip
    unnamed = np.flatnonzero(~named)
    notes = [f"{setting}: column {i + 1} of {path} has no name and is left out" for i in unnamed]
    return frame.loc[:, named.to_numpy()], notes


def _repeated(setting: str, name: str, column: str) -> InputError:
    return InputError(f"{setting}: {name} has more than one column {column!r}; column names must differ")


def shown(columns: list[str], like: str = "") -> str:
    """List column names for a message, those most similar to `like` first, at most `SHOWN_COLUMNS` of them."""
    return nearest_first(like, columns, most=SHOWN_COLUMNS)


def first_row(marked: np.ndarray, test_rows: int | None, test_source: str | None) -> str:
    """Name the first row that is marked, counted from 1 in its own part; the last `test_rows` are the test set."""
    row = int(np.argmax(marked))
    other_rows = len(marked) - (test_rows or 0)
    if row < other_rows:
        return f"row {row + 1}"
    part = "the test set" if test_source is None else f"data.test_source {test_source}"
    return f"row {row - other_rows + 1} of {part}"


def tidy(column: pd.Series, label: str, advice: str) -> tuple[Kind | None, pd.Series]:
    """Return the kind of a column and its values: float64 (booleans as 0 and 1) or `str` objects, NaN where missing.

    The kind is None if every value is missing. Messages begin with `label` and end with `advice`.

    Raises:
        InputError: dates, lists, bytes or values of several kinds.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.dtype.categories.dtype if column.notna().all() else object)
    if column.isna().all():
        return None, pd.Series(np.nan, column.index, float)
    inferred = pd.api.types.infer_dtype(column, skipna=True)
    kind = KINDS.get(inferred)
    if inferred.startswith(("date", "time", "period")) or (kind == "text" and _all_dates(column)):
        raise InputError(
            f"{label} holds dates (such as {column.dropna().iloc[0]}), not numbers or classes: replace it by numbers "
            f"(year, month, days since), or {advice}"
        )
    if kind is None:
        raise InputError(f"{label} holds {inferred} values; numbers, booleans and text are allowed: {advice}")
    if kind == "text":
        return kind, column.astype(object).where(column.notna(), np.nan)
    return kind, pd.Series(column.to_numpy(float, na_value=np.nan), column.index)


def _all_dates(column: pd.Series) -> bool:
    return bool(column.dropna().astype("str").str.fullmatch(DATE).all())
