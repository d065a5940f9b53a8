"""Examples as a source has them, before they are split and preprocessed."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from pipeline.data.kinds import Kind
from pipeline.data.messages import Messages


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples before they are split and preprocessed.

    Attributes:
        features: a table [n rows], numbers float64, booleans 0.0 and 1.0, text `str`, NaN where missing; or images
            [n, height, width] or [n, height, width, channels]. Dates are datetime64 in UTC.
        target: [n], unchanged from the source.
        kinds: what each column of the table holds.
        written: how the values of a column are written, for the rows of a served model: a `notation` of numbers, or the
            `order` of dates.
        numbers: [n], the place of each row among all rows of the source.
        groups: [n], rows of one value stay in one split; None where rows are independent.
        weights: [n], above 0: how much each row counts; None where all count alike.
        times: [n], dates or numbers without a missing one, by which the rows are split; None where they are at random.
        test_rows: how many rows at the end are the source's own test set; None if it has none.
        pixel_max: the value of a white pixel; None where it is not known.
        messages: what the user should know of the reading.
    """

    features: pd.DataFrame | np.ndarray
    target: pd.Series
    target_name: str | None = None
    kinds: dict[str, Kind] = field(default_factory=dict)
    written: dict[str, dict[str, Any]] = field(default_factory=dict)
    numbers: np.ndarray | None = None
    groups: np.ndarray | None = None
    weights: np.ndarray | None = None
    times: pd.Series | None = None
    test_rows: int | None = None
    pixel_max: float | None = None
    messages: Messages = field(default_factory=Messages)

    def __len__(self) -> int:
        return len(self.features)

    def take(self, rows: np.ndarray) -> "Dataset":
        """Return the dataset with these rows alone, which keep their order."""
        features = self.features
        return replace(
            self,
            features=features.iloc[rows].reset_index(drop=True)
            if isinstance(features, pd.DataFrame)
            else features[rows],
            target=self.target.iloc[rows].reset_index(drop=True),
            numbers=rows if self.numbers is None else self.numbers[rows],
            groups=None if self.groups is None else self.groups[rows],
            weights=None if self.weights is None else self.weights[rows],
            times=None if self.times is None else self.times.iloc[rows].reset_index(drop=True),
            test_rows=None if self.test_rows is None else int((rows >= len(self) - self.test_rows).sum()),
        )
