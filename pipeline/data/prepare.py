"""From a loaded data set to what the network sees: split it, fit the preprocessing on the training part, apply it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline import serving
from pipeline.data.checkup import Finding, check_up, warnings_of
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Split
from pipeline.data.partition import partition
from pipeline.data.preprocessing import feature_names, fit_images, fit_table
from pipeline.data.sentences import Sentence
from pipeline.data.splits import SplitName, Summary
from pipeline.data.summarize import describe_splits, time_range
from pipeline.data.targets import Target, read_target
from pipeline.errors import InputError, nearest_first
from pipeline.settings import Data

SHOWN = 10  # class names in a warning
NOTED_CHANGE = 0.1  # of a split's share, by rows of one time that stay together


@dataclass(frozen=True, eq=False)
class Prepared:
    """The splits, what is in them, every fitted constant as plain data, notes on the reading, and the check-up."""

    splits: dict[SplitName, Split]
    summary: Summary
    preprocessing: dict[str, Any]
    notes: list[str]
    findings: list[Finding]


def prepare(dataset: Dataset, data: Data) -> Prepared:
    """Split, fit the preprocessing on the training part, apply it to all parts.

    Raises:
        InputError: a target that cannot be learnt, a class with too few rows, a fraction that leaves a split empty.
    """
    notes = list(dataset.messages.warnings)
    target = read_target(dataset.target, dataset.target_name, data, dataset.test_rows)
    if data.rare_classes == "leave_out" and (rare := _rare_rows(target, dataset, data)).any():
        notes.append(Sentence.RARE_CLASSES.format(count=rare.sum(), rows=len(rare)))
        dataset = dataset.take(np.flatnonzero(~rare))
        target = read_target(dataset.target, dataset.target_name, data, dataset.test_rows)
    notes += [target.note] if target.note else []
    _check_class_sizes(target, dataset, data)
    rows = _split_rows(dataset, target, data)
    return prepare_splits(dataset, target, rows, data, [*notes, *_absent_classes(target, rows)])


def prepare_splits(
    dataset: Dataset, target: Target, rows: dict[SplitName, np.ndarray], data: Data, notes: list[str]
) -> Prepared:
    """Fit the preprocessing on the training rows, and apply it to all splits.

    Args:
        target: it may name classes of which there are no rows yet.
        rows: the row numbers of each split.
        notes: what was decided so far.

    Raises:
        InputError: columns that no network can learn from, or a regression's target of one value only.
    """
    notes = list(notes)
    preprocessing = _fit(dataset, rows["train"], data, notes)
    y, mean, scale = _fit_target(target, rows["train"], dataset.weights, data)
    groups = None if dataset.groups is None else np.unique(dataset.groups, return_inverse=True)[1].astype(np.int32)
    order, times = _order(dataset), dataset.times
    ranges = None if times is None else {name: time_range(times.iloc[index]) for name, index in rows.items()}
    splits = {
        name: Split(
            _transformed(preprocessing, dataset.features, index),
            y[index],
            None if groups is None else groups[index],
            (index if dataset.numbers is None else dataset.numbers[index]).astype(np.int64),
            None if dataset.weights is None else dataset.weights[index].astype(np.float32),
            None if order is None else order[index],
        )
        for name, index in rows.items()
    }
    n_features, described = splits["train"].x.shape[1], describe_splits(splits, target, scale)
    findings = check_up(dataset, target, rows, described["duplicates"], n_features, data)
    fitted_target: dict[str, Any] = {"classes": target.classes, "target_mean": mean, "target_scale": scale}
    summary = Summary(
        source=data.source,
        name=data.name or Path(data.source).stem,
        task=target.task,
        target=dataset.target_name,
        features=feature_names(preprocessing),
        n_features=n_features,
        **_about_images(preprocessing, dataset.features),
        warnings=[*notes, *warnings_of(findings)],
        findings=sorted({finding.code for finding in findings if not finding.accepted}),
        weight=data.weight,
        time=data.time,
        time_range=ranges,
        **fitted_target,
        **described,
    )
    said = [*dataset.messages.notes, *(_notes_of_time(dataset, rows, ranges, data) if ranges else [])]
    return Prepared(splits, summary, preprocessing | fitted_target, said, findings)


def _rows_needed(dataset: Dataset, data: Data) -> int:
    """Return how many rows a class needs to be in every split."""
    shares = [data.val_fraction] if dataset.test_rows is not None else [data.test_fraction, data.val_fraction]
    return 1 + sum(share > 0 for share in shares)


def _class_counts(target: Target, dataset: Dataset) -> np.ndarray:
    """Return the rows of each class without those of an own test set."""
    assert target.classes is not None
    return np.bincount(target.y[: len(target.y) - (dataset.test_rows or 0)], minlength=len(target.classes))


def _rare_rows(target: Target, dataset: Dataset, data: Data) -> np.ndarray:
    """Return which rows are of a class that has too few to be in every split, bool `[n]`."""
    if target.classes is None:
        return np.zeros(len(target.y), bool)
    return (_class_counts(target, dataset) < _rows_needed(dataset, data))[target.y]


def _check_class_sizes(target: Target, dataset: Dataset, data: Data) -> None:
    if target.classes is None:
        return
    counts, needed = _class_counts(target, dataset), _rows_needed(dataset, data)
    if dataset.test_rows is not None and (counts == 0).any():
        unknown = [name for name, count in zip(target.classes, counts, strict=True) if count == 0]
        known = [name for name, count in zip(target.classes, counts, strict=True) if count]
        raise InputError(
            f"data.test_source: its target has {nearest_first('', map(repr, unknown), SHOWN)}, which data.source has "
            f"not; there it has {nearest_first('', map(repr, known), SHOWN)}"
        )
    smallest = int(counts.argmin())
    if counts[smallest] < needed and data.rare_classes == "refuse":
        hint = ", or is this data.task regression?" if pd.api.types.is_numeric_dtype(dataset.target) else ""
        raise InputError(
            f"data.target: class {target.classes[smallest]!r} has {_counted(counts[smallest], 'row')} to split, "
            f"at least {needed} are needed, as many as there are splits; data.rare_classes leave_out leaves such rows "
            f"out, train keeps them all to train on{hint}"
        )


def _split_rows(dataset: Dataset, target: Target, data: Data) -> dict[SplitName, np.ndarray]:
    _check_official_groups(dataset, data)
    strata = target.y if target.classes else np.zeros(len(dataset), np.int32)
    rare = _rare_rows(target, dataset, data)
    rare[len(rare) - (dataset.test_rows or 0) :] = False
    rows = _around(rare, dataset, strata, data)
    if target.classes is None:
        return rows
    absent = _absent(target, rows["train"])
    if absent:
        cause = _cause(absent[0], dataset, target, rows, data)
        raise InputError(
            f"{cause} leaves {_counted(len(rows['train']), 'row')} to train on, none of them of class "
            f"{absent[0]!r}; there are {len(target.classes)} classes"
        )
    return rows


def _around(rare: np.ndarray, dataset: Dataset, strata: np.ndarray, data: Data) -> dict[SplitName, np.ndarray]:
    """Split the rows that are not rare, and give the rare ones, if there are any, to training."""
    others = np.flatnonzero(~rare)
    groups = None if dataset.groups is None else dataset.groups[others]
    order = _order(dataset)
    parts = partition(strata[others], data, groups, dataset.test_rows, None if order is None else order[others])
    rows = {name: others[index] for name, index in parts.items()}
    return rows | {"train": np.concatenate([rows["train"], np.flatnonzero(rare)])}


def _order(dataset: Dataset) -> np.ndarray | None:
    """Return the order of the rows in time, int64 `[n]`, equal for rows of one time; None without times.

    All rows of a group have the time of its latest row, so that whole groups are split by time.
    """
    if dataset.times is None:
        return None
    times = dataset.times if dataset.groups is None else dataset.times.groupby(dataset.groups).transform("max")
    return np.unique(times, return_inverse=True)[1].astype(np.int64)


def _notes_of_time(
    dataset: Dataset,
    rows: dict[SplitName, np.ndarray],
    ranges: dict[SplitName, tuple[str, str] | None],
    data: Data,
) -> list[str]:
    """Say from when to when each split goes, and where rows of one time make it another share than was asked for."""
    spans = ", ".join(f"{name} from {ends[0]} to {ends[1]}" for name, ends in ranges.items() if ends)
    use = "is no feature" if data.time in data.drop else "is a feature too, unless data.drop names it"
    notes = [f"the splits go by data.time {data.time!r}, which {use}: {spans}"]
    left = len(dataset) - (dataset.test_rows or 0)
    unit = "time" if dataset.groups is None else "group"
    taken = {"data.test_fraction": (data.test_fraction, rows["test"])} if dataset.test_rows is None else {}
    for setting, (share, index) in (taken | {"data.val_fraction": (data.val_fraction, rows["validation"])}).items():
        if abs(len(index) / left - share) > NOTED_CHANGE * share:
            notes.append(f"{setting} {share:g} became {len(index) / left:.3g}, since rows of one {unit} stay together")
        left -= len(index)
    return notes


def _cause(name: str, dataset: Dataset, target: Target, rows: dict[SplitName, np.ndarray], data: Data) -> str:
    """The settings by which no row of the class is left to train on."""
    kept = np.delete(np.arange(len(target.y)), np.concatenate([rows["validation"], rows["test"]]))
    if name not in _absent(target, kept):
        return "data.train_fraction"
    if data.time is not None:
        return f"data.time {data.time!r}"
    split = f"data.split_seed {data.split_seed}"
    return split if dataset.groups is None else f"data.group {data.group!r} with {split}"


def _absent(target: Target, rows: np.ndarray) -> list[str]:
    if target.classes is None:
        return []
    counts = np.bincount(target.y[rows], minlength=len(target.classes))
    return [name for name, count in zip(target.classes, counts, strict=True) if count == 0]


def _absent_classes(target: Target, rows: dict[SplitName, np.ndarray]) -> list[str]:
    """A note for each split whose scores leave out a class; each class has a row to train on."""
    absent = {name: _absent(target, index) for name, index in rows.items() if len(index)}
    return [
        Sentence[f"{name.upper()}_LACKS"].format(classes=nearest_first("", classes, SHOWN))
        for name, classes in absent.items()
        if classes
    ]


def _check_official_groups(dataset: Dataset, data: Data) -> None:
    if dataset.groups is None or dataset.test_rows is None:
        return
    own = len(dataset) - dataset.test_rows
    both = np.intersect1d(dataset.groups[:own], dataset.groups[own:])
    if len(both):
        raise InputError(
            f"data.group {data.group!r}: {_counted(len(both), 'group')} with rows in data.source and in "
            "data.test_source; a group must be in one of them"
        )


def _fit(dataset: Dataset, train: np.ndarray, data: Data, notes: list[str]) -> dict[str, Any]:
    """Return the constants of the preprocessing; a column without a value to train on is left out, with a note."""
    if isinstance(dataset.features, np.ndarray):
        return fit_images(dataset.features[train], dataset.pixel_max, data.scaling)
    table = dataset.features.iloc[train]
    empty = [name for name in table if table[name].isna().all()]
    notes += [Sentence.NO_TRAINING_VALUE.format(name=repr(name)) for name in empty]
    if len(empty) == table.shape[1]:
        raise InputError(f"data.source {data.source} has no column with a value in the training part")
    kinds = {name: kind for name, kind in dataset.kinds.items() if name not in empty}
    return fit_table(table, kinds, data, dataset.written, None if dataset.weights is None else dataset.weights[train])


def _transformed(preprocessing: dict[str, Any], features: pd.DataFrame | np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return what the network sees of some rows, float32 `[rows, features]`, all finite."""
    # A value far outside a narrow training range can be too large for float32; the message below names its column.
    with np.errstate(over="ignore"):
        x = serving.apply(
            preprocessing, features.iloc[index] if isinstance(features, pd.DataFrame) else features[index]
        )
    finite = np.isfinite(x).all(axis=0)
    if not finite.all():
        column = (feature_names(preprocessing) or range(len(finite)))[int(finite.argmin())]
        raise InputError(f"column {column!r} has a value that lies too far outside the training part's range")
    return x


