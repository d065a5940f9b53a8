"""Reading of tables, and recognition of numbers, booleans and text in their columns."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from pipeline.data import containers
from pipeline.data.columns import LEADING_ZERO, read_columns
from pipeline.data.containers import read_typed
from pipeline.data.dialect import SAMPLE_ROWS, find_dialect, in_utf8, starts_with_values
from pipeline.data.notation import is_text
from pipeline.data.sentences import Sentence
from pipeline.data.sheets import as_texts, read_cells
from pipeline.data.sources import suffix_of
from pipeline.errors import InputError, nearest_first
from pipeline.serving import MISSING_WORDS, text_of
from pipeline.settings import ColumnKind, Read

Found = tuple[str, str | None, int, str]  # of a finding: its code, column and count, and what was found
Kind = Literal["number", "boolean", "text", "date", "ngrams"]  # text: categories with a feature each

# By the name that pandas gives to the values of a column, without the missing ones.
KINDS: dict[str, Kind] = {
    "floating": "number", "integer": "number", "mixed-integer-float": "number", "decimal": "number",
    "boolean": "boolean", "string": "text",
}  # fmt: skip
TRUTH = {word: word.lower() == "true" for word in ("True", "TRUE", "true", "False", "FALSE", "false")}
DATE = r"\s*(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})\b.*"
SHOWN_COLUMNS = 20


@dataclass
class Messages:
    """Messages for the user on how a table was read: notes on what was taken, and warnings of what may be wrong.

    Attributes:
        found: what the check-up shall tell of, as `checkup.Found`.
    """

    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)

    def about(self, label: str) -> "Messages":
        """Return them with what they are about before each."""
        notes, warnings = ([f"{label}: {text}" for text in texts] for texts in (self.notes, self.warnings))
        return Messages(notes, warnings, self.found)

    def __add__(self, other: "Messages") -> "Messages":
        return Messages(self.notes + other.notes, self.warnings + other.warnings, self.found + other.found)


def read_table(
    setting: str, name: str, read: Read, text_columns: tuple[str, ...] = ()
) -> tuple[pd.DataFrame, Messages]:
    """Read the file of a table; return the table and what the user should know.

    Args:
        text_columns: read as text even if all values look like numbers, as they are text in the other file.

    Raises:
        InputError: it is not such a table, holds no row, or has two columns of one name.
    """
    path = Path(name)
    messages = Messages()
    try:
        if containers.is_typed(path):
            frame = read_typed(setting, path)
        elif containers.is_sheet(path):
            frame = _read_sheet(setting, path, read, messages)
        else:
            frame = _read_text(setting, path, read, text_columns, messages)
    # pyarrow's errors are ValueError or OSError; pandas' of parsing and of decoding are ValueError.
    except (ValueError, OSError) as error:
        hint = " (data.read says how a text table is written)" if containers.is_text(path) else ""
        raise InputError(
            f"{setting}: {name} is not a readable {suffix_of(name)} table: {' '.join(str(error).split())}{hint}"
        ) from None
    frame.columns = _stripped(list(frame.columns), messages)
    repeated = frame.columns[frame.columns.duplicated() & (frame.columns != "")]
    if len(repeated):
        raise InputError(f"{setting}: {name} has more than one column {repeated[0]!r}; column names must differ")
    if frame.empty:
        raise InputError(f"{setting}: {name} has no rows below its column names")
    named = frame.columns != ""
    messages.warnings += [Sentence.NO_NAME.format(place=i + 1) for i in np.flatnonzero(~named)]
    frame = frame.loc[:, named]
    if not containers.is_typed(path):
        frame = pd.DataFrame({str(name): _column(frame[name], read, text_columns, messages) for name in frame})
    return frame, messages.about(f"{setting} {name}")


def _column(cells: pd.Series, read: Read, text_columns: tuple[str, ...], messages: Messages) -> pd.Series:
    """Return the values of a column whose cells have no types, or types of their own."""
    name = str(cells.name)
    inferred = pd.api.types.infer_dtype(cells, skipna=True)
    if name in text_columns:
        return as_texts(cells)
    if inferred not in ("string", "time") and not inferred.startswith("mixed"):
        return cells.infer_objects()
    texts = cells if inferred == "string" else as_texts(cells)
    values = told_from_text(texts, read)
    if pd.api.types.is_numeric_dtype(values) and (zeros := int(texts.str.match(LEADING_ZERO).sum())):
        messages.found.append(_lost_zeros(name, zeros))
    return values


def _lost_zeros(name: str, count: int) -> Found:
    return "D008", name, count, Sentence.LOST_ZEROS.format(name=repr(name), count=count)


def _read_text(setting: str, path: Path, read: Read, text_columns: tuple[str, ...], messages: Messages) -> pd.DataFrame:
    """Return the columns of a text table: numbers, or cells as they stand there; missing where there is nothing."""
    text, guess = in_utf8(containers.read_bytes(setting, path), read)
    messages.notes += [f"{guess}; data.read.encoding sets another"] if guess else []
    dialect, notes = find_dialect(text, containers.text_suffix(path), read)
    messages.notes += notes
    # Where a point is no decimal mark, `1.080` is left to the reading of such notations.
    as_text = None if read.decimal == "," or read.thousands == "." else text_columns
    names, frame, zeros = read_columns(text, dialect, as_text)
    for place, count in zeros.items():
        messages.found.append(_lost_zeros(names[place].strip(), count))
    return _named(frame, names if dialect.header else None, messages)


def _read_sheet(setting: str, path: Path, read: Read, messages: Messages) -> pd.DataFrame:
    """Return the cells of a sheet as they stand there, missing where one is empty."""
    cells, notes = read_cells(setting, path, read.sheet)
    messages.notes += notes
    rows = cells.head(SAMPLE_ROWS).map(lambda cell: "" if pd.isna(cell) else str(cell)).to_numpy().tolist()
    header = read.header if read.header is not None else not starts_with_values(rows)
    return _named(cells.iloc[int(header) :], rows[0] if header else None, messages)


def _named(frame: pd.DataFrame, names: list[str] | None, messages: Messages) -> pd.DataFrame:
    """Return a table under names; if there are none, with a warning under numbers."""
    if names is not None:
        return frame.set_axis(names, axis="columns").reset_index(drop=True)
    messages.warnings.append(Sentence.NO_NAMES)
    numbered = [f"column_{i + 1}" for i in range(frame.shape[1])]
    return frame.set_axis(numbered, axis="columns").reset_index(drop=True)


def _stripped(names: list[str], messages: Messages) -> list[str]:
    """Return column names without the blanks around them."""
    padded = [name for name in names if name != name.strip()]
    if padded:
        messages.notes.append(f"blanks around column names are taken off: {', '.join(map(repr, padded))}")
    return [name.strip() for name in names]


def without_blanks(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return a table whose texts have no blanks around them, blank ones missing, and the columns that had some."""
    stripped = {str(name): column.str.strip() for name, column in frame.items() if is_text(column)}
    changed = {name: texts.notna() & (texts != frame[name]) & (texts != "") for name, texts in stripped.items()}
    padded = [name for name, cells in changed.items() if cells.any()]
    return frame.assign(**{name: texts.mask(texts == "") for name, texts in stripped.items()}), padded


