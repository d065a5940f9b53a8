"""From columns or pixels to what the network sees; every constant is fitted on the training part alone."""

from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, StandardScaler

from pipeline.data.tables import Kind

Scaling = Literal["auto", "unit", "standard", "none"]
SCALERS = {
    "auto": StandardScaler,
    "standard": StandardScaler,
    "unit": MinMaxScaler,
    "none": lambda: FunctionTransformer(feature_names_out="one-to-one"),
}
KIND_ORDER: tuple[Kind, ...] = ("number", "boolean", "text")


class TablePreprocessing:
    """Impute (median, or the most frequent value), scale numbers, one-hot encode text; booleans stay 0 and 1."""

    def __init__(self, kinds: dict[str, Kind], scaling: Scaling):
        self.columns = {kind: [name for name in kinds if kinds[name] == kind] for kind in KIND_ORDER}
        self.transformer = ColumnTransformer(
            [(kind, _steps(kind, scaling), names) for kind, names in self.columns.items() if names],
            sparse_threshold=0,
        )

    def fit(self, table: pd.DataFrame) -> "TablePreprocessing":
        """Fit every constant; no column of the table may be without a value."""
        self.transformer.fit(table)
        return self

    def transform(self, table: pd.DataFrame) -> np.ndarray:
        """The table as float32 [n, features]; a category that was not fitted has 0 in all its columns."""
        if table.empty:
            return np.zeros((0, len(self.feature_names)), np.float32)
        return self.transformer.transform(table).astype(np.float32)

    @property
    def feature_names(self) -> list[str]:
        """A name for each feature: the column's, or column=category."""
        return [name for column in self.constants["columns"] for name in _names(column)]

    @property
    def constants(self) -> dict[str, Any]:
        """What was fitted, as plain data: the columns in the order of their features.

        A number's feature is (value - center) / scale, a boolean's is 0 or 1, a text's is 1 for its category and 0 for
        the others; a missing value is first replaced by `missing`.
        """
        fitted = self.transformer.named_transformers_
        columns = [
            column for kind, names in self.columns.items() if names for column in _constants(kind, names, fitted[kind])
        ]
        return {"kind": "table", "columns": columns}


def _steps(kind: Kind, scaling: Scaling) -> Any:
    if kind == "number":
        return make_pipeline(SimpleImputer(strategy="median"), SCALERS[scaling]())
    imputer = SimpleImputer(strategy="most_frequent")
    if kind == "boolean":
        return make_pipeline(imputer)
    return make_pipeline(imputer, OneHotEncoder(handle_unknown="ignore", sparse_output=False))


def _constants(kind: Kind, names: list[str], steps: Any) -> list[dict[str, Any]]:
    columns = [
        {"name": name, "kind": kind, "missing": missing}
        for name, missing in zip(names, steps[0].statistics_.tolist(), strict=True)
    ]
    if kind == "number":
        center, scale = _center_and_scale(steps[1], len(names))
        return [column | {"center": c, "scale": s} for column, c, s in zip(columns, center, scale, strict=True)]
    if kind == "text":
        found = steps[1].categories_
        return [column | {"categories": list(c)} for column, c in zip(columns, found, strict=True)]
    return columns


def _center_and_scale(scaler: Any, width: int) -> tuple[list[float], list[float]]:
    if isinstance(scaler, StandardScaler):
        return scaler.mean_.tolist(), scaler.scale_.tolist()
    if isinstance(scaler, MinMaxScaler):
        return scaler.data_min_.tolist(), (1 / scaler.scale_).tolist()
    return [0.0] * width, [1.0] * width


def _names(column: dict[str, Any]) -> list[str]:
    if column["kind"] != "text":
        return [column["name"]]
    return [f"{column['name']}={category}" for category in column["categories"]]


class ImagePreprocessing:
    """Flatten, then (pixel - center) / scale."""

    feature_names = None

    def __init__(self, pixel_max: float | None, scaling: Scaling):
        known = pixel_max is not None and scaling in ("auto", "unit")
        self.scaler = None if known or scaling == "none" else SCALERS[scaling]()
        self.pixel_max = float(pixel_max) if known else 1.0

    def fit(self, images: np.ndarray) -> "ImagePreprocessing":
        """Fit a center and a scale for each pixel, unless the pixels' range is known."""
        if self.scaler is not None:
            self.scaler.fit(_flat(images))
        return self

    def transform(self, images: np.ndarray) -> np.ndarray:
        """The images as float32 [n, pixels]."""
        flat = _flat(images)
        if self.scaler is None or not len(flat):
            return flat / np.float32(self.pixel_max)
        return self.scaler.transform(flat).astype(np.float32)

    @property
    def constants(self) -> dict[str, Any]:
        """What was fitted, as plain data: `center` and `scale` are numbers, or a list with one for each pixel."""
        if self.scaler is None:
            return {"kind": "image", "center": 0.0, "scale": self.pixel_max}
        center, scale = _center_and_scale(self.scaler, self.scaler.n_features_in_)
        return {"kind": "image", "center": center, "scale": scale}


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), int(np.prod(images.shape[1:]))).astype(np.float32)
