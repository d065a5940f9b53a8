"""The columns of a text table: numbers wherever all cells are such, so that most never stand in memory as text."""

import io
import re
import warnings
from collections.abc import Collection
from typing import Any

import pandas as pd

from pipeline.data.dialect import SAMPLE_ROWS, Dialect
from pipeline.progress import Bar

# pandas hands a pattern to Arrow, which is ten times as fast, if it has no \\d and no \\s.
LEADING_ZERO = r"[ \t]*0[0-9]"
CHUNK_ROWS = 100_000


def read_columns(
    text: bytes, dialect: Dialect, text_columns: Collection[str] | None
) -> tuple[list[str], pd.DataFrame, dict[int, int]]:
    """Return the first row, the columns by their place, and how many numbers of a column have zeros before them.

    A column holds numbers if all its cells are numbers or empty, else the cells as they stand; missing where one is
    empty or a row ends early. Row names are left out.

    Args:
        text: in UTF-8.
        text_columns: names of columns whose cells stay text in any case; None: all stay text.

    Raises:
        ValueError: a row has more values than the first.
    """
    options: dict[str, Any] = {
        "sep": r"\s+" if dialect.separator == " " else dialect.separator, "skiprows": dialect.skipped,
        "skipinitialspace": True, "keep_default_na": False, "na_values": [""],
    }  # fmt: skip
    width = dialect.width - dialect.row_names
    # The names are read as a row like the others, since pandas would rename a repeated one; and together with the row
    # below, since pandas would take an extra value there for the name of the row.
    places = range(dialect.width) if dialect.row_names else None
    head = pd.read_csv(io.BytesIO(text), header=None, names=places, nrows=2, dtype="str", **options)
    first = head.iloc[0].fillna("").tolist()[:width]
    names = [""] * dialect.row_names + first
    options |= {"header": 0 if dialect.header else None, "names": range(dialect.width)}
    sample = pd.read_csv(io.BytesIO(text), nrows=SAMPLE_ROWS, **options)
    is_text = {
        place
        for place, cells in sample.items()
        if text_columns is None or names[place].strip() in text_columns or not _holds_numbers(cells)
    }
    with warnings.catch_warnings(), Bar("MiB read", len(text) >> 20) as bar:
        warnings.simplefilter("ignore", pd.errors.DtypeWarning)  # of a column that is no text from the start
        frame = pd.read_csv(_Watched(text, bar), dtype=dict.fromkeys(is_text, "str"), **options)
    if late := [place for place in frame if place not in is_text and not _holds_numbers(frame[place])]:
        frame[late] = pd.read_csv(io.BytesIO(text), dtype="str", usecols=late, **options)
    numbers = [place for place in frame if _holds_numbers(frame[place])]
    zeros = _leading_zeros(text, numbers, dialect.separator, options)
    if dialect.row_names:
        frame, zeros = frame.iloc[:, 1:], {place - 1: count for place, count in zeros.items() if place}
    return first, frame, zeros


class _Watched(io.BytesIO):
    """A text whose reading a bar shows."""

    def __init__(self, text: bytes, bar: Bar):
        super().__init__(text)
        self.bar, self.size = bar, len(text)

    def read(self, size: int | None = -1, /) -> bytes:
        chunk = super().read(size)
        self.bar.show(self.tell() >> 20, "", lambda: f"reading the table: {self.tell() / self.size:.0%}")
        return chunk


def _holds_numbers(cells: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(cells) and not pd.api.types.is_bool_dtype(cells)


def _leading_zeros(text: bytes, numbers: list[int], separator: str, options: dict[str, Any]) -> dict[int, int]:
    """Return how many cells of columns of numbers begin with a zero before another digit, for those that have some."""
    # Few tables have such a cell anywhere, which a look at the bytes shows; it is quick since it begins with a byte.
    start = rb'\n\r"' + re.escape(separator.encode())
    cell = rb"0(?=[0-9])(?:(?<=\A0)|(?<=[%b]0)|(?<=[%b \t][ \t]0))" % (start, start)
    if not numbers or not re.search(cell, text):
        return {}
    chunks = pd.read_csv(io.BytesIO(text), dtype="str", usecols=numbers, chunksize=CHUNK_ROWS, **options)
    counts = sum(chunk.apply(lambda cells: cells.str.match(LEADING_ZERO).sum()) for chunk in chunks)
    return {place: int(count) for place, count in counts.items() if count}
