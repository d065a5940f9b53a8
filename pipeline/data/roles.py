"""The roles of a table's columns: the target, groups, weights and times beside what a model learns from."""

from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.data.dataset import Dataset
from pipeline.data.features import tidy_feature, tidy_features
from pipeline.data.kinds import of_kinds
from pipeline.data.labels import one_spelling
from pipeline.data.messages import Messages, first_row, shown
from pipeline.data.tables import without_blanks
from pipeline.data.written import as_values
from pipeline.errors import InputError
from pipeline.settings import Data


def from_table(
    frame: pd.DataFrame,
    data: Data,
    target: str | None = None,
    test: pd.DataFrame | None = None,
    messages: Messages | None = None,
    label: str = "data.source",
) -> Dataset:
    """Sort a table's columns into target, group and features.

    Args:
        target: the column that the source names.
        test: a table that is the test set.
        label: of the table, in messages.

    Raises:
        InputError: a column that does not exist or cannot be used.
    """
    messages = messages or Messages()
    messages.found = [one for one in messages.found if one[1] not in data.drop]
    columns = list(frame.columns)
    target = _checked_target(columns, data, target, messages)
    left_out = {target, data.group, data.weight, *data.drop}
    names = [name for name in columns if name not in left_out]
    others = [name for name in (data.group, data.time, data.weight) if name is not None and name not in names]
    used = [*names, target, *dict.fromkeys(others)]
    if test is not None:
        _check_same_columns(used, list(test.columns), data)
    parts = {label: frame[used]} | ({} if test is None else {"data.test_source": test[used]})
    cleaned = {setting: _cleaned(setting, part, target, data, messages) for setting, part in parts.items()}
    tables = {setting: table for setting, (table, _) in cleaned.items()}
    has_target = np.concatenate([rows for _, rows in cleaned.values()])
    tables, written = as_values(one_spelling(tables, target, messages), data, target, messages)
    written |= {name: {"lenient": True} for name, kind in data.kinds.items() if kind == "number"}
    features, kinds = tidy_features({setting: table[names] for setting, table in tables.items()}, data, messages)
    if not kinds:
        raise InputError(f"data.source {data.source} has no column left to learn from besides {target!r}")
    rest = pd.concat([table.drop(columns=names) for table in tables.values()], ignore_index=True)
    test_rows = None if test is None else len(tables["data.test_source"])
    groups = None if data.group is None else _groups(rest[data.group], test_rows, data)
    times = None if data.time is None else _times(data.time, tables, test_rows, data)
    dataset = Dataset(
        features, rest[target], target, kinds, written, np.flatnonzero(has_target), groups,
        times=times, test_rows=test_rows, messages=messages,
    )  # fmt: skip
    return dataset if data.weight is None else _weighted(dataset, data.weight, tables, data)


def _cleaned(
    setting: str, table: pd.DataFrame, target: str, data: Data, messages: Messages
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a table without blanks around values and rows without a target, and which rows have one, bool `[n]`."""
    table, padded = without_blanks(table)
    if padded:
        messages.notes.append(f"{setting}: blanks around values are taken off in column {shown(padded)}")
    table, has_target = _with_target(setting, table, target, messages)
    return of_kinds(setting, table, data.kinds, messages), has_target


def _with_target(setting: str, table: pd.DataFrame, target: str, messages: Messages) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the rows that have a target, and which these are; all rows if none has one, which is refused later."""
    present = table[target].notna().to_numpy()
    if present.all() or not present.any():
        return table, np.ones(len(table), bool)
    messages.notes.append(
        f"{setting}: rows without a value of the target {target!r} are left out: {(~present).sum()} of {len(present)}"
    )
    return table[present].reset_index(drop=True), present


def _checked_target(columns: list[str], data: Data, target: str | None, messages: Messages) -> str:
    """Check that the table has the columns that the settings name; return the one to predict."""
    chosen = data.target or target
    if chosen is None:
        raise InputError(f"data.target must name the column to predict; the columns are {shown(columns)}")
    named = [("data.target", data.target), ("data.group", data.group), ("data.time", data.time)]
    named += [("data.weight", data.weight)]
    named += [(f"data.{setting}", name) for setting in ("drop", "kinds") for name in getattr(data, setting)]
    for setting, name in named:
        if name is None or name in columns:
            continue
        # How the file was read may be why the name is not there.
        told = [*messages.notes, *messages.warnings]
        told += ["is it separated by another mark? set data.read.separator"] if len(columns) == 1 else []
        hint = "".join(f"; {text}" for text in told)
        raise InputError(f"{setting}: there is no column {name!r}; the columns are {shown(columns, name)}{hint}")
    others = {name: [getattr(data, name)] for name in ("group", "time", "weight")}
    for setting, names in (others | {"drop": data.drop}).items():
        if chosen in names:
            raise InputError(f"data.{setting} names {chosen!r}, which is the column to predict")
    return chosen


def _check_same_columns(expected: list[str], columns: list[str], data: Data) -> None:
    missing = [name for name in expected if name not in columns]
    extra = [name for name in columns if name not in expected and name not in data.drop]
    if missing or extra:
        problems = [f"lacks {shown(missing)}"] * bool(missing) + [f"adds {shown(extra)}"] * bool(extra)
        raise InputError(
            f"data.test_source {data.test_source} must have the columns of data.source: it {' and '.join(problems)}"
        )


def _groups(column: pd.Series, test_rows: int | None, data: Data) -> np.ndarray:
    missing = column.isna().to_numpy()
    if missing.any():
        first = first_row(missing, test_rows, data.test_source)
        raise InputError(f"data.group {data.group!r} is missing in {missing.sum()} rows (first in {first})")
    return pd.factorize(column)[0]


def _weighted(dataset: Dataset, name: str, tables: dict[str, pd.DataFrame], data: Data) -> Dataset:
    """Return the dataset with the weights that a column holds, without the rows that weigh nothing."""
    kind, column = tidy_feature(name, {setting: table[name] for setting, table in tables.items()})
    if kind not in ("number", "boolean", None):
        raise InputError(f"data.weight must name a column of numbers; {name!r} holds {kind} values")
    weights = column.to_numpy(float)
    for marked, problem in ((np.isnan(weights), "is missing"), (weights < 0, "is below 0")):
        if marked.any():
            first = first_row(marked, dataset.test_rows, data.test_source)
            raise InputError(f"data.weight {name!r} {problem} in {marked.sum()} rows (first in {first})")
    counts = weights.astype(np.float32) > 0
    if not counts.any():
        raise InputError(f"data.weight {name!r} is 0 in all rows")
    if not counts.all():
        dataset.messages.notes.append(
            f"rows of data.weight {name!r} 0 are left out: {(~counts).sum()} of {len(counts)}"
        )
    return replace(dataset, weights=weights).take(np.flatnonzero(counts))


def _times(name: str, tables: dict[str, pd.DataFrame], test_rows: int | None, data: Data) -> pd.Series:
    """Return the column that the rows are split by."""
    kind, times = tidy_feature(name, {setting: table[name] for setting, table in tables.items()})
    if kind not in ("date", "number", None):
        raise InputError(f"data.time must name a column of dates or numbers; {name!r} holds {kind} values")
    missing = times.isna().to_numpy()
    if missing.any():
        first = first_row(missing, test_rows, data.test_source)
        raise InputError(f"data.time {name!r} is missing in {missing.sum()} rows (first in {first})")
    return times
