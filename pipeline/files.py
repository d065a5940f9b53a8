"""Reading and writing of files, which appear whole or not at all, and are read as what they should be or refused."""

import errno
import json
import os
import sys
import warnings
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.errors import InputError

# NumPy and pandas are imported only where they are used: the stage source runs at every `dvc repro` and needs only
# JSON.
if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

WHOLE = {"seed", "seeds", "epoch", "best_epoch"}  # columns that hold whole numbers, where a reader asks for them

Content = TypeVar("Content")

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# A reader raises one of these for content that it does not expect: impossible values, keys, types and depths. Errors of
# JSON, of text, of pandas and of pydantic are ValueErrors.
UNEXPECTED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


_unfinished: set[Path] = set()


def remove_unfinished() -> None:
    """Remove the files that are being written at this moment, before the process ends."""
    for path in list(_unfinished):
        path.unlink(missing_ok=True)


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success it is renamed to `path`, on failure removed.

    Raises:
        InputError: the folder cannot be written to, or is full.
    """
    path = Path(path)
    # The suffix stays last, since NumPy, Keras and Matplotlib choose the format by it.
    beside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    _unfinished.add(beside)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        beside.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):  # most often it has been renamed; a hidden leftover does no harm
            beside.unlink()
        _unfinished.discard(beside)


def cannot_write(path: str | Path, error: OSError) -> InputError:
    """Return the error for the user whose file cannot be written."""
    remedy = "make room and start again" if error.errno in NO_ROOM else "its folder must be writable"
    return InputError(f"{path} cannot be written: {error.strerror or error}; {remedy}")


def read_of(stage: str, path: str | Path, read: Callable[[Path], Content]) -> Content:
    """Return what `read` makes of a file that a stage wrote.

    Raises:
        InputError: the file is missing, cannot be read, or is not what the stage writes.
    """
    try:
        return read(Path(path))
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run `dvc repro`") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    except UNEXPECTED:
        raise InputError(f"{path} is not what the stage {stage} writes; delete it and run `dvc repro`") from None


def read_kept(path: Path, read: Callable[[Path], Content]) -> Content | None:
    """Return what `read` makes of a file that is kept to save time.

    None is returned if there is none, and with a note on standard error if it is damaged.

    Raises:
        InputError: there is something else in its place, such as a folder.
    """
    try:
        return read(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}; delete it") from None
    except UNEXPECTED as error:
        print(f"note: {path} is damaged and is made anew: {' '.join(str(error).split())[:200]}", file=sys.stderr)
        return None


def write_json(path: str | Path, content: object) -> None:
    """Write JSON for people and for `git diff`: indented, one trailing newline; NaN is refused."""
    with written_whole(path) as beside:
        beside.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read JSON that a stage wrote.

    Raises:
        InputError: it is missing, cannot be read or is not JSON, for example after a merge with conflicts.
    """
    try:
        return json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run `dvc repro`") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError too
        raise InputError(f"{path} is not valid JSON: {error}; delete it and run `dvc repro`") from None


def read_table(
    stage: str, path: str | Path, columns: Collection[str], texts: Collection[str] = (), may_be_empty: bool = False
) -> "pd.DataFrame":
    """Read a table that a stage wrote as `.csv`, which has at least these columns.

    Args:
        texts: the columns that hold text; all others hold numbers or truth values.
        may_be_empty: whether it may have no rows.

    Raises:
        InputError: the file is missing or not what the stage writes.
    """
    return read_of(stage, path, lambda path: _table(path, columns, texts, may_be_empty))


def _table(path: Path, columns: Collection[str], texts: Collection[str], may_be_empty: bool) -> "pd.DataFrame":
    import io

    import pandas as pd

    content = path.read_bytes()
    if not content.endswith(b"\n") or b"\0" in content:  # pandas would take half a last line for a whole one
        raise ValueError("it is damaged")
    table = pd.read_csv(io.BytesIO(content), dtype=dict.fromkeys(texts, str), keep_default_na=True)
    numbers = [name for name in table.columns if name not in texts]
    if not {*columns, *texts} <= {*table.columns} or (table.empty and not may_be_empty):
        raise ValueError("it lacks columns or rows")
    if table.empty:
        return table
    if not all(pd.api.types.is_numeric_dtype(table[name]) for name in numbers):
        raise ValueError("a column of numbers holds something else")
    if not all(pd.api.types.is_integer_dtype(table[name]) for name in WHOLE & {*columns}):
        raise ValueError("a column of whole numbers holds something else")
    return table


def under(prefix: str, arrays: dict[str, "np.ndarray"]) -> dict[str, "np.ndarray"]:
    """Return the arrays whose names begin with a prefix, under the rest of their names."""
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def write_arrays(path: str | Path, arrays: Mapping[str, "np.ndarray"]) -> None:
    """Write arrays as `.npz`; object arrays are refused."""
    import numpy as np

    with written_whole(path) as beside:
        np.savez(beside, allow_pickle=False, **arrays)


def read_arrays(path: str | Path) -> dict[str, "np.ndarray"]:
    """Read every array of an `.npz`.

    Raises:
        OSError: there is no such file, or it cannot be opened.
        ValueError: it is not an `.npz`, is damaged, or holds Python objects; the message says which.
    """
    import numpy as np

    with Path(path).open("rb") as file:
        # np.load would take anything else for a pickle.
        if not zipfile.is_zipfile(file):
            raise ValueError("it is not an .npz file")
        file.seek(0)
        with _damage_told(), np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise ValueError("it is an archive of other files than NumPy's arrays")
    return arrays


def check_archive(path: str | Path) -> None:
    """Check that every member of an archive, such as a `.keras` file, is as it was written.

    Raises:
        OSError: there is no such file, or it cannot be opened.
        ValueError: it is no archive or is damaged.
    """
    with Path(path).open("rb") as file, _damage_told(), zipfile.ZipFile(file) as archive:
        if (damaged := archive.testzip()) is not None:
            raise ValueError(f"bad checksum of {damaged}")


@contextmanager
def _damage_told() -> Iterator[None]:
    """Turn whatever a library raises for a damaged archive into a ValueError.

    Flipped bits alone have given errors of zip, zlib, NumPy's headers, the encoding, the tokenizer and the system
    (a negative place in the file), and for a compression that is not known or a password.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a damaged header can look like one of Python 2
            yield
    except Exception as error:
        if isinstance(error, ValueError) and "allow_pickle" in str(error):
            raise
        raise ValueError(f"it is damaged: {' '.join(str(error).split()) or type(error).__name__}") from None
