"""Description of the prepared splits: counts, the score to beat, digests, rows that are in two splits."""

import hashlib
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from pandas.util import hash_pandas_object

from pipeline.data.examples import Split
from pipeline.data.splits import SPLITS, SplitName
from pipeline.data.targets import Target

Splits = dict[SplitName, Split]


def describe_splits(splits: Splits, target: Target, target_scale: float | None) -> dict[str, Any]:
    """Return the fields of `Summary` that follow from the splits."""
    described: dict[str, Any] = {
        "rows": {name: len(split) for name, split in splits.items()},
        "digest": {name: digest(split) for name, split in splits.items()},
        "duplicates": duplicates(splits),
        "class_counts": None,
        "majority_share": None,
        "mean_rmse": None,
    }
    if target_scale is not None:
        described["mean_rmse"] = {name: _mean_rmse(split, target_scale) for name, split in splits.items()}
    if target.classes is None:
        return described
    counts = {name: np.bincount(split.y, minlength=len(target.classes)).tolist() for name, split in splits.items()}
    sums = {name: np.bincount(split.y, split.weights, len(target.classes)) for name, split in splits.items()}
    majority = int(np.argmax(sums["train"]))
    return described | {
        "class_counts": {name: dict(zip(target.classes, count, strict=True)) for name, count in counts.items()},
        "majority_share": {name: _share(of_split, majority) for name, of_split in sums.items()},
    }


def time_range(times: pd.Series) -> tuple[str, str] | None:
    """Return the earliest and the latest of some times as text, dates without hours where there are none."""
    if times.empty:
        return None
    ends = times.agg(["min", "max"])
    if not pd.api.types.is_datetime64_any_dtype(times):
        return f"{ends['min']:.10g}", f"{ends['max']:.10g}"
    form = "%Y-%m-%d" if (times == times.dt.normalize()).all() else "%Y-%m-%d %H:%M:%S"
    return ends["min"].strftime(form), ends["max"].strftime(form)


def digest(split: Split) -> str:
    """Return the SHA-256 over type, shape and bytes of x, then of y, then of the weights if there are any."""
    sha256 = hashlib.sha256()
    for array in (split.x, split.y, *([] if split.weights is None else [split.weights])):
        sha256.update(f"{array.dtype.str} {array.shape}".encode())
        sha256.update(np.ascontiguousarray(array).data)
    return sha256.hexdigest()


def duplicates(splits: Splits) -> dict[str, int]:
    """Count, for each pair "a_b" of splits, the rows of b that have exactly the features of a row of a."""
    # Adding 0 turns -0.0 into 0.0, which equals it but has another hash. Of a million rows, two that differ have the
    # same hash of 64 bits once in 10 million times.
    keys = {
        name: hash_pandas_object(pd.DataFrame(split.x + np.float32(0)), index=False) for name, split in splits.items()
    }
    return {f"{a}_{b}": int(keys[b].isin(keys[a]).sum()) for a, b in combinations(SPLITS, 2)}


def _share(sums: np.ndarray, majority: int) -> float | None:
    return float(sums[majority] / sums.sum()) if sums.any() else None


def _mean_rmse(split: Split, target_scale: float) -> float | None:
    if not len(split):
        return None
    # y is standardized, so the training part's mean is 0.
    return float(np.sqrt(np.average(np.square(split.y, dtype=float), weights=split.weights)) * target_scale)
