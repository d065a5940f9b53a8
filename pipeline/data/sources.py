"""The sources that data can come from: known names and the user's own files."""

import hashlib
from pathlib import Path
from typing import Any

from pipeline.errors import InputError, nearest_first
from pipeline.settings import Data

BUNDLED_TABLES = ("iris", "wine", "breast_cancer", "diabetes")

DOWNLOADED_IMAGES = ("mnist", "fashion_mnist")

NAMES = ("digits", *BUNDLED_TABLES, *DOWNLOADED_IMAGES)

OPENML = "openml:"

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")

COMPRESSED = (".gz", ".bz2", ".xz", ".zip")  # behind the suffix of a text table

TABLE_SUFFIXES = (*TEXT_SUFFIXES, ".parquet", ".feather", ".jsonl")

FILE_SUFFIXES = (*TABLE_SUFFIXES, ".npz")

SHOWN_SUFFIXES = f"{', '.join(FILE_SUFFIXES)} (text also with {', '.join(COMPRESSED)} behind)"

# What a compressed file may unpack to. A few kilobytes can claim a thousand times as much as any machine has.
MOST_UNPACKED = 32 * 2**30


def is_table_file(source: str) -> bool:
    """Return whether a source is the path of a table; only such a source can have a `data.test_source`."""
    suffix = suffix_of(source)
    return suffix in TABLE_SUFFIXES or (suffix.endswith(COMPRESSED) and suffix not in COMPRESSED)


def is_array_file(source: str) -> bool:
    """Return whether a source is the path of an `.npz`."""
    return suffix_of(source) == ".npz"


def _is_file(source: str) -> bool:
    return is_table_file(source) or is_array_file(source)


def user_files(data: Data) -> dict[str, str]:
    """Return the paths of the user's own files by the setting that names them; check that no file is missing or empty.

    Raises:
        InputError: no such source, a file that is missing or empty, or a `data.test_source` where none can be.
    """
    _check_source(data.source)
    files = {"data.source": data.source} if _is_file(data.source) else {}
    if data.test_source is not None:
        _check_test_source(data.source, data.test_source)
        files["data.test_source"] = data.test_source
    for setting, name in files.items():
        _check_file(setting, Path(name))
    return files


def describe(data: Data) -> dict[str, Any]:
    """Return the source and, for each of the user's files, its path, size in bytes and SHA-256.

    Raises:
        InputError: see `user_files`.
    """
    return {"source": data.source, "files": [_fingerprint(Path(name)) for name in user_files(data).values()]}


def _check_source(source: str) -> None:
    if source in NAMES or _is_file(source) or source.removeprefix(OPENML).strip() not in ("", source):
        return
    choices = nearest_first(source, [*NAMES, f"{OPENML}<name or id>"])
    raise InputError(f"data.source must be one of {choices}, or a path that ends in {SHOWN_SUFFIXES}; got {source!r}")


def _check_test_source(source: str, test_source: str) -> None:
    allowed = ", ".join(TABLE_SUFFIXES)
    if not is_table_file(source):
        raise InputError(
            f"data.test_source goes with a data.source that ends in {allowed}; got {test_source!r} "
            f"with data.source {source!r}: leave it null"
        )
    if not is_table_file(test_source):
        raise InputError(f"data.test_source must be a path that ends in {allowed}; got {test_source!r}")


def _check_file(setting: str, path: Path) -> None:
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would be waited for without end
            raise InputError(f"{setting}: {path} is no file but a pipe, socket or device")
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise InputError(f"{setting}: there is no file {path}; paths start at the folder of params.yaml") from None
    except OSError as error:
        raise InputError(f"{setting}: {path} cannot be read: {error.strerror}") from None
    if empty:
        raise InputError(f"{setting}: {path} is empty (0 bytes)")


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {"path": str(path), "bytes": path.stat().st_size, "sha256": sha256}


def check_unpacked(setting: str, path: str | Path, unpacked: int) -> None:
    """Check the bytes that a compressed file says it unpacks to.

    Raises:
        InputError: they are more than `MOST_UNPACKED`.
    """
    if unpacked > MOST_UNPACKED:
        raise InputError(
            f"{setting}: {path} unpacks to {unpacked / 2**30:.0f} GiB; {MOST_UNPACKED // 2**30} GiB are allowed"
        )


def suffix_of(source: str) -> str:
    """Return the suffix of a file, in lower case and with that before a compression's, such as `.csv.gz`."""
    if source.startswith(OPENML):
        return ""
    *_, before, last = ["", "", *(suffix.lower() for suffix in Path(source).suffixes)]
    return before + last if last in COMPRESSED and before in TEXT_SUFFIXES else last
