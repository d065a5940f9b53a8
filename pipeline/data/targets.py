"""Reading of the target: its task, its values and the names of its classes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.data.examples import Task
from pipeline.data.kinds import tidy
from pipeline.data.messages import first_row
from pipeline.data.sentences import Sentence
from pipeline.errors import InputError
from pipeline.serving import LARGEST
from pipeline.settings import Data

# Whole numbers are class labels if there are at most so many different ones, and at most one for every two rows.
MAX_NUMBERED_CLASSES = 20
# With at most so many different whole numbers, a note says that they were taken as numbers.
DOUBTFUL_CLASSES = 100


@dataclass(frozen=True, eq=False)
class Target:
    """The values to predict.

    Attributes:
        y: int32 [n], class indices; or float64 [n], the numbers of a regression.
        classes: the name of each class; None for regression.
        note: what the user should know.
    """

    task: Task
    y: np.ndarray
    classes: list[str] | None
    note: str | None = None


def read_target(column: pd.Series, name: str | None, data: Data, test_rows: int | None = None) -> Target:
    """Read the target for `data.task`, or for the task that its values suggest.

    Class names are in the order of the numbers, or of the alphabet; a whole number's name has no decimals.

    Args:
        test_rows: how many rows at the end are the source's own test set; None if it has none.

    Raises:
        InputError: a missing value, infinity, one class or value only, or text where numbers are needed.
    """
    label = "the target" if name is None else f"data.target: column {name!r}"
    _check_complete(column, label, data, test_rows)
    kind, values = tidy(column, label, "choose another data.target")
    guessed = _guess(kind, values)
    task = guessed if data.task == "auto" else data.task
    if task == "regression" and kind != "number":
        raise InputError(f"data.task regression needs a target of numbers; {label} holds {kind} values")
    if kind == "number" and (values.abs() > LARGEST).any():
        first = first_row((values.abs() > LARGEST).to_numpy(), test_rows, data.test_source)
        raise InputError(f"{label} holds infinity or a number beyond {LARGEST:.1e} (first in {first})")
    if values.nunique() < 2:
        raise InputError(f"{label} has one value only, {_name(values.iloc[0], kind)!r}; there is nothing to tell apart")
    if task == "regression":
        return Target(task, values.to_numpy(float), None, _regression_note(values, data))
    class_values, y = np.unique(values.to_numpy(), return_inverse=True)
    note = None
    if kind == "number" and data.task == "auto" and name is not None and len(class_values) > 2:
        note = Sentence.TAKEN_AS_CLASSES.format(count=len(class_values))
    return Target(task, y.astype(np.int32), [_name(value, kind) for value in class_values], note)


def _check_complete(column: pd.Series, label: str, data: Data, test_rows: int | None) -> None:
    missing = column.isna().to_numpy()
    if missing.any():
        first = first_row(missing, test_rows, data.test_source)
        raise InputError(
            f"{label} is missing in {missing.sum()} of {len(column)} rows (first in {first}); "
            "fill them in or take the rows out"
        )


def _guess(kind: str | None, values: pd.Series) -> Task:
    if kind != "number":
        return "classification"
    few = values.nunique() <= min(MAX_NUMBERED_CLASSES, len(values) // 2)
    return "classification" if few and bool((values % 1 == 0).all()) else "regression"


def _regression_note(values: pd.Series, data: Data) -> str | None:
    if data.task == "regression" or (values % 1 != 0).any() or values.nunique() > DOUBTFUL_CLASSES:
        return None
    return Sentence.TAKEN_AS_NUMBERS.format(count=values.nunique())


def _name(value: float | str, kind: str | None) -> str:
    if isinstance(value, str):
        return value
    if kind == "boolean":
        return str(bool(value))
    return str(int(value)) if value.is_integer() else str(float(value))
