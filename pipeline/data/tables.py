"""Reading of tables: their cells as numbers and booleans where all of a column are that, else as text."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.data import containers
from pipeline.data.columns import LEADING_ZERO, read_columns
from pipeline.data.containers import read_typed
from pipeline.data.dialect import SAMPLE_ROWS, find_dialect, in_utf8, starts_with_values
from pipeline.data.messages import Found, Messages
from pipeline.data.notation import is_text
from pipeline.data.sentences import Sentence
from pipeline.data.sheets import as_texts, read_cells
from pipeline.data.sources import suffix_of
from pipeline.errors import InputError
from pipeline.serving import MISSING_WORDS
from pipeline.settings import Read

TRUTH = {word: word.lower() == "true" for word in ("True", "TRUE", "true", "False", "FALSE", "false")}


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
