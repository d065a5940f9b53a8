"""The champion as MLflow loads it: the user's own columns or images in, class names or numbers out.

This file is copied beside the model and runs where this project is not, so it imports nothing of it.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

TRUTH = {"true": 1.0, "1": 1.0, "1.0": 1.0, "false": 0.0, "0": 0.0, "0.0": 0.0}


class Champion:
    """A Keras model of prepared rows behind the preprocessing that prepares them.

    `preprocessing` is what the stage prepare fitted, as plain data: see `constants` and `classes` in its file.
    """

    def __init__(self, model: Any, preprocessing: dict[str, Any]):
        self.model, self.preprocessing = model, preprocessing

    def predict(self, raw: Any) -> pd.DataFrame:
        """The predicted class and each class's probability, or the prediction in the target's unit, a row for each.

        Args:
            raw: a table with the original column names; or images `[n, height, width]`, or their pixels `[n, pixels]`.

        Raises:
            ValueError: a column is missing, or has a value that is not of its kind; images of another size.
        """
        rows = self.prepare(raw)
        # Keras predicts nothing for no rows.
        outputs = self.model.predict(rows, verbose=0) if len(rows) else np.zeros((0, self.model.output_shape[-1]))
        index = raw.index if isinstance(raw, pd.DataFrame) else None
        outputs, classes = outputs.astype(np.float64), self.preprocessing["classes"]
        if classes is None:
            return pd.DataFrame({"prediction": outputs[:, 0]}, index=index)
        named = pd.Series(classes, dtype=object).take(outputs.argmax(axis=1)).to_numpy()
        probabilities = {f"probability_{name}": outputs[:, place] for place, name in enumerate(classes)}
        return pd.DataFrame({"class": named} | probabilities, index=index)

    def prepare(self, raw: Any) -> np.ndarray:
        """What the network sees, float32 `[n, features]`."""
        if self.preprocessing["kind"] == "image":
            return self._images(raw)
        columns = [_features(raw, column) for column in self.preprocessing["columns"]]
        return np.concatenate(columns, axis=1).astype(np.float32)

    def _images(self, raw: Any) -> np.ndarray:
        images = np.asarray(raw, np.float32)
        pixels = self.model.input_shape[-1]
        if images.ndim < 2 or int(np.prod(images.shape[1:])) != pixels:
            raise ValueError(f"images must have {pixels} pixels each, [n, ...]; got {list(images.shape)}")
        center, scale = (np.asarray(self.preprocessing[name]) for name in ("center", "scale"))
        return ((images.reshape(len(images), pixels) - center) / scale).astype(np.float32)


def _features(raw: pd.DataFrame, column: dict[str, Any]) -> np.ndarray:
    """A column's features, float64 `[n, k]`."""
    name = column["name"]
    if name not in raw:
        raise ValueError(f"column {name!r} is missing; one without values may be all NaN")
    values = raw[name].astype(object)
    values = values.where(values.notna(), column["missing"])
    if column["kind"] == "text":
        texts = values.map(lambda value: _text(value, column["categories"])).to_numpy(object)
        # A category that was not among the training rows has 0 everywhere.
        return (texts[:, None] == np.array(column["categories"], object)).astype(float)
    if column["kind"] == "boolean":
        numbers = values.astype(str).str.lower().map(TRUTH)
    else:
        numbers = pd.to_numeric(values, errors="coerce")
        numbers = (numbers - column["center"]) / column["scale"]
    wrong = numbers.isna().to_numpy()
    if wrong.any():
        raise ValueError(f"column {name!r} holds {values[wrong].iloc[0]!r}, which is no {column['kind']}")
    return numbers.to_numpy(float)[:, None]


def _text(value: Any, categories: list[str]) -> str:
    # pandas reads a column of whole numbers, some missing, as floats: the category "1" comes as 1.0.
    if isinstance(value, float) and value.is_integer() and str(value) not in categories:
        return str(int(value))
    return str(value)


def _load_pyfunc(path: str) -> Champion:
    # MLflow calls it with the folder of the data.
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras

    folder = Path(path)
    model = keras.saving.load_model(folder / "model.keras", compile=False, safe_mode=True)
    return Champion(model, json.loads((folder / "preprocessing.json").read_text(encoding="utf-8")))
