"""Downloads, kept under `data/raw/`: MNIST and Fashion-MNIST through Keras, tables from OpenML."""

import hashlib
import socket
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn.datasets

from pipeline.data.addresses import RAW, TIMEOUT_SECONDS
from pipeline.errors import InputError
from pipeline.files import read_arrays, write_arrays

SHAPES = {"x_train": (60000, 28, 28), "y_train": (60000,), "x_test": (10000, 28, 28), "y_test": (10000,)}

# SHA-256 of each array as an IDX file, the form in which both data sets were published.
DIGESTS = {
    "mnist": {
        "x_train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "y_train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "x_test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "y_test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    # The digests of the labels are those of the files in zalandoresearch/fashion-mnist. The images could not be
    # downloaded when this was written, so only their shape, type and published mean (MEAN_PIXEL) are checked.
    "fashion_mnist": {
        "y_train": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "y_test": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
}
# The mean of the training images / 255, to four decimals, by which Fashion-MNIST is commonly normalized.
MEAN_PIXEL = {"fashion_mnist": 0.2860}


def images(name: str) -> dict[str, np.ndarray]:
    """Return the uint8 arrays of `mnist` or `fashion_mnist` (see `SHAPES`), downloaded once to `data/raw/<name>.npz`.

    Raises:
        InputError: the file is not what it should be, or there is neither file nor network.
    """
    path = RAW / f"{name}.npz"
    if path.exists():
        arrays = _read(path)
        if problem := _problem(name, arrays):
            raise InputError(f"{path} is not {name}: {problem}; delete it to download it again")
        return arrays
    arrays = _download(name, path)
    if problem := _problem(name, arrays):
        raise InputError(f"the download of {name} is not {name}: {problem}; delete it under ~/.keras and try again")
    write_arrays(path, arrays)
    return arrays


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        return read_arrays(path)
    except (ValueError, OSError) as error:
        raise InputError(f"{path} cannot be read: {error}; delete it to download it again") from None


def _problem(name: str, arrays: dict[str, np.ndarray]) -> str | None:
    """Say why the arrays are not the data set; None if they are."""
    if set(arrays) != set(SHAPES):
        return f"it holds the arrays {', '.join(arrays) or 'none'}, not {', '.join(SHAPES)}"
    for key, shape in SHAPES.items():
        if arrays[key].dtype != np.uint8 or arrays[key].shape != shape:
            return f"{key} is {arrays[key].dtype} {list(arrays[key].shape)}, not uint8 {list(shape)}"
    for key, digest in DIGESTS[name].items():
        if _idx_digest(arrays[key]) != digest:
            return f"{key} has other content than the published one (SHA-256 as IDX file)"
    expected = MEAN_PIXEL.get(name)
    if expected is not None and abs(arrays["x_train"].mean() / 255 - expected) > 5e-5:
        return f"the mean of x_train / 255 is {arrays['x_train'].mean() / 255:.4f}, not {expected:.4f}"
    return None


def _idx_digest(array: np.ndarray) -> str:
    # The header is two zero bytes, 8 for unsigned bytes, the number of dimensions, and each dimension, big-endian.
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return hashlib.sha256(header + array.tobytes()).hexdigest()


def _download(name: str, path: Path) -> dict[str, np.ndarray]:
    import keras  # starts TensorFlow, which takes seconds: only for a download

    try:
        with _network_timeout():
            (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    # Keras raises a plain Exception for a failed download.
    except Exception as error:
        raise InputError(
            f"data.source {name} could not be downloaded ({error}); without a network, place an .npz with the arrays "
            f"{', '.join(SHAPES)} at {path}"
        ) from None
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def openml(name: str) -> tuple[pd.DataFrame, str | None, list[str]]:
    """Load a data set of OpenML by name or id; return the table, the column it names as target, and notes for the user.

    Raises:
        InputError: there is no such data set, it is not a table, or there is no network.
    """
    query = {"data_id": int(name)} if name.isdecimal() else {"name": name}
    try:
        with _network_timeout(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            bunch = sklearn.datasets.fetch_openml(
                **query, as_frame=True, parser="auto", data_home=str(RAW), n_retries=1
            )
    # Errors of the network and of the cache are OSErrors, an unknown or unfit data set is a ValueError.
    except (OSError, ValueError) as error:
        raise InputError(
            f"data.source openml:{name} could not be loaded ({error}); without a network, save the table as a .csv "
            "elsewhere and give its path"
        ) from None
    targets = bunch.target_names or []
    notes = [" ".join(str(warning.message).split()) for warning in caught]
    return bunch.frame, targets[0] if len(targets) == 1 else None, notes


@contextmanager
def _network_timeout() -> Iterator[None]:
    """Limit how long a server may take to answer, so that the stage fails instead of hanging."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
