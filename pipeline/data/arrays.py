"""Examples in arrays: features and targets of a `.npz` file, and images."""

import zipfile
from typing import Any

import numpy as np
import pandas as pd

from pipeline.data.dataset import Dataset
from pipeline.data.features import tidy_features
from pipeline.data.limits import check_unpacked
from pipeline.data.messages import Messages
from pipeline.errors import InputError
from pipeline.files import read_arrays
from pipeline.serving import LARGEST
from pipeline.settings import Data

ARRAYS = (("x_train", "y_train", "x_test", "y_test"), ("x", "y"))


def from_arrays(path: str) -> Dataset:
    """Return the examples in a `.npz` file.

    Raises:
        InputError: it cannot be read, or does not hold features and targets that fit each other.
    """
    arrays = _read_npz(path)
    # `X` is what many call their features; both names in one file stay as they are.
    arrays = {key if key.lower() in arrays else key.lower(): array for key, array in arrays.items()}
    keys = next((keys for keys in ARRAYS if set(keys) <= set(arrays)), None)
    if keys is None:
        allowed = " or ".join(", ".join(keys) for keys in ARRAYS)
        raise InputError(f"data.source: {path} must hold the arrays {allowed}; it holds {', '.join(arrays) or 'none'}")
    for x, y in zip(keys[::2], keys[1::2], strict=True):
        arrays[y] = _check_pair(path, x, arrays[x], y, arrays[y])
    if keys == ARRAYS[1]:
        return from_examples(arrays["x"], arrays["y"], None)
    train, test = ((arrays[key].dtype, arrays[key].shape[1:]) for key in ("x_train", "x_test"))
    if train != test:
        shapes = " and ".join(f"{arrays[key].dtype} {list(arrays[key].shape)}" for key in ("x_train", "x_test"))
        raise InputError(f"data.source: x_train and x_test of {path} must agree but for their rows; got {shapes}")
    return with_test_set(**{key: arrays[key] for key in keys})


def _read_npz(path: str) -> dict[str, np.ndarray]:
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                check_unpacked("data.source", path, sum(entry.file_size for entry in archive.infolist()))
        return read_arrays(path)
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise InputError(f"data.source: {path} cannot be read: {error}") from None


def _check_pair(path: str, x_name: str, x: np.ndarray, y_name: str, y: np.ndarray) -> np.ndarray:
    """Check that features and target fit each other, and return the target as [n]."""
    if x.ndim not in (2, 3, 4) or x.dtype.kind not in "fiub" or 0 in x.shape:
        raise InputError(
            f"data.source: {x_name} of {path} must be numbers [rows, features], [rows, height, width] or "
            f"[rows, height, width, channels]; got {x.dtype} {list(x.shape)}"
        )
    if y.shape not in ((len(x),), (len(x), 1)):
        raise InputError(
            f"data.source: {y_name} of {path} must be [rows], one for each of {len(x)} rows; got {list(y.shape)}"
        )
    return y.reshape(-1)


def with_test_set(x_train: Any, y_train: Any, x_test: Any, y_test: Any) -> Dataset:
    """Return the examples of a training and a test part, of which the test rows come last."""
    return from_examples(np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test]), len(x_test))


def from_examples(x: np.ndarray, y: np.ndarray, test_rows: int | None, label: str = "data.source") -> Dataset:
    """Return the examples of a table of numbers `[n, features]` or images; for `label` see `from_table`.

    Raises:
        InputError: a number is not finite, or beyond `LARGEST`.
    """
    target = pd.Series(y)
    if x.ndim == 2:
        parts = {label: pd.DataFrame(x, columns=[f"x{i}" for i in range(x.shape[1])])}
        messages = Messages()
        features, kinds = tidy_features(parts, Data(), messages)
        return Dataset(features, target, None, kinds, test_rows=test_rows, messages=messages)
    # Written so that NaN, which compares as false, is refused too.
    if not (float(x.min()) >= -LARGEST and float(x.max()) <= LARGEST):
        raise InputError(
            f"{label}: images must be finite numbers of at most {LARGEST:.1e}; got NaN, infinity or a larger number"
        )
    return Dataset(x, target, test_rows=test_rows, pixel_max=_pixel_max(x))


def _pixel_max(x: np.ndarray) -> float | None:
    if x.dtype == np.uint8:
        return 255.0
    return 1.0 if x.min() >= 0 and x.max() <= 1 else None
