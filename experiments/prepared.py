"""The data of a search or a study that is asked for from Python: prepared as the stage prepare does it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pipeline.data.load import load
from pipeline.data.memory import column_of, columns_of, dataset_of, labels_of
from pipeline.data.messages import shown
from pipeline.data.prepare import Prepared, prepare
from pipeline.errors import InputError
from pipeline.params import section_of
from pipeline.settings import Data

Rows = TypeVar("Rows")


def given(rows: Rows) -> Rows:
    """Return the rows: `partial(given, rows)` is the `load` of an `Engine` whose rows are in memory, not in files."""
    return rows


@dataclass(frozen=True, eq=False)
class Subject:
    """Prepared data, with the classes as the caller has them.

    Attributes:
        data: the settings that it was prepared with.
        classes: the labels of the target in the order of their indices, `[classes]`; None for regression.
    """

    data: Data
    prepared: Prepared
    classes: np.ndarray | None

    @classmethod
    def of(cls, X: Any, target: str | ArrayLike | None, data: Data | None, groups: ArrayLike | None) -> "Subject":
        """Prepare a data frame, arrays, or what `data.source` may name.

        Args:
            X: a data frame, an array or images, as `pipeline.fit` takes them; or the name of a source or the path of a
                file, as in `params.yaml`.
            target: the column to predict, or its values; None for a source that has one.

        Raises:
            InputError: data that no network can learn from, or a column that does not exist.
        """
        if isinstance(X, str | Path):
            data = section_of(Data, data, "data", source=str(X), target=target)
            prepared = prepare(load(data), data)
            names = prepared.summary.classes
            return cls(data, prepared, None if names is None else np.array(names, dtype=object))
        y: Any = target
        if target is None:
            raise InputError("target must name the column of X to predict, or hold its values; got None")
        if isinstance(target, str):
            frame = pd.DataFrame(columns_of(X))
            if target not in frame:
                raise InputError(
                    f"target: X has no column {target!r}; its columns are {shown([*map(str, frame)], target)}"
                )
            X, y = frame.drop(columns=target), frame[target]
        data = section_of(Data, data, "data", source="table")
        prepared = prepare(dataset_of(X, y, data, groups=groups), data)
        return cls(data, prepared, labels_of(prepared, column_of(y).to_numpy()))
