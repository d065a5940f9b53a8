"""The sources that data can come from: known names and the user's own files, here or at an address."""

import hashlib
from pathlib import Path
from typing import Any

from pipeline.data import addresses
from pipeline.errors import InputError, nearest_first
from pipeline.settings import Data

BUNDLED_TABLES = ("iris", "wine", "breast_cancer", "diabetes")

DOWNLOADED_IMAGES = ("mnist", "fashion_mnist")

NAMES = ("digits", *BUNDLED_TABLES, *DOWNLOADED_IMAGES)

OPENML = "openml:"

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")

COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")  # behind the suffix of a text table

TABLE_SUFFIXES = (*TEXT_SUFFIXES, ".xlsx", ".parquet", ".feather", ".jsonl")

FILE_SUFFIXES = (*TABLE_SUFFIXES, ".npz")

SHOWN_SUFFIXES = (
    f"{', '.join(FILE_SUFFIXES)} (text also with {', '.join(COMPRESSED)} behind), or the folder of a table's .parquet "
    "parts"
)


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

    What is at an address is downloaded, unless it has been; its path is that of the download.

    Raises:
        InputError: no such source, a file that is missing or empty, an address that cannot be reached, or a
            `data.test_source` where none can be.
    """
    files = {setting: _local(setting, source) for setting, source in _named_files(data).items()}
    for setting, name in files.items():
        parts = parts_of(Path(name))
        if not parts:
            raise InputError(f"{setting}: {name} is a folder without a .parquet file")
        for path in parts:
            _check_file(setting, path)
    return files


def _named_files(data: Data) -> dict[str, str]:
    _check_source(data.source)
    files = {"data.source": data.source} if _is_file(data.source) else {}
    if data.test_source is not None:
        _check_test_source(data.source, data.test_source)
        files["data.test_source"] = data.test_source
    return files


def _local(setting: str, source: str) -> str:
    """Return the path to read a source from; what DVC's temporary copy of a project lacks is read from the project."""
    if addresses.is_address(source):
        return str(addresses.download(setting, source))
    root = _copied_project()
    return source if root is None or Path(source).exists() else str(root / source)


def _copied_project() -> Path | None:
    """Return the project of which the working folder is DVC's copy for a queued experiment; None if it is none.

    The copy has the files that git or DVC know, and no others: https://github.com/iterative/dvc/issues/8854.
    """
    folders = (folder for folder in Path.cwd().parents if folder.parts[-3:] == (".dvc", "tmp", "exps"))
    return next((folder.parents[2] for folder in folders), None)


def parts_of(path: Path) -> list[Path]:
    """Return the files of a table: itself, or in a folder of Parquet parts all that are not hidden, by their names."""
    if not (path.is_dir() and suffix_of(str(path)) == ".parquet"):
        return [path]
    parts = (part.relative_to(path) for part in path.rglob("*.parquet"))
    return [path / part for part in sorted(parts) if not any(name.startswith((".", "_")) for name in part.parts)]


def describe(data: Data) -> dict[str, Any]:
    """Return the source and, for each of the user's files, its path or address, size in bytes and SHA-256.

    Raises:
        InputError: see `user_files`.
    """
    sources = _named_files(data)
    files = [
        _fingerprint(part) | {"path": _part_name(sources[setting], Path(name), part)}
        for setting, name in user_files(data).items()
        for part in parts_of(Path(name))
    ]
    return {"source": data.source, "files": files}


def _part_name(source: str, table: Path, part: Path) -> str:
    """Return the name of a file of a table, which is alike in every copy of the project."""
    return source if part == table else str(Path(source) / part.relative_to(table))


def _check_source(source: str) -> None:
    if source in NAMES or _is_file(source) or source.removeprefix(OPENML).strip() not in ("", source):
        return
    choices = nearest_first(source, [*NAMES, f"{OPENML}<name or id>"])
    raise InputError(
        f"data.source must be one of {choices}, or a path or an address that ends in {SHOWN_SUFFIXES}; got {source!r}"
    )


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


def suffix_of(source: str) -> str:
    """Return the suffix of a file, in lower case and with that before a compression's, such as `.csv.gz`.

    A folder without one of the suffixes holds the parts of a Parquet table.
    """
    if source in NAMES or source.startswith(OPENML):
        return ""
    *_, before, last = ["", "", *(suffix.lower() for suffix in Path(addresses.file_name(source)).suffixes)]
    if last not in (*FILE_SUFFIXES, *COMPRESSED) and Path(source).is_dir():
        return ".parquet"
    return before + last if last in COMPRESSED and before in TEXT_SUFFIXES else last
