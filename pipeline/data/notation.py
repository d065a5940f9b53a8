"""How the numbers of a text column are written: decimal mark, thousands mark, and a unit: $, %, a clock's."""

import pandas as pd

from pipeline.serving import CLOCK, MISSING_WORDS, Notation, read_numbers
from pipeline.settings import Read

SAMPLE = 20
UNITS = f"$€£¥₹%{CLOCK}"
# Decimal mark and thousands mark. `1,080` is taken for 1080: decimal commas seldom have three decimals everywhere.
ENGLISH, CONTINENTAL = (".", ","), (",", ".")


def is_text(column: pd.Series) -> bool:
    """Return whether a column holds text that may be written numbers; what is declared categorical is meant as text."""
    categorical = isinstance(column.dtype, pd.CategoricalDtype)
    return not categorical and pd.api.types.infer_dtype(column, skipna=True) == "string"


def has_decimal_commas(table: pd.DataFrame) -> bool:
    """Return whether a column of the table can only be read with decimal commas, as then all others have them too."""
    texts = [column for _, column in table.items() if is_text(column)]
    return any(
        _find(column, [CONTINENTAL]) is not None and _find(column, [ENGLISH]) is None for column in map(_present, texts)
    )


def find_notation(column: pd.Series, read: Read, decimal_commas: bool) -> Notation | None:
    """Return how the numbers of a text column are written; None if not all of its values are numbers.

    Args:
        decimal_commas: whether other columns of the file have them, which decides on `1,080` unless `read` does.
    """
    if read.decimal is None and read.thousands is None:
        marks = [CONTINENTAL, ENGLISH] if decimal_commas else [ENGLISH, CONTINENTAL]
    else:
        decimal = read.decimal or ("," if read.thousands == "." else ".")
        marks = [(decimal, read.thousands or ("." if decimal == "," else ","))]
    return _find(_present(column), marks)


def _present(column: pd.Series) -> pd.Series:
    """Return the different values of a column, in their order, without blanks around them and missing ones."""
    texts = pd.Series(column.dropna().unique()).str.strip()
    return texts[(texts != "") & ~texts.isin(MISSING_WORDS)]


def _find(texts: pd.Series, marks: list[tuple[str, str]]) -> Notation | None:
    if texts.empty:
        return None
    unit = next((unit for unit in UNITS if unit in texts.iloc[0]), "")
    # 5 and 5% in one column may be of two units.
    if not texts.str.contains(unit, regex=False).all():
        return None
    for decimal, thousands in marks:
        notation: Notation = {"decimal": decimal, "thousands": thousands, "unit": unit}
        # Most columns hold no numbers, as their first values show.
        if all(read_numbers(values, notation).notna().all() for values in (texts.head(SAMPLE), texts)):
            return notation
    return None
