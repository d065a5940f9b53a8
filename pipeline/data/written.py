"""Text columns that hold written numbers or dates, read as these, with a note for the user."""

from typing import Any

import pandas as pd

from pipeline.data.dates import find_date_format
from pipeline.data.notation import find_notation, has_decimal_commas, is_text
from pipeline.data.tables import Messages, shown
from pipeline.errors import InputError
from pipeline.serving import MISSING_WORDS, Notation, read_dates, read_numbers
from pipeline.settings import Data


def as_values(
    tables: dict[str, pd.DataFrame], data: Data, target: str, messages: Messages
) -> tuple[dict[str, pd.DataFrame], dict[str, dict[str, Any]]]:
    """Return the tables with written numbers and dates read, and how each such column is written, as plain data.

    The first table decides how a column is written. Notes are added to `messages`.

    Args:
        tables: by the setting that names them, with the same columns.

    Raises:
        InputError: the second table has a value that is written in another way.
    """
    source = next(iter(tables.values()))
    notations = _notations(source, data, target, messages)
    formats = _date_formats(source.drop(columns=[target, *([] if data.group is None else [data.group])]), messages)
    tables = {
        setting: _in_dates(setting, _in_numbers(setting, table, notations), formats)
        for setting, table in tables.items()
    }
    written: dict[str, dict[str, Any]] = {name: {"notation": notation} for name, notation in notations.items()}
    return tables, written | {name: {"format": date_format} for name, date_format in formats.items()}


def _notations(table: pd.DataFrame, data: Data, target: str, messages: Messages) -> dict[str, Notation]:
    """Return how numbers are written in columns of text, with a note for each way; classes and groups stay text."""
    decimal_commas = has_decimal_commas(table)
    text = {data.group} | ({target} if data.task == "classification" else set())
    notations = {
        str(name): notation
        for name, column in table.items()
        if name not in text and is_text(column) and (notation := find_notation(column, data.read, decimal_commas))
    }
    by_notation: dict[tuple[str, ...], list[str]] = {}
    for name, notation in notations.items():
        by_notation.setdefault((notation["decimal"], notation["thousands"], notation["unit"]), []).append(name)
    for names in by_notation.values():
        written = table[names[0]][~table[names[0]].isin(MISSING_WORDS)].dropna().iloc[0]
        number = read_numbers(pd.Series([written]), notations[names[0]]).iloc[0]
        messages.notes.append(
            f"data.source: text is read as numbers, such as {written!r} as {number:.10g}, in column {shown(names)}; "
            "data.read.decimal and data.read.thousands set other marks"
        )
    return notations


def _date_formats(table: pd.DataFrame, messages: Messages) -> dict[str, str]:
    """Return how the dates of a column are written, for each column of dates, with a note for each."""
    found = {str(name): find_date_format(column) for name, column in table.items()}
    formats = {name: date_format for name, date_format in found.items() if date_format is not None}
    for name, date_format in formats.items():
        first = table[name][~table[name].isin(MISSING_WORDS)].dropna().iloc[:1]
        day = read_dates(first, date_format).iloc[0]
        messages.notes.append(
            f"data.source: column {name!r} holds dates, such as {str(first.iloc[0])!r} for {day:%Y-%m-%d}; "
            "its features are year, month, day of the year, weekday and, where there are any, hours (in UTC)"
        )
    return formats


def _in_dates(setting: str, table: pd.DataFrame, formats: dict[str, str]) -> pd.DataFrame:
    """Return the table with its dates as dates."""
    dates = {}
    for name, date_format in formats.items():
        dates[name] = read_dates(table[name].mask(table[name].isin(MISSING_WORDS)), date_format)
        _check_written(setting, table[name], dates[name], f"date as those of data.source are written ({date_format})")
    return table.assign(**dates)


def _check_written(setting: str, column: pd.Series, values: pd.Series, expected: str) -> None:
    wrong = values.isna() & column.notna() & ~column.isin(MISSING_WORDS)
    if wrong.any():
        raise InputError(f"{setting}: column {column.name!r} holds {column[wrong].iloc[0]!r}, which is no {expected}")


def _in_numbers(setting: str, table: pd.DataFrame, notations: dict[str, Notation]) -> pd.DataFrame:
    """Return the table with its written numbers as numbers."""
    numbers = {}
    for name, notation in notations.items():
        numbers[name] = read_numbers(table[name], notation)
        marks = f"decimal mark {notation['decimal']!r}, thousands mark {notation['thousands']!r}"
        _check_written(setting, table[name], numbers[name], f"number as those of data.source are written ({marks})")
    return table.assign(**numbers)
