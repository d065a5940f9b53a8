"""Loading of examples: bundled ones, downloads and the user's own files."""

import numpy as np
import pandas as pd
import sklearn.datasets

from pipeline.data import downloads, sources
from pipeline.data.addresses import is_address
from pipeline.data.arrays import from_arrays, with_test_set
from pipeline.data.dataset import Dataset
from pipeline.data.messages import Messages
from pipeline.data.roles import from_table
from pipeline.data.tables import read_table
from pipeline.errors import InputError
from pipeline.settings import Data

MIN_ROWS = 10


def load(data: Data) -> Dataset:
    """Load the examples that `data.source` names.

    Raises:
        InputError: a source or column that does not exist, a file that is not what its suffix says, data that no
            network can be trained on, or a download that failed.
    """
    dataset = _load(data, sources.user_files(data))
    if len(dataset) < MIN_ROWS:
        raise InputError(f"data.source {data.source} has {len(dataset)} rows; at least {MIN_ROWS} are needed")
    return dataset


def _load(data: Data, files: dict[str, str]) -> Dataset:
    if sources.is_table_file(data.source):
        return _from_files(data, files)
    if data.source in sources.BUNDLED_TABLES:
        return from_table(_bundled_table(data.source), data, target="target")
    if data.source.startswith(sources.OPENML):
        frame, target, warnings = downloads.openml(data.source.removeprefix(sources.OPENML).strip())
        return from_table(frame, data, target=target, messages=Messages(warnings=warnings))
    _refuse_table_settings(data)
    if sources.is_array_file(data.source):
        return from_arrays(files["data.source"])
    if data.source == "digits":
        bunch = sklearn.datasets.load_digits()
        return Dataset(bunch.images, pd.Series(bunch.target), pixel_max=16)
    return with_test_set(**downloads.images(data.source))


def _bundled_table(name: str) -> pd.DataFrame:
    bunch = getattr(sklearn.datasets, f"load_{name}")(as_frame=True)
    if "target_names" not in bunch:
        return bunch.frame
    return bunch.frame.assign(target=np.asarray(bunch.target_names, dtype=object)[bunch.target])


def _refuse_table_settings(data: Data) -> None:
    for name, empty in (
        ("target", "null"), ("group", "null"), ("time", "null"), ("weight", "null"), ("drop", "empty ([])"),
        ("kinds", "empty ({})"),
    ):  # fmt: skip
        if value := getattr(data, name):
            raise InputError(
                f"data.{name} names columns of a table, and data.source {data.source} has none: "
                f"leave it {empty}; got {value!r}"
            )


def _from_files(data: Data, files: dict[str, str]) -> Dataset:
    as_text = tuple(name for name, kind in data.kinds.items() if kind != "number")
    frame, messages = read_table("data.source", files["data.source"], data.read, as_text)
    messages.notes[:0] = [
        f"{setting}: {address} is read from {files[setting]}; delete that file to download it again"
        for setting, address in (("data.source", data.source), ("data.test_source", data.test_source))
        if address is not None and is_address(address)
    ]
    if data.test_source is None:
        return from_table(frame, data, messages=messages)
    text = tuple(name for name in frame.columns if pd.api.types.infer_dtype(frame[name], skipna=True) == "string")
    test, test_messages = read_table("data.test_source", files["data.test_source"], data.read, text)
    return from_table(frame, data, test=test, messages=messages + test_messages)
