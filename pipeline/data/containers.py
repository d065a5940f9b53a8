"""The files that tables come in: text, possibly compressed, and formats that pandas reads with the types of columns."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.data.limits import check_unpacked
from pipeline.data.sources import COMPRESSED, parts_of, suffix_of

OPEN: dict[str, Any] = {
    ".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open,
    ".zst": lambda path: pa.input_stream(str(path), compression="zstd"),
}  # fmt: skip


def is_text(path: Path) -> bool:
    """Return whether a file holds a table as text."""
    return not is_sheet(path) and not is_typed(path)


def is_sheet(path: Path) -> bool:
    """Return whether a file is an Excel workbook, in which each cell has a type of its own."""
    return suffix_of(str(path)) == ".xlsx"


def is_typed(path: Path) -> bool:
    """Return whether the columns of a table have types."""
    return suffix_of(str(path)) in READERS


def text_suffix(path: Path) -> str:
    """Return the suffix of a text table without that of a compression, such as `.csv`."""
    return suffix_of(str(path)).removesuffix(path.suffix.lower() if path.suffix.lower() in COMPRESSED else "")


def read_bytes(setting: str, path: Path) -> bytes:
    """Return the content of a text table, unpacked.

    Raises:
        InputError: it unpacks to more than is allowed.
        ValueError: it is damaged, or a .zip of more than one file.
    """
    suffix = path.suffix.lower()
    if suffix not in COMPRESSED:
        return path.read_bytes()
    try:
        if suffix == ".zip":
            return _only_member(setting, path)
        with OPEN[suffix](path) as file:
            return b"".join(_chunks(setting, path, file))
    except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise ValueError(f"it is damaged: {error}") from None


def _chunks(setting: str, path: Path, file: IO[bytes]) -> Iterator[bytes]:
    unpacked = 0
    while chunk := file.read(2**20):
        unpacked += len(chunk)
        check_unpacked(setting, path, unpacked)
        yield chunk


def _only_member(setting: str, path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        members = [entry for entry in archive.infolist() if not entry.is_dir()]
        if len(members) != 1:
            raise ValueError(f"it must hold one table and holds {len(members)} files")
        check_unpacked(setting, path, members[0].file_size)
        return archive.read(members[0])


def _read_parquet(setting: str, path: Path) -> pd.DataFrame:
    contents = {part: pq.read_metadata(part) for part in parts_of(path)}
    # Each value takes that much here.
    check_unpacked(setting, path, sum(8 * content.num_rows * content.num_columns for content in contents.values()))
    first, *others = contents
    columns = pq.read_schema(first).names
    for part in others:
        if different := set(columns).symmetric_difference(pq.read_schema(part).names):
            raise ValueError(f"its parts {first.name} and {part.name} differ in the column {min(different)!r}")
    return pd.read_parquet(path)


def _read_feather(setting: str, path: Path) -> pd.DataFrame:
    # A file of the format's first version has no batches, and is not compressed.
    with suppress(pa.ArrowInvalid), pa.ipc.open_file(str(path)) as file:
        unpacked = 0
        for batch in range(file.num_record_batches):
            unpacked += file.get_batch(batch).nbytes
            check_unpacked(setting, path, unpacked)
    return pd.read_feather(path)


def _read_json_lines(_: str, path: Path) -> pd.DataFrame:
    return pd.read_json(path, lines=True, dtype=False)


READERS: dict[str, Callable[[str, Path], pd.DataFrame]] = {
    ".parquet": _read_parquet,
    ".feather": _read_feather,
    ".jsonl": _read_json_lines,
}


def read_typed(setting: str, path: Path) -> pd.DataFrame:
    """Read a table whose columns have types.

    Raises:
        InputError: it unpacks to more than is allowed.
        ValueError, OSError: it is no such table.
    """
    frame = READERS[suffix_of(str(path))](setting, path).reset_index(drop=True)
    frame.columns = [str(column) for column in frame.columns]
    return frame