def told_from_text(column: pd.Series, read: Read) -> pd.Series:
    """Return a text column as numbers or booleans if all its cells are that, else as it is.

    A blank cell is missing. A word such as NA is missing among numbers and booleans, and a value among text.
    """
    # Where a point is no decimal mark, `1.080` is left to the reading of such notations.
    point_groups = read.decimal == "," or read.thousands == "."
    if not point_groups:
        with suppress(ValueError, TypeError):  # most columns of numbers hold nothing else
            numbers = pd.Series(pd.to_numeric(column.to_numpy(object)), column.index)
            return numbers if numbers.notna().any() else column.mask(column.notna())
    texts = column.str.strip()
    present = texts[texts.notna() & (texts != "") & ~texts.isin(MISSING_WORDS)]
    if present.empty:
        return column.mask(texts == "")
    numbers = pd.to_numeric(present, errors="coerce")
    if numbers.notna().all() and not (point_groups and present.str.contains(".", regex=False).any()):
        return numbers.reindex(column.index)
    if present.isin(TRUTH.keys()).all():
        return present.map(TRUTH).astype(object).reindex(column.index)
    return column


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
        InputError: dates, unless they are declared categorical; lists, bytes or values of several kinds.
    """
    is_declared = isinstance(column.dtype, pd.CategoricalDtype)
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.dtype.categories.dtype if column.notna().all() else object)
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
