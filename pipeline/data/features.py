"""The columns of a table that a model learns from: their kinds, and their values as numbers, texts or dates."""

import pandas as pd

from pipeline.data.kinds import Kind, tidy
from pipeline.data.messages import Messages
from pipeline.data.sentences import Sentence
from pipeline.data.texts import kind_of
from pipeline.errors import InputError
from pipeline.serving import LARGEST
from pipeline.settings import Data

# A text column with more different values than this, nearly all of them numbers, is meant as numbers: the other
# values, such as "?", are refused.
MAX_NUMBERS_AS_CATEGORIES = 20
MAX_STRAY_SHARE = 0.1


def tidy_features(
    parts: dict[str, pd.DataFrame], data: Data, messages: Messages
) -> tuple[pd.DataFrame, dict[str, Kind]]:
    """Tidy each column of a table and join its parts; return the values and the kind of each that is kept.

    Args:
        parts: the same columns in the table, and in that of the test set if there is one, by the setting that names it.
        messages: where is noted what was decided.

    Raises:
        InputError: columns that no network can learn from, all of them in one message.
    """
    columns: dict[str, pd.Series] = {}
    kinds: dict[str, Kind] = {}
    problems = []
    for name in next(iter(parts.values())).columns:
        try:
            kind, values = tidy_feature(name, {setting: part[name] for setting, part in parts.items()})
        except InputError as error:
            problems.append(str(error))
            continue
        if kind is None:
            messages.warnings.append(Sentence.NO_VALUE.format(name=repr(name)))
            continue
        if kind == "text" and (kind := kind_of(name, values, data, messages)) is None:
            continue
        columns[name], kinds[name] = values, kind
    if problems:
        raise InputError("; ".join(problems))
    return pd.DataFrame(columns), kinds


def tidy_feature(name: str, parts: dict[str, pd.Series]) -> tuple[Kind | None, pd.Series]:
    """Return a column's kind and its values in all parts; the first part decides what the column holds.

    Raises:
        InputError: the parts differ in kind; values of a kind that no network takes, infinity, or a number too large.
    """
    label, source = next(iter(parts.items()))
    if pd.api.types.is_datetime64_any_dtype(source) and source.notna().any():
        return "date", pd.concat(list(parts.values()), ignore_index=True)
    tidied = {
        setting: tidy(part, f"{setting}: column {name!r}", "name it in data.drop, or in data.kinds as a category")
        for setting, part in parts.items()
    }
    kind, of_source = tidied[label]
    joined = pd.concat([values for _, values in tidied.values()], ignore_index=True)
    if kind is None:
        return None, joined
    test_kind = tidied.get("data.test_source", (kind,))[0]
    if test_kind not in (kind, None):
        raise InputError(f"data.test_source: column {name!r} holds {test_kind} values, in {label} {kind} values")
    if kind == "text":
        # A column that is declared categorical is meant as text, even if its categories look like numbers.
        if not isinstance(source.dtype, pd.CategoricalDtype):
            _check_no_numbers(f"{label}: column {name!r}", of_source)
        return kind, joined
    for setting, (_, values) in tidied.items():
        _check_range(f"{setting}: column {name!r}", values)
    return kind, joined


def _check_no_numbers(label: str, values: pd.Series) -> None:
    """Refuse a column of numbers that a few cells, such as "?", turn into text, which would be one-hot encoded."""
    present = values.notna()
    is_stray = (present & pd.to_numeric(values, errors="coerce").isna()).to_numpy()
    n_present, strays = present.sum(), is_stray.sum()
    if not 0 < strays <= MAX_STRAY_SHARE * n_present or values.nunique() <= MAX_NUMBERS_AS_CATEGORIES:
        return
    row = int(is_stray.argmax())
    raise InputError(
        f"{label} holds numbers, but in {strays} of {n_present} cells something else (first {values.iloc[row]!r} in "
        f"row {row + 1}); set its kind in data.kinds to number if these are missing values, or to category if all are "
        "names; data.drop leaves the column out"
    )


def _check_range(label: str, values: pd.Series) -> None:
    outside = values.abs() > LARGEST
    if outside.any():
        row = int(outside.argmax()) + 1
        raise InputError(f"{label} holds infinity or a number beyond {LARGEST:.1e} (first in row {row})")
