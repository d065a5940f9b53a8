"""The constants of the preprocessing, fitted on the training part alone; `pipeline.serving.apply` applies them."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from pipeline.data.kinds import Kind
from pipeline.data.messages import shown
from pipeline.data.texts import fit_ngrams
from pipeline.serving import MISSING_WORDS, date_parts
from pipeline.settings import Data

Scaling = Literal["auto", "unit", "standard", "none"]
KIND_ORDER: tuple[Kind, ...] = ("number", "boolean", "text", "date", "ngrams")
WORDS: dict[Kind, str] = {
    "number": "numbers", "boolean": "yes or no", "text": "categories", "date": "dates",
    "ngrams": "texts, by their n-grams",
}  # fmt: skip


def fit_table(
    table: pd.DataFrame,
    kinds: dict[str, Kind],
    data: Data,
    written: Mapping[str, dict[str, Any]] | None = None,
    weights: np.ndarray | None = None,
) -> dict[str, Any]:
    """Fit every column: what stands for a missing value, a number's center and scale, a text's categories or n-grams.

    What is missing somewhere has an indicator too, unless it is a category or `data.missing` is median.

    Args:
        table: no column of it may be without a value.
        written: how the source writes the numbers or dates of a column, kept for the rows that a served model gets.
        weights: of the rows, `[n]`, for the means and standard deviations of numbers; None for equal ones.

    Returns:
        The columns in the order of their features, as plain data; see `pipeline.serving.apply`.
    """
    columns: list[dict[str, Any]] = []
    for kind in KIND_ORDER:
        names = [name for name in kinds if kinds[name] == kind]
        if names:
            columns += _fit_columns(kind, table[names], data, weights)
    return {"kind": "table", "columns": [column | (written or {}).get(column["name"], {}) for column in columns]}


def _fit_columns(kind: Kind, table: pd.DataFrame, data: Data, weights: np.ndarray | None) -> list[dict[str, Any]]:
    if kind == "date":
        return [_fit_dates(str(name), dates, data) for name, dates in table.items()]
    if kind == "ngrams":
        indicator = data.missing == "median_and_indicator"
        return [fit_ngrams(str(name), texts, indicator) for name, texts in table.items()]
    if kind == "text":
        return [_fit_text(str(name), texts, data.rare) for name, texts in table.items()]
    missing: dict[Any, Any] = (table.median() if kind == "number" else table.mode().iloc[0]).to_dict()
    with_indicator = table.columns[table.isna().any() & (data.missing == "median_and_indicator")]
    columns: list[dict[str, Any]] = [
        {"name": name, "kind": kind, "missing": float(missing[name])}
        | ({"indicator": True} if name in with_indicator else {})
        for name in table
    ]
    if kind == "number":
        filled = table.fillna(missing).to_numpy()
        center, scale = _center_and_scale(filled, "standard" if data.scaling == "auto" else data.scaling, weights)
        return [column | {"center": c, "scale": s} for column, c, s in zip(columns, center, scale, strict=True)]
    return columns


def _fit_dates(name: str, dates: pd.Series, data: Data) -> dict[str, Any]:
    """Return the parts of a date that are features, with a center and a scale for each, and the median."""
    median = dates.dropna().sort_values().iloc[dates.notna().sum() // 2]
    parts = date_parts(dates.fillna(median))
    used = [part for part in parts if part != "hour" or parts[part].any()]
    scaling = "standard" if data.scaling == "auto" else data.scaling
    center, scale = _center_and_scale(parts[used].to_numpy(float), scaling)
    indicator = dates.isna().any() and data.missing == "median_and_indicator"
    return {
        "name": name, "kind": "date", "parts": used, "center": center, "scale": scale,
        "missing": median.isoformat(),
    } | ({"indicator": True} if indicator else {})  # fmt: skip


def _fit_text(name: str, texts: pd.Series, rare: int | None) -> dict[str, Any]:
    """Return the categories of a text column, "" among them where one is missing; no text is empty by itself.

    Args:
        rare: categories of fewer rows share one feature, with those that come up later; None: each has its own.
    """
    counts = texts.fillna("").value_counts().sort_index()
    categories = counts.index[counts >= (rare or 1)].tolist()
    # Who reads a file with pandas has a missing value for the category NA, unless pandas is told otherwise. So where no
    # training value was missing, a missing one counts as the category of that name; of several, as the most frequent.
    words = [] if "" in categories else [word for word in MISSING_WORDS if word in categories]
    missing = max(words, key=lambda word: counts[word], default="")
    fitted = {"name": name, "kind": "text", "missing": missing, "categories": categories}
    return fitted | ({"rare": True} if rare else {})


def fit_images(images: np.ndarray, pixel_max: float | None, scaling: Scaling) -> dict[str, Any]:
    """Fit a center and a scale for each pixel, unless the range of the pixels is known.

    Returns:
        `center` and `scale` as numbers, or as lists with one for each pixel.
    """
    if scaling == "none" or (pixel_max is not None and scaling in ("auto", "unit")):
        return {"kind": "image", "center": 0.0, "scale": 1.0 if scaling == "none" else float(pixel_max or 1.0)}
    flat = images.reshape(len(images), int(np.prod(images.shape[1:]))).astype(np.float32)
    center, scale = _center_and_scale(flat, "standard" if scaling == "auto" else scaling)
    return {"kind": "image", "center": center, "scale": scale}


def columns_by_kind(preprocessing: dict[str, Any]) -> list[str]:
    """Return a line for each kind that columns of a table were taken for, which `data.kinds` can change."""
    columns: dict[Kind, list[str]] = {}
    for column in preprocessing.get("columns", []):
        columns.setdefault(column["kind"], []).append(column["name"])
    return [f"{WORDS[kind]}: {shown(names)}" for kind, names in columns.items()]


def feature_names(preprocessing: dict[str, Any]) -> list[str] | None:
    """Return a name for each feature of a table, such as `age`, `age is missing` or `city=Ulm`; None for images."""
    if preprocessing["kind"] == "image":
        return None
    return [name for column in preprocessing["columns"] for name in _names(column)]


def _names(column: dict[str, Any]) -> list[str]:
    if column["kind"] == "text":
        categories = [f"{column['name']}={category or '(missing)'}" for category in column["categories"]]
        return [*categories, *([f"{column['name']} is rare"] if column.get("rare") else [])]
    parts = [f"{column['name']}: {part}" for part in column["parts"]] if "parts" in column else [column["name"]]
    return [*parts, *([f"{column['name']} is missing"] if column.get("indicator") else [])]


def _center_and_scale(
    values: np.ndarray, scaling: Scaling, weights: np.ndarray | None = None
) -> tuple[list[float], list[float]]:
    if scaling == "standard":
        standard = StandardScaler().fit(values, sample_weight=weights)
        return standard.mean_.tolist(), standard.scale_.tolist()
    if scaling == "unit":
        unit = MinMaxScaler().fit(values)
        return unit.data_min_.tolist(), (1 / unit.scale_).tolist()
    return [0.0] * values.shape[1], [1.0] * values.shape[1]
