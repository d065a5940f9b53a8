"""From raw columns or images to what the network sees, and a model behind that step: class names or numbers out.

The training rows and the rows of a served model go through the same `apply`. This file is copied beside the served
model and runs where this project is not, so it imports nothing of it.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np
import pandas as pd

TRUTH = {"true": 1.0, "1": 1.0, "1.0": 1.0, "false": 0.0, "0": 0.0, "0.0": 0.0}
# These words mean a missing value among numbers and booleans; among text they are values like others.
MISSING_WORDS = ("NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "None", "NULL", "null")
# Larger numbers become infinite in the float32 that the network sees.
LARGEST = float(np.finfo(np.float32).max)


TEXT_CHUNK = 10_000  # texts whose n-grams are in memory at once
CLOCK = ":"  # the unit of times of day, which are read as hours
_TIME = r"(?i)^([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d(?:\.\d+)?))?\s*([ap]m)?$"


class Notation(TypedDict):
    """How numbers are written as text: their decimal mark, their thousands mark and their unit, which may be empty."""

    decimal: str
    thousands: str
    unit: str


def read_numbers(values: pd.Series, notation: Notation | None = None) -> pd.Series:
    """Return the numbers that values are, or are written in a notation, float64; NaN where a value is none.

    In the notation of a clock, whose unit is a colon, they are hours: `06:30` is 6.5, and so is `6:30:00 am`.
    """
    if notation is None:
        return pd.to_numeric(values, errors="coerce").astype(float)
    if notation["unit"] == CLOCK:
        parts = values.astype(object).where(values.notna(), "").astype(str).str.strip().str.extract(_TIME)
        hours, minutes, seconds = (pd.to_numeric(parts[place]) for place in range(3))
        hours = hours.where(parts[3].isna(), hours % 12 + 12 * parts[3].str.lower().eq("pm"))
        return (hours + minutes / 60 + seconds.fillna(0) / 3600).astype(float)
    is_text = values.map(lambda value: isinstance(value, str)).astype(bool)
    texts = values.astype(object).where(is_text)
    decimal, thousands, unit = (
        re.escape(mark) for mark in (notation["decimal"], notation["thousands"], notation["unit"])
    )
    pattern = (
        rf"\s*[-+]?\s*(?:{unit})?\s*[-+]?"
        rf"(?:(?:\d{{1,3}}(?:{thousands}\d{{3}})+|\d+)(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][-+]?\d+)?"
        rf"\s*(?:{unit})?\s*"
    )
    plain = texts.astype("str")
    plain = plain.where(plain.str.fullmatch(pattern).fillna(False).astype(bool))
    for mark in (notation["thousands"], notation["unit"], " ", "\u00a0"):
        plain = plain.str.replace(mark, "", regex=False) if mark else plain
    written = pd.to_numeric(plain.str.replace(notation["decimal"], ".", regex=False), errors="coerce").astype(float)
    return written.where(is_text, pd.to_numeric(values.mask(is_text), errors="coerce").astype(float))


DateOrder = Literal["DMY", "MDY"]

# By the first three letters of their names in English, German and Austrian; `mae` is that of `Maerz`.
MONTHS = {
    "jan": 1, "jän": 1, "feb": 2, "mar": 3, "mär": 3, "mae": 3, "mrz": 3, "apr": 4, "may": 5, "mai": 5, "jun": 6,
    "jul": 7, "aug": 8, "sep": 9, "oct": 10, "okt": 10, "nov": 11, "dec": 12, "dez": 12,
}  # fmt: skip
_MONTH = (
    r"(jan(?:uary?)?|jänner|feb(?:ruary?)?|mar(?:ch)?|mrz|m(?:ä|ae)rz?|apr(?:il)?|may|mai|jun[ei]?|jul[yi]?|aug(?:ust)?"
    r"|sept?(?:ember)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?)\.?"
)
# Years of two digits are read between slashes, between points if day and month have two digits too, and behind the
# name of a month, since 3.11.7 and 1-2-20 are as often something else. In each form the groups are year, month and day
# in some order.
_FORMS: dict[str, re.Pattern[str]] = {
    order: re.compile(
        rf"{form}(?:(?:t|,?\s+)(?P<hour>\d{{1,2}}):(?P<minute>\d\d)(?P<second>:\d\d(?:\.\d+)?)?"
        r"\s*(?P<half>[ap]m)?\s*(?P<zone>z|utc|gmt|[-+]\d\d(?::?\d\d)?)?(?:uhr)?)?"
    )
    for order, form in {
        "YMD": r"(\d{4})(?:([-/.])(\d{1,2})\2(\d{1,2})|年(\d{1,2})月(\d{1,2})日)",
        "numbers": r"(\d{1,2})(?:([-/.])(\d{1,2})\2(\d{4})|/(\d{1,2})/(\d\d)|(?<=\d\d)\.(\d\d)\.(\d\d))",
        "DMY": rf"(\d{{1,2}})(?:\.|st|nd|rd|th)?[\s-]*{_MONTH}[\s,-]*(\d{{4}}|\d\d)",
        "MDY": rf"{_MONTH}[\s-]*(\d{{1,2}})(?:st|nd|rd|th)?[\s,-]+(\d{{4}})",
    }.items()
}

# Without \d, which pandas would look for value by value.
ISO8601 = "[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?)?"


def read_dates(values: pd.Series, order: DateOrder) -> pd.Series:
    """Return dates in UTC, `datetime64`; NaT where a value is none.

    Read are `2020-01-31T06:00:00Z`, `31.1.2020`, `1/31/20`, `31. Januar 2020`, `Jan 31, 2020`, `2020年1月31日` and the
    like, all of them also in one column.

    Args:
        order: what stands first in `1/2/2020`, day or month.
    """
    if not pd.api.types.is_datetime64_any_dtype(values):
        # Dates as the standard has them need no other form; most long columns are of these.
        others = ~values.astype("str").str.fullmatch(ISO8601).astype(bool)
        values = values.astype(object).where(~others, values[others].astype(object).map(_iso8601(order)))
    return pd.to_datetime(values, format="ISO8601", errors="coerce", utc=True)


def _iso8601(order: DateOrder) -> Callable[[Any], Any]:
    """Return the function that writes a date as the standard does; None for what is no date."""

    def write(value: Any) -> Any:
        if isinstance(value, date):
            return value
        text = value.strip().lower() if isinstance(value, str) else ""
        for form, pattern in _FORMS.items():
            if match := pattern.fullmatch(text):
                parts = [part for part in match.groups()[: -len(pattern.groupindex)] if part and part not in "-/."]
                named = dict(zip(order if form == "numbers" else form, parts, strict=True))
                return _written(named, match.groupdict())
        return None

    return write


def _written(day: dict[str, str], time: dict[str, str | None]) -> str:
    year, month = int(day["Y"]), day["M"]
    if len(day["Y"]) == 2:  # as POSIX has it
        year += 1900 if year >= 69 else 2000
    number = int(month) if month.isdecimal() else MONTHS[month[:3]]
    written = f"{year:04}-{number:02}-{int(day['D']):02}"
    if time["hour"] is None:
        return written
    hour = int(time["hour"]) % 12 + 12 * (time["half"] == "pm") if time["half"] else int(time["hour"])
    zone = (time["zone"] or "").replace("utc", "z").replace("gmt", "z").upper()
    return f"{written}T{hour:02}:{time['minute']}{time['second'] or ''}{zone}"


def date_parts(dates: pd.Series) -> pd.DataFrame:
    """Return the parts of dates that may be features, `[n, 5]`."""
    return pd.DataFrame(
        {
            "year": dates.dt.year,
            "month": dates.dt.month,
            "day of year": dates.dt.day_of_year,
            "weekday": dates.dt.day_of_week,
            "hour": dates.dt.hour,
        }
    )


def _without_blanks(values: pd.Series, missing_words: tuple[str, ...] = ()) -> pd.Series:
    """Return values whose texts have no blanks around them, missing where nothing or a word for that is left."""
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
        return values
    stripped = values.astype(object).map(lambda value: value.strip() if isinstance(value, str) else value)
    return stripped.mask(stripped.isin(["", *missing_words]), np.nan)


def apply(preprocessing: dict[str, Any], raw: Any) -> np.ndarray:
    """Return the rows that the network sees, float32 `[n, features]`.

    Args:
        preprocessing: the fitted constants as plain data. The features of a column follow from its kind.
            number: (value - center) / scale; it may be text in the column's `notation`.
            boolean: 0 or 1.
            date: one feature for each of its `parts`, scaled like a number; day and month are in the column's `order`.
            text: 1 for its category, also if case or blanks differ, and 0 for the others. For a category that was not
            fitted the last feature is 1 if the column has `rare`, else all are 0.
            ngrams: the counts of its n-grams, of `lengths` letters, times `projection`, scaled like numbers.
            Texts lose the blanks around them, and a blank one is missing; where a column is `lenient`, so is what is
            not of its kind. A missing value is replaced by `missing`, and where the column has an `indicator`, one
            more feature is 1 for it and 0 otherwise. Of an image each pixel is (value - center) / scale.
        raw: a table with the columns by name, or images `[n, ...]`.

    Raises:
        ValueError: a column is missing, or has a value that is not of its kind, infinity or a number beyond `LARGEST`.
    """
    if preprocessing["kind"] == "image":
        images = np.asarray(raw, np.float32)
        pixels = images.reshape(len(images), int(np.prod(images.shape[1:])))
        if not np.isfinite(pixels).all():
            row = int(np.isfinite(pixels).all(axis=1).argmin()) + 1
            raise ValueError(f"row {row} holds NaN, infinity or a number beyond {LARGEST:.1e}; pixels are numbers")
        center, scale = (np.asarray(preprocessing[name]) for name in ("center", "scale"))
        return ((pixels - center) / scale).astype(np.float32)
    if missing := [column["name"] for column in preprocessing["columns"] if column["name"] not in raw]:
        raise ValueError(f"column {', '.join(map(repr, missing))} is missing; one without values may be empty")
    ends = np.cumsum([width(column) for column in preprocessing["columns"]]).tolist()
    features = np.zeros((len(raw), ends[-1]), np.float32)
    for column, first, end in zip(preprocessing["columns"], [0, *ends], ends, strict=False):
        _fill(features[:, first:end], raw, column)
    return features


def width(column: Mapping[str, Any]) -> int:
    """Return the number of a column's features."""
    if column["kind"] == "text":
        return len(column["categories"]) + bool(column.get("rare"))
    return len(column.get("parts", [None])) + bool(column.get("indicator"))


