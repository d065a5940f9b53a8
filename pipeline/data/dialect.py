"""How a text table is written: its encoding, separator, comment lines, header and row names, told from its content."""

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from pipeline.settings import Read

SUFFIX_SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
# A blank stands for any run of blanks; it comes last, since it also stands inside of values.
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", " ": "blanks"}
# UTF-32 is not among them: nobody writes tables in it, and its mark begins like that of UTF-16.
BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
SAMPLE_ROWS = 1000
COMMENT = "#"
# Excel writes a line that begins like this above a table, to say how it is separated.
SEPARATOR_LINE = "sep="


@dataclass(frozen=True)
class Dialect:
    """How a text table is written.

    Attributes:
        separator: one character; a blank stands for any run of blanks.
        skipped: how many lines stand above the table.
        header: whether the first row below them holds the names.
        row_names: whether the rows have one value more than the header, a name of the row at their start.
        width: how many values a row has, row names included.
    """

    separator: str
    skipped: int
    header: bool
    row_names: bool
    width: int


def in_utf8(content: bytes, read: Read) -> tuple[bytes, str | None]:
    """Return the text of a file in UTF-8 without a byte order mark, and a note if its encoding was guessed.

    A byte order mark decides, then UTF-8 if the bytes are that. Otherwise they are GBK if all that is not ASCII comes
    in pairs of GB 2312, as Chinese does and Western letters hardly ever do, and else Windows' Latin-1.

    Raises:
        ValueError: it is not text, or not in the encoding that was set.
    """
    mark = next((mark for mark in BYTE_ORDER_MARKS if content.startswith(mark)), None)
    if read.encoding is not None:
        text = _decoded(content, read.encoding, f"it is not text in data.read.encoding {read.encoding!r}")
        return _checked(text.removeprefix("\ufeff").encode()), None
    if mark is not None:
        return _checked(_decoded(content, BYTE_ORDER_MARKS[mark], "it is damaged").encode()), None
    for encoding, note in (
        ("utf-8", None),
        ("gb2312", "it is not UTF-8 and is read as GBK (Chinese)"),
        ("cp1252", "it is not UTF-8 and is read as Latin-1 (cp1252)"),
    ):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return _checked(content if encoding == "utf-8" else text.encode()), note
    raise ValueError("it is neither text in UTF-8 nor in GBK or Latin-1; name its encoding in data.read.encoding")


