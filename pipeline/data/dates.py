"""Recognition of dates in a column, and of what stands first in them, the day or the month."""

import pandas as pd

from pipeline.serving import MISSING_WORDS, DateOrder, read_dates

SAMPLE = 20
# With a larger share of other cells a column is none of dates.
MAX_STRAY_SHARE = 0.1


def find_date_order(column: pd.Series) -> tuple[DateOrder, bool] | None:
    """Return the order in which most values of a column are dates, and whether that is certain; see `read_dates`.

    None is returned for a column that is none of dates. Where the values fit both orders the month stands first if
    there are slashes, else the day.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        return None
    inferred = pd.api.types.infer_dtype(column, skipna=True)
    if inferred.startswith("date"):
        return "DMY", True
    present = column[column.notna() & ~column.isin(MISSING_WORDS)]
    # Most columns are no dates, as their first values show.
    if inferred != "string" or not any(
        read_dates(present.head(SAMPLE), order).notna().any() for order in ("DMY", "MDY")
    ):
        return None
    day_first, month_first = read_dates(present, "DMY"), read_dates(present, "MDY")
    either = day_first if day_first.count() > month_first.count() else month_first
    if either.count() < (1 - MAX_STRAY_SHARE) * len(present):
        return None
    if day_first.count() != month_first.count():
        return ("DMY" if either is day_first else "MDY"), True
    return ("MDY" if present.str.contains("/", regex=False).any() else "DMY"), day_first.equals(month_first)