def _fill(features: np.ndarray, raw: pd.DataFrame, column: dict[str, Any]) -> None:
    """Write a column's features into an array of zeros, `[n, k]`."""
    rows, values = _distinct(raw[column["name"]])
    values = _without_blanks(values, () if column["kind"] in ("text", "ngrams") else MISSING_WORDS)
    if column["kind"] == "text":
        places = _places(values, column["missing"], column["categories"])[rows]
        known = np.flatnonzero(places >= 0)
        features[known, places[known]] = 1
        if column.get("rare"):
            features[:, -1] = places < 0
        return
    read = {"date": _date_parts, "ngrams": _ngram_parts}.get(column["kind"], _numbers)
    numbers, missing = read(values, rows, column)
    if column["kind"] != "boolean":
        numbers = (numbers - column["center"]) / column["scale"]
    features[:, : numbers.shape[1]] = numbers.astype(np.float32)[rows]
    if column.get("indicator"):
        features[:, -1] = missing[rows]


Rows = np.ndarray | slice  # for each row, the place of its value among the different ones


def _distinct(values: pd.Series) -> tuple[Rows, pd.Series]:
    """Return the different texts of a column, as they come first, and of which of them each row is.

    All values are returned where some are no texts, since 1 and True count as the same value.
    """
    if pd.api.types.infer_dtype(values, skipna=True) != "string":
        return slice(None), values
    rows, distinct = pd.factorize(values, use_na_sentinel=False)
    return rows, pd.Series(distinct, dtype=object)