def _decoded(content: bytes, encoding: str, problem: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeError as error:
        raise ValueError(f"{problem}: {error}") from None


def _checked(text: bytes) -> bytes:
    if b"\0" in text[:4096]:
        raise ValueError("it is a binary file, or text in an encoding that data.read.encoding has to name (utf-16?)")
    return text


def find_dialect(text: bytes, suffix: str, read: Read) -> tuple[Dialect, list[str]]:
    """Find how a table's text, in UTF-8, is written, but for what `read` sets; return the dialect, and notes on it.

    The usual separator of the suffix is taken if it gives every row equally many values, else another one that does.

    Raises:
        ValueError: there is no row.
    """
    default = read.separator or SUFFIX_SEPARATORS[suffix]
    separators = [read.separator] if read.separator else [default, *(mark for mark in SEPARATORS if mark != default)]
    notes = []
    skipped, stated = _lines_above(text, separators)
    if stated is not None and read.separator is None:
        separators = [stated]
    samples = {mark: _rows(text, skipped, mark) for mark in separators}
    if not any(samples.values()):
        raise ValueError("it holds no row")
    regular = [
        mark for mark in separators if len(samples[mark][0]) > 1 and _widths(samples[mark]) == {len(samples[mark][0])}
    ]
    named = [mark for mark in separators if _has_row_names(samples[mark])]
    # If several separators are possible, the one that gives more values in a row is taken.
    separator = next(
        iter(regular[:1] if default in regular else sorted(regular or named, key=lambda mark: -len(samples[mark][0]))),
        separators[0],
    )
    rows = samples[separator]
    row_names = not regular and separator in named and read.header is not False
    header = read.header if read.header is not None else row_names or not starts_with_values(rows)
    if separator != default:
        notes.append(f"it is separated by {SEPARATORS[separator]}; data.read.separator sets another")
    if skipped:
        notes.append(f"lines above its table are passed over: {skipped}")
    if row_names:
        notes.append("its rows have one value more than its header; the first is taken for the row's name and left out")
    return Dialect(separator, skipped, header, row_names, len(rows[0]) + row_names), notes


def _lines(text: bytes, newline: str) -> io.TextIOWrapper:
    # Unlike a StringIO, which takes four bytes for each character, it reads no further than it is asked to.
    return io.TextIOWrapper(io.BytesIO(text), "utf-8", newline=newline)


def _lines_above(text: bytes, separators: list[str]) -> tuple[int, str | None]:
    """Return how many lines above the table are comments or say how it is separated, and the separator so said."""
    lines = list(islice(_lines(text, "\n"), SAMPLE_ROWS))
    stated = None
    skipped = 0
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if (
            skipped == 0
            and line.lower().startswith(SEPARATOR_LINE)
            and len(line.rstrip("\r\n")) == len(SEPARATOR_LINE) + 1
        ):
            stated = line[len(SEPARATOR_LINE)]
        # Names may begin with the mark of a comment too: those have as many values as the row below them.
        elif not line.startswith(COMMENT) or (
            not following.startswith(COMMENT)
            and any(line.count(mark) == following.count(mark) > 0 for mark in separators if mark != " ")
        ):
            break
        skipped += 1
    return skipped, stated


def _rows(text: bytes, skipped: int, separator: str) -> list[list[str]]:
    """Return the first rows of a table without empty ones; none if they cannot be told apart."""
    lines = islice(_lines(text, ""), skipped, None)
    reader = csv.reader(_without_ends(lines) if separator == " " else lines, delimiter=separator, skipinitialspace=True)
    try:
        return list(islice((row for row in reader if any(row)), SAMPLE_ROWS))
    except csv.Error:  # such as a cell of more than 131,072 characters: an open quotation mark
        return [[""]]


def _without_ends(lines: Iterator[str]) -> Iterator[str]:
    return (line.strip(" \r\n") + "\n" for line in lines)


def _widths(rows: list[list[str]]) -> set[int]:
    return {len(row) for row in rows}


def _has_row_names(rows: list[list[str]]) -> bool:
    """Return whether all rows but the first have one value more, which counts them or is a text of their own.

    R writes tables so. Values that do neither may as well come from a name that is missing in the header.
    """
    if len(rows) < 2 or _widths(rows[1:]) != {len(rows[0]) + 1}:
        return False
    names = [row[0].strip() for row in rows[1:]]
    counts = [[str(i + start) for i in range(len(names))] for start in (0, 1)]
    return names in counts or (len(set(names)) == len(names) and not any(map(_is_number, names)))


def starts_with_values(rows: list[list[str]]) -> bool:
    """Return whether the first row holds values as the rows below it do, and so no names.

    Each of its cells is a number in a column of numbers or a text that its column holds again, and one is a number.
    Names may be numbers too, if each is the one before plus 1: years, or places.
    """
    names, below = [name.strip() for name in rows[0]], rows[1:]
    numbers = [name for name in names if _is_number(name)]
    if not numbers or not below or _counts_on(names):
        return False
    columns = [[cell.strip() for cell in column if cell.strip()] for column in zip(*below, strict=False)]
    return len(columns) == len(names) and all(
        bool(column) and (all(map(_is_number, column)) if _is_number(name) else name in column or not name)
        for name, column in zip(names, columns, strict=True)
    )


def _counts_on(names: list[str]) -> bool:
    if len(names) < 2 or not all(name.isdecimal() for name in names):
        return False
    return [int(name) for name in names] == list(range(int(names[0]), int(names[0]) + len(names)))


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True
