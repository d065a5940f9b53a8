"""MLflow's entities from plain data: metrics, params, datasets."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities import DatasetInput, Metric

Item = TypeVar("Item")


# Limits of `log_batch` and of its values: https://mlflow.org/docs/latest/rest-api.html#request-limits
PARAMS_PER_BATCH = 100
METRICS_PER_BATCH = 900  # at most 1,000 entities in all, including params
PARAM_LENGTH = 6000
DIGEST_LENGTH = 36


@dataclass(frozen=True)
class Dataset:
    """A split that the run read: its source, and the digest that identifies it."""

    name: str
    digest: str
    source: str
    rows: int
    context: Literal["train", "validation", "test"]


def curve_points(curves: "pd.DataFrame") -> "list[Metric]":
    """Return the points of curves, which have a row per epoch and a column per metric."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [
        Metric(str(name), float(value), now, int(epoch))
        for name, column in curves.items()
        for epoch, value in zip(column.index, column, strict=True)
    ]


def param_text(value: object) -> str:
    """Return the text of a setting to log, with an ellipsis where it is too long."""
    text = str(value)
    return text if len(text) <= PARAM_LENGTH else f"{text[: PARAM_LENGTH - 1]}…"


def batches(items: list[Item], size: int) -> Iterator[list[Item]]:
    """Split a list into pieces of at most this size."""
    return (items[start : start + size] for start in range(0, len(items), size))


def dataset_input(dataset: Dataset) -> "DatasetInput":
    """Return MLflow's entity for a split."""
    # `mlflow.data` would only add a hash of the data, which the pipeline has already.
    from mlflow.entities import Dataset as MlflowDataset
    from mlflow.entities import DatasetInput, InputTag

    remote = dataset.source.startswith(("http://", "https://"))
    entity = MlflowDataset(
        dataset.name,
        dataset.digest[:DIGEST_LENGTH],
        source_type="http" if remote else "local",
        source=json.dumps({"url" if remote else "uri": dataset.source}),
        profile=json.dumps({"num_rows": dataset.rows}),
    )
    return DatasetInput(entity, [InputTag("mlflow.data.context", dataset.context)])
