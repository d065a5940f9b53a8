"""Text columns that hold written numbers or dates, read as these, with a note for the user."""

from typing import Any

import pandas as pd

from pipeline.data.dates import find_date_order
from pipeline.data.messages import Messages, shown
from pipeline.data.notation import find_notation, has_decimal_commas, is_text
from pipeline.errors import InputError
from pipeline.serving import CLOCK, MISSING_WORDS, Notation, read_dates, read_numbers
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
    label, source = next(iter(tables.items()))
    notations = _notations(label, source, data, target, messages)
    candidates = source.drop(columns=[target, *([] if data.group is None else [data.group])])
    dates = _date_orders(label, candidates, data, messages)
    tables = {
        setting: _in_dates(setting, _in_numbers(setting, table, notations), dates, messages)
        for setting, table in tables.items()
    }
    return tables, {name: {"notation": notation} for name, notation in notations.items()} | dates


def _notations(label: str, table: pd.DataFrame, data: Data, target: str, messages: Messages) -> dict[str, Notation]:
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
        read = f"such as {written!r} as {number:.10g}, in column {shown(names)}"
        messages.notes.append(
            f"{label}: times of day are read as hours, {read}"
            if notations[names[0]]["unit"] == CLOCK
            else f"{label}: text is read as numbers, {read}; data.read.decimal and data.read.thousands set other marks"
        )
    return notations


def _date_orders(label: str, table: pd.DataFrame, data: Data, messages: Messages) -> dict[str, dict[str, Any]]:
    """Return how each column of dates is written, with a note: its `order`, and whether it is `lenient` with others."""
    written: dict[str, dict[str, Any]] = {}
    features = "; its features are year, month, day of the year, weekday and, where there are any, hours (in UTC)"
    for name, column in ((str(name), column) for name, column in table.items()):
        if (order := find_date_order(column)) is None:
            continue
        present = column[column.notna() & ~column.isin(MISSING_WORDS)]
        dates = read_dates(present, order[0])
        written[name] = {"order": order[0]} | ({"lenient": True} if dates.isna().any() else {})
        first = dates.first_valid_index()
        doubt = "" if order[1] else ", though day and month might be the other way round"
        messages.notes.append(
            f"{label}: column {name!r} holds dates, such as {str(present[first])!r} for "
            f"{dates[first]:%Y-%m-%d}{doubt}{'' if name in data.drop else features}"
        )
    return written


def _in_dates(
    setting: str, table: pd.DataFrame, written: dict[str, dict[str, Any]], messages: Messages
) -> pd.DataFrame:
    """Return the table with its dates as dates; among lenient ones what is no date is missing, with a note."""
    dates = {}
    for name, how in written.items():
        texts = table[name].mask(table[name].isin(MISSING_WORDS))
        dates[name] = read_dates(texts, how["order"])
        strays = texts[dates[name].isna() & texts.notna()]
        if not how.get("lenient"):
            order = "day, month, year" if how["order"] == "DMY" else "month, day, year"
            _check_written(setting, texts, dates[name], f"date as those of data.source are written ({order})")
        elif len(strays):
            messages.notes.append(
                f"{setting}: {len(strays)} cells of column {name!r} are no dates, such as {strays.iloc[0]!r}, and "
                "count as missing"
            )
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
