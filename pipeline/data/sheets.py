"""Tables in Excel workbooks, whose cells have types of their own: a column may hold numbers, text and both."""

import warnings
import zipfile
from pathlib import Path

import pandas as pd

from pipeline.data.limits import check_unpacked


def read_cells(setting: str, path: Path, sheet: int | str | None) -> tuple[pd.DataFrame, list[str]]:
    """Return the cells of a sheet without empty rows and columns, NaN where a cell is empty; and notes for the user.

    Args:
        sheet: its name, or its number counted from 1; None: the first.

    Raises:
        InputError: the workbook unpacks to more than is allowed.
        ValueError: it is no workbook, has no such sheet, or an empty one.
    """
    if not zipfile.is_zipfile(path):
        raise ValueError("it is no Excel workbook, or one with a password")
    with zipfile.ZipFile(path) as archive:
        check_unpacked(setting, path, sum(entry.file_size for entry in archive.infolist()))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the parts of a workbook that hold no cells, such as drop-down lists
            with pd.ExcelFile(path, engine="openpyxl") as book:
                names = [str(name) for name in book.sheet_names]
                chosen = _chosen(names, sheet)
                cells = book.parse(chosen, header=None, dtype="object", keep_default_na=False, na_values=[""])
    except ValueError:
        raise
    # openpyxl raises many kinds of errors for a damaged workbook, which have no class of their own in common.
    except Exception as error:
        raise ValueError(f"it is damaged: {error}") from None
    cells = cells.dropna(how="all").dropna(how="all", axis="columns")
    if cells.empty:
        raise ValueError(f"its sheet {chosen!r} is empty")
    notes = []
    if len(names) > 1 and sheet is None:
        notes.append(f"of its sheets {', '.join(map(repr, names))} the first is read; data.read.sheet sets another")
    return cells, notes


def _chosen(names: list[str], sheet: int | str | None) -> str:
    if isinstance(sheet, str) and sheet in names:
        return sheet
    if not isinstance(sheet, str) and (sheet or 1) <= len(names):
        return names[(sheet or 1) - 1]
    raise ValueError(f"data.read.sheet must be one of {', '.join(map(repr, names))}, or their number; got {sheet!r}")


def as_texts(cells: pd.Series) -> pd.Series:
    """Return the cells of a column as texts, NaN where one is empty; a whole number has no decimals."""
    return cells.map(str, na_action="ignore")