def _about_images(preprocessing: dict[str, Any], features: pd.DataFrame | np.ndarray) -> dict[str, Any]:
    """Return the fields of `Summary` that say how large images are, and what becomes of a pixel of 0."""
    if isinstance(features, pd.DataFrame):
        return {"image_shape": None}
    shape = features.shape[1:]
    blank = serving.apply(preprocessing, np.zeros((1, *shape), np.float32))[0]
    return {"image_shape": list(shape), "image_blank": (blank[:1] if (blank == blank[0]).all() else blank).tolist()}


def _fit_target(
    target: Target, train: np.ndarray, weights: np.ndarray | None, data: Data
) -> tuple[np.ndarray, float | None, float | None]:
    """Return the values to learn; for regression also their mean and standard deviation in the training part."""
    if target.classes:
        return target.y, None, None
    values = target.y[train]
    if np.ptp(values) == 0:
        raise InputError(
            f"the {_counted(len(train), 'row')} that data.train_fraction {data.train_fraction} leaves to train on have "
            f"one target value only, {values[0]:g}; there is nothing to learn"
        )
    mean = float(np.average(values, weights=None if weights is None else weights[train]))
    scale = float(np.sqrt(np.average(np.square(values - mean), weights=None if weights is None else weights[train])))
    if not (np.isfinite(mean) and np.finfo(float).tiny < scale < np.inf):
        raise InputError(
            f"data.target has values that differ by {np.ptp(values):g} only or are too large to be scaled; give it in "
            "another unit"
        )
    return ((target.y - mean) / scale).astype(np.float32), mean, scale


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
