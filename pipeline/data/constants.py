"""Reading of the constants of the preprocessing, which the stage prepare has fitted."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.data.splits import PREPROCESSING_FILE, Summary
from pipeline.files import read_json, read_of
from pipeline.serving import apply


def read_preprocessing(summary: Summary) -> dict[str, Any]:
    """Read `data/prepared/preprocessing.json`, and see that it gives the features of the summary.

    Raises:
        InputError: it is missing or not what the stage prepare writes.
    """
    return read_of("prepare", PREPROCESSING_FILE, lambda path: _preprocessing(read_json(path), summary))


def _preprocessing(content: dict[str, Any], summary: Summary) -> dict[str, Any]:
    if content["kind"] == "image":
        row: Any = np.zeros((1, summary.n_features))
    else:
        row = pd.DataFrame({column["name"]: [np.nan] for column in content["columns"]})
        if any(not pd.Index(column.get("categories", [])).is_unique for column in content["columns"]):
            raise ValueError("a category stands there twice")
    features = apply(content, row)
    if features.shape != (1, summary.n_features) or content["classes"] != summary.classes:
        raise ValueError("it belongs to other splits")
    return content
