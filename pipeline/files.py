"""Reading and writing of files, which appear whole or not at all."""

import errno
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import InputError

# NumPy is imported only where it is used: the stage source runs at every `dvc repro` and needs only JSON.
if TYPE_CHECKING:
    import numpy as np

CANNOT_WRITE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR,
}  # fmt: skip


_unfinished: set[Path] = set()


def remove_unfinished() -> None:
    """Remove the files that are being written at this moment, before the process ends."""
    for path in list(_unfinished):
        path.unlink(missing_ok=True)


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success it is renamed to `path`, on failure removed.

    Raises:
        InputError: the folder cannot be written to.
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
        if error.errno not in CANNOT_WRITE:
            raise
        raise InputError(f"{path} cannot be written: {error.strerror}; its folder must be writable") from error
    finally:
        with suppress(OSError):  # most often it has been renamed; a hidden leftover does no harm
            beside.unlink()
        _unfinished.discard(beside)


def write_json(path: str | Path, content: object) -> None:
    """Write JSON for people and for `git diff`: indented, one trailing newline; NaN is refused."""
    with written_whole(path) as beside:
        beside.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read JSON that a stage wrote.

    Raises:
        InputError: it is missing or not JSON, for example after a merge with conflicts.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run `dvc repro`") from None
    except ValueError as error:  # UnicodeDecodeError is one too
        raise InputError(f"{path} is not valid JSON: {error}; delete it and run `dvc repro`") from None


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
        ValueError: it is not an `.npz`, is damaged, or holds Python objects; the message says which.
    """
    import numpy as np

    with Path(path).open("rb") as file:
        # np.load would take anything else for a pickle.
        if not zipfile.is_zipfile(file):
            raise ValueError("it is not an .npz file")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ValueError(f"it is damaged: {error}") from None
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise ValueError("it is an archive of other files than NumPy's arrays")
    return arrays