def _numbers(values: pd.Series, rows: Rows, column: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers or booleans, float64 `[n, 1]`, and where they were missing."""
    if column["kind"] == "boolean":
        numbers = values.astype(object).astype(str).str.lower().map(TRUTH).to_numpy(float)
    elif pd.api.types.is_numeric_dtype(values):
        numbers = values.to_numpy(float, na_value=np.nan)
    else:
        numbers = read_numbers(values, column.get("notation")).to_numpy(float)
    missing = np.isnan(numbers)
    if not column.get("lenient"):
        _check_kind(values, missing, rows, column)
    _refuse(np.abs(numbers) > LARGEST, values, rows, column["name"], f"; numbers up to {LARGEST:.1e} are allowed")
    return np.where(missing, float(column["missing"]), numbers)[:, None], missing


def _date_parts(values: pd.Series, rows: Rows, column: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the parts of dates that are features, float64 `[n, k]`, and where dates were missing."""
    dates = read_dates(values, column["order"])
    missing = dates.isna().to_numpy()
    if not column.get("lenient"):
        _check_kind(values, missing, rows, column)
    filled = dates.fillna(pd.Timestamp(column["missing"]))
    return date_parts(filled)[column["parts"]].to_numpy(float), missing


def _ngram_parts(values: pd.Series, rows: Rows, column: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers that texts are encoded by, float64 `[n, k]`, and where texts were missing."""
    missing = values.isna().to_numpy()
    texts = values.astype(object).where(~missing, column["missing"]).map(text_of)
    projection = np.asarray(column["projection"])
    numbers = np.empty((len(texts), projection.shape[1]))
    for first in range(0, len(texts), TEXT_CHUNK):
        chunk = slice(first, first + TEXT_CHUNK)
        numbers[chunk] = count_ngrams(texts.iloc[chunk], column["lengths"], len(projection)) @ projection
    return numbers, missing


def count_ngrams(texts: pd.Series, lengths: Sequence[int], buckets: int) -> Any:
    """Return how often each n-gram, within words, stands in each text, a sparse matrix `[n, buckets]`.

    N-grams are hashed into the buckets; case makes no difference, nor does the notation of a number, and each row has
    the Euclidean norm 1.

    Args:
        lengths: the least and the largest number of letters.
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(analyzer="char_wb", ngram_range=tuple(lengths), n_features=buckets)
    return hashing.transform(texts.map(in_one_notation))


def _check_kind(values: pd.Series, missing: np.ndarray, rows: Rows, column: dict[str, Any]) -> None:
    wrong = missing & values.notna().to_numpy() if missing.any() else missing
    _refuse(wrong, values, rows, column["name"], f", which is no {column['kind']}")


def _refuse(wrong: np.ndarray, values: pd.Series, rows: Rows, name: str, reason: str) -> None:
    """Refuse the first value that is marked as wrong, if there is one, with its row, counted from 1."""
    if wrong.any():
        row = int(wrong[rows].argmax())
        value = values.iloc[int(wrong.argmax())]
        shown = repr(value) if isinstance(value, str) else str(value)
        raise ValueError(f"column {name!r} holds {shown} in row {row + 1}{reason}")


def _places(values: pd.Series, missing: str, categories: list[str]) -> np.ndarray:
    """Return the place of each value among the categories, -1 for one that is not there."""
    values = values.astype(object)
    # Who reads a file with pandas has the number 1067 for the category "01067", and 1.5 for "1.50".
    spellings = {in_one_notation(category): category for category in categories}
    spellings |= {folded(category): category for category in reversed(categories)} | {one: one for one in categories}
    texts = values.where(values.notna(), missing).map(lambda value: _category(value, spellings))
    return pd.Index(categories, dtype=object).get_indexer(pd.Index(texts))


def folded(text: str) -> str:
    """Return a text in which case and the number of blanks make no difference."""
    return " ".join(text.split()).casefold()


def in_one_notation(text: str) -> str:
    """Return a text as it is, but a number in one notation, however it was written or read: 7 for 007, 7.0 and 7e0."""
    try:
        number = float(text)
    except ValueError:
        return text
    return f"{number:.15g}" if np.isfinite(number) else text


def text_of(value: Any) -> str:
    """Return the text of a value that counts as a category or a text; a date without a time of day is its day alone."""
    return str(value).removesuffix(" 00:00:00") if isinstance(value, date) else str(value)


def _category(value: Any, spellings: dict[str, str]) -> str:
    text = text_of(value)
    return spellings.get(text) or spellings.get(folded(text)) or spellings.get(in_one_notation(text), text)


def _as_table(raw: Any) -> pd.DataFrame:
    """Return the table that lists by column, or records, stand for, as they come in JSON."""
    if isinstance(raw, dict):
        return pd.DataFrame({name: np.atleast_1d(np.asarray(values, object)) for name, values in raw.items()})
    return pd.DataFrame(raw)


class Champion:
    """A Keras model of prepared rows behind the preprocessing that prepares them.

    `preprocessing` is what the stage prepare fitted, as plain data: the constants of `apply`, and `classes`, the names
    of the classes or None for numbers.
    """

    def __init__(self, model: Any, preprocessing: dict[str, Any]):
        self.model, self.preprocessing = model, preprocessing

    @classmethod
    def load(cls, model: Path, preprocessing: Path) -> "Champion":
        """Read a `.keras` file, in Keras' safe mode, and the JSON of its preprocessing."""
        import keras

        network = keras.saving.load_model(model, compile=False, safe_mode=True)
        return cls(network, json.loads(preprocessing.read_text(encoding="utf-8")))

    def predict(self, raw: Any) -> pd.DataFrame:
        """Return the predicted class and each class's probability, or the prediction in the target's unit, by row.

        Where `preprocessing` has a `threshold`, `class_balanced` is the second of two classes from that probability on.
        Where seeds predict together, `spread` is the standard deviation over them of the predicted class's probability,
        or of the prediction: how uncertain it is for want of data.

        Args:
            raw: a table with the original column names, whatever `pandas.DataFrame` takes for one; or images
                `[n, height, width]`, or their pixels `[n, pixels]`.

        Raises:
            ValueError: a column is missing, or has a value that is not of its kind; images of another size.
        """
        if self.preprocessing["kind"] == "image":
            self._check_size(np.shape(raw))
        elif not isinstance(raw, pd.DataFrame):
            raw = _as_table(raw)
        rows = apply(self.preprocessing, raw)
        outputs, spread = self._outputs(rows)
        index = raw.index if isinstance(raw, pd.DataFrame) else None
        classes, best = self.preprocessing["classes"], outputs.argmax(axis=1)
        if classes is None:
            predicted = {"prediction": outputs[:, 0]}
        else:
            names = pd.Series(classes, dtype=object).take(best).to_numpy()
            predicted = {"class": names} | {
                f"probability_{name}": outputs[:, place] for place, name in enumerate(classes)
            }
            if (threshold := self.preprocessing.get("threshold")) is not None:
                second = outputs[:, 1] >= threshold
                predicted["class_balanced"] = pd.Series(classes, dtype=object).take(second.astype(int)).to_numpy()
        if spread is not None:
            predicted["spread"] = np.take_along_axis(spread, best[:, None], axis=1)[:, 0]
        return pd.DataFrame(predicted, index=index)

    def _outputs(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the outputs, and their standard deviations over the members, which a single network has not."""
        # Keras predicts nothing for no rows, so that there is one at least.
        outputs = self.model.predict(rows if len(rows) else np.zeros((1, rows.shape[1]), np.float32), verbose=0)
        if not isinstance(outputs, dict):
            return outputs[: len(rows)].astype(np.float64), None
        mean, members = (outputs[name][: len(rows)].astype(np.float64) for name in ("mean", "members"))
        return mean, members.std(axis=1, ddof=1)

    def _check_size(self, shape: tuple[int, ...]) -> None:
        pixels = self.model.input_shape[-1]
        if len(shape) < 2 or int(np.prod(shape[1:])) != pixels:
            raise ValueError(f"images must have {pixels} pixels each, [n, ...]; got {list(shape)}")
