"""Recognition of dates in a column, and how they are written."""

import pandas as pd

from pipeline.serving import ISO8601, MISSING_WORDS, read_dates

ISO_DATE = r"\d{4}-\d{1,2}-\d{1,2}(?:[T ]\d{1,2}:.*)?"
# If several formats fit all values, the first in this list is taken. Years of two digits are read between slashes
# alone, since 3.11.7 and 1-2-20 are as often something else.
DAYS = (
    "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y", "%Y/%m/%d", "%d.%m.%Y", "%Y.%m.%d", "%d-%m-%Y", "%m-%d-%Y",
)  # fmt: skip
TIMES = ("", " %H:%M", " %H:%M:%S")


def find_date_format(column: pd.Series) -> str | None:
    """Return the format in which all values of a column are dates, None if there is none; see `read_dates`."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return None
    inferred = pd.api.types.infer_dtype(column, skipna=True)
    if inferred.startswith("date"):
        return ISO8601
    if inferred != "string":
        return None
    present = column[column.notna() & ~column.isin(MISSING_WORDS)]
    if present.empty:
        return None
    if present.str.fullmatch(ISO_DATE).all():
        return ISO8601 if read_dates(present, ISO8601).notna().all() else None
    formats = [day + time for day in DAYS for time in TIMES]
    # Most columns are no dates, as their first value shows.
    fitting = [each for each in formats if read_dates(present.iloc[:1], each).notna().all()]
    return next((each for each in fitting if read_dates(present, each).notna().all()), None)
