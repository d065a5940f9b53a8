"""A table that is written in any of the ways that people write tables is read as what it is."""

import bz2
import csv
import gzip
import io
import lzma
import math
import string
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.data.load import load
from pipeline.settings import Data

ROWS = st.integers(10, 25)
# Letters that the encodings have, by the encoding.
LETTERS = {"utf-8": "äß北é€", "utf-8-sig": "äß北é€", "utf-16": "äß北é€", "cp1252": "äßéñ€", "gbk": "北京上海人"}
MARKS = ",;|\t\"'.-# \n"
# A word that is neither number, date nor truth, in a column of text; hardly any word is.
WORD = 'Bad "Ems", am Rhein; Lahn'


@pytest.fixture(autouse=True, scope="module")
def empty_folder(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("project"))
        yield


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("t.csv", content)
    return file.getvalue()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zip": zipped,
    ".zst": lambda content: pa.compress(content, "zstd", asbytes=True),
}  # fmt: skip


def missing_in(values: st.SearchStrategy, n: int) -> st.SearchStrategy[list]:
    """Lists of `n` values of which a few are missing, and at least one is not."""
    lists = st.lists(st.one_of(values, values, values, st.none()), min_size=n, max_size=n)
    return lists.filter(lambda column: any(value is not None for value in column))


def columns(n: int, letters: str) -> st.SearchStrategy[list]:
    text = st.text(string.ascii_letters + string.digits + letters + MARKS, min_size=1, max_size=8).map(str.strip)
    pools = st.lists(text.filter(bool), max_size=3).map(lambda pool: [WORD, *pool])
    return st.one_of(
        missing_in(st.integers(-(10**7), 10**7), n),
        missing_in(st.integers(-(10**6), 10**6).map(lambda cents: cents / 100), n),
        missing_in(st.booleans(), n),
        pools.flatmap(lambda pool: missing_in(st.sampled_from(pool), n)).filter(lambda column: WORD in column),
    )


def written(value: object, decimal: str, thousands: str) -> str:
    """Return a cell as it stands in the file."""
    if value is None:
        return ""
    if isinstance(value, bool | str):
        return str(value)
    number = f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"
    return number.translate({ord(","): thousands, ord("."): decimal})


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_table_is_read_as_what_was_written(data):
    draw = data.draw
    encoding = draw(st.sampled_from(sorted(LETTERS)))
    separator, line_end = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(["\n", "\r\n", "\r"]))
    decimal, thousands = draw(st.sampled_from([(".", ""), (".", ","), (",", ""), (",", "."), (",", " "), (".", " ")]))
    n = draw(ROWS)
    letters = string.ascii_letters + LETTERS[encoding]
    name = st.builds(
        lambda first, rest: first + rest.strip(), st.sampled_from(letters), st.text(letters + ' .,;()"#', max_size=8)
    )
    table = draw(
        st.dictionaries(
            name.filter(lambda one: one.strip() != "y"), columns(n, LETTERS[encoding]), min_size=1, max_size=4
        )
    )
    table["y"] = ["no", "yes"] * n
    file = io.StringIO()
    # Python's writer leaves a line feed without quotes where lines end by carriage returns.
    quoting = csv.QUOTE_ALL if line_end == "\r" else draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    writer = csv.writer(file, delimiter=separator, lineterminator=line_end, quoting=quoting)
    writer.writerow(table)
    writer.writerows(
        [written(value, decimal, thousands) for value in row] for row in zip(*table.values(), strict=False)
    )
    content = file.getvalue().encode(encoding)
    packing = draw(st.sampled_from(sorted(PACK)))
    path = Path(f"t.csv{packing}")
    path.write_bytes(PACK[packing](content))
    # A file cannot tell whether `1.080` or `1 080` has a thousands mark, nor Latin letters in pairs from Chinese ones;
    # there the settings say it.
    read: dict[str, str] = {}
    if thousands in (".", " "):
        read |= {"decimal": decimal, "thousands": thousands}
    if encoding == "cp1252" and is_text_in(content, "gb2312"):
        read |= {"encoding": encoding}
    dataset = load(Data(source=str(path), target="y", read=read))
    assert dataset.target.tolist() == table.pop("y")[:n]
    assert list(dataset.features) == list(table)
    for name, values in table.items():
        expected = [
            float(value) if isinstance(value, bool) else math.nan if value is None else value for value in values
        ]
        pd.testing.assert_series_equal(dataset.features[name], pd.Series(expected, name=name), check_dtype=False)


def is_text_in(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
