"""Loading of examples: bundled ones, downloads and the user's own files."""

import zipfile
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import sklearn.datasets

from pipeline.data import downloads, sources
from pipeline.data.addresses import is_address
from pipeline.data.labels import one_spelling
from pipeline.data.limits import check_unpacked
from pipeline.data.sentences import Sentence
from pipeline.data.tables import Kind, Messages, first_row, of_kinds, read_table, shown, tidy, without_blanks
from pipeline.data.texts import kind_of
from pipeline.data.written import as_values
from pipeline.errors import InputError
from pipeline.files import read_arrays
from pipeline.serving import LARGEST
from pipeline.settings import Data

MIN_ROWS = 10
# A text column with more different values than this, nearly all of them numbers, is meant as numbers: the other
# values, such as "?", are refused.
MAX_NUMBERS_AS_CATEGORIES = 20
MAX_STRAY_SHARE = 0.1
ARRAYS = (("x_train", "y_train", "x_test", "y_test"), ("x", "y"))


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples before they are split and preprocessed.

    Attributes:
        features: a table [n rows], numbers float64, booleans 0.0 and 1.0, text `str`, NaN where missing; or images
            [n, height, width] or [n, height, width, channels]. Dates are datetime64 in UTC.
        target: [n], unchanged from the source.
        kinds: what each column of the table holds.
        written: how the values of a column are written, for the rows of a served model: a `notation` of numbers, or the
            `order` of dates.
        numbers: [n], the place of each row among all rows of the source.
        groups: [n], rows of one value stay in one split; None where rows are independent.
        weights: [n], above 0: how much each row counts; None where all count alike.
        times: [n], dates or numbers without a missing one, by which the rows are split; None where they are at random.
        test_rows: how many rows at the end are the source's own test set; None if it has none.
        pixel_max: the value of a white pixel; None where it is not known.
        messages: what the user should know of the reading.
    """

    features: pd.DataFrame | np.ndarray
    target: pd.Series
    target_name: str | None = None
    kinds: dict[str, Kind] = field(default_factory=dict)
    written: dict[str, dict[str, Any]] = field(default_factory=dict)
    numbers: np.ndarray | None = None
    groups: np.ndarray | None = None
    weights: np.ndarray | None = None
    times: pd.Series | None = None
    test_rows: int | None = None
    pixel_max: float | None = None
    messages: Messages = field(default_factory=Messages)

    def __len__(self) -> int:
        return len(self.features)

    def take(self, rows: np.ndarray) -> "Dataset":
        """Return the dataset with these rows alone, which keep their order."""
        features = self.features
        return replace(
            self,
            features=features.iloc[rows].reset_index(drop=True)
            if isinstance(features, pd.DataFrame)
            else features[rows],
            target=self.target.iloc[rows].reset_index(drop=True),
            numbers=rows if self.numbers is None else self.numbers[rows],
            groups=None if self.groups is None else self.groups[rows],
            weights=None if self.weights is None else self.weights[rows],
            times=None if self.times is None else self.times.iloc[rows].reset_index(drop=True),
            test_rows=None if self.test_rows is None else int((rows >= len(self) - self.test_rows).sum()),
        )


def load(data: Data) -> Dataset:
    """Load the examples that `data.source` names.

    Raises:
        InputError: a source or column that does not exist, a file that is not what its suffix says, data that no
            network can be trained on, or a download that failed.
    """
    dataset = _load(data, sources.user_files(data))
    if len(dataset) < MIN_ROWS:
        raise InputError(f"data.source {data.source} has {len(dataset)} rows; at least {MIN_ROWS} are needed")
    return dataset


def _load(data: Data, files: dict[str, str]) -> Dataset:
    if sources.is_table_file(data.source):
        return _from_files(data, files)
    if data.source in sources.BUNDLED_TABLES:
        return from_table(_bundled_table(data.source), data, target="target")
    if data.source.startswith(sources.OPENML):
        frame, target, warnings = downloads.openml(data.source.removeprefix(sources.OPENML).strip())
        return from_table(frame, data, target=target, messages=Messages(warnings=warnings))
    _refuse_table_settings(data)
    if sources.is_array_file(data.source):
        return _from_arrays(files["data.source"])
    if data.source == "digits":
        bunch = sklearn.datasets.load_digits()
        return Dataset(bunch.images, pd.Series(bunch.target), pixel_max=16)
    return _images_with_test_set(**downloads.images(data.source))


def _bundled_table(name: str) -> pd.DataFrame:
    bunch = getattr(sklearn.datasets, f"load_{name}")(as_frame=True)
    if "target_names" not in bunch:
        return bunch.frame
    return bunch.frame.assign(target=np.asarray(bunch.target_names, dtype=object)[bunch.target])


def _refuse_table_settings(data: Data) -> None:
    for name, empty in (
        ("target", "null"), ("group", "null"), ("time", "null"), ("weight", "null"), ("drop", "empty ([])"),
        ("kinds", "empty ({})"),
    ):  # fmt: skip
        if value := getattr(data, name):
            raise InputError(
                f"data.{name} names columns of a table, and data.source {data.source} has none: "
                f"leave it {empty}; got {value!r}"
            )


def _from_files(data: Data, files: dict[str, str]) -> Dataset:
    as_text = tuple(name for name, kind in data.kinds.items() if kind != "number")
    frame, messages = read_table("data.source", files["data.source"], data.read, as_text)
    messages.notes[:0] = [
        f"{setting}: {address} is read from {files[setting]}; delete that file to download it again"
        for setting, address in (("data.source", data.source), ("data.test_source", data.test_source))
        if address is not None and is_address(address)
    ]
    if data.test_source is None:
        return from_table(frame, data, messages=messages)
    text = tuple(name for name in frame.columns if pd.api.types.infer_dtype(frame[name], skipna=True) == "string")
    test, test_messages = read_table("data.test_source", files["data.test_source"], data.read, text)
    return from_table(frame, data, test=test, messages=messages + test_messages)


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
    tables = {label: frame[used]} | ({} if test is None else {"data.test_source": test[used]})
    kept = []
    for setting, table in tables.items():
        tables[setting], padded = without_blanks(table)
        if padded:
            messages.notes.append(f"{setting}: blanks around values are taken off in column {shown(padded)}")
        tables[setting], with_target = _with_target(setting, tables[setting], target, messages)
        kept.append(with_target)
        tables[setting] = of_kinds(setting, tables[setting], data.kinds, messages)
    tables, written = as_values(one_spelling(tables, target, messages), data, target, messages)
    written |= {name: {"lenient": True} for name, kind in data.kinds.items() if kind == "number"}
    features, kinds = _features({setting: table[names] for setting, table in tables.items()}, data, messages)
    if not kinds:
        raise InputError(f"data.source {data.source} has no column left to learn from besides {target!r}")
    rest = pd.concat([table.drop(columns=names) for table in tables.values()], ignore_index=True)
    test_rows = None if test is None else len(tables["data.test_source"])
    groups = None if data.group is None else _groups(rest[data.group], test_rows, data)
    times = None if data.time is None else _times(data.time, tables, test_rows, data)
    dataset = Dataset(
        features, rest[target], target, kinds, written, np.flatnonzero(np.concatenate(kept)), groups,
        times=times, test_rows=test_rows, messages=messages,
    )  # fmt: skip
    return dataset if data.weight is None else _weighted(dataset, data.weight, tables, data)


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


def _features(parts: dict[str, pd.DataFrame], data: Data, messages: Messages) -> tuple[pd.DataFrame, dict[str, Kind]]:
    """Tidy each column and join its parts; all that is wrong with columns comes in one message."""
    columns: dict[str, pd.Series] = {}
    kinds: dict[str, Kind] = {}
    problems = []
    for name in next(iter(parts.values())).columns:
        try:
            kind, values = _feature(name, {setting: part[name] for setting, part in parts.items()})
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


def _feature(name: str, parts: dict[str, pd.Series]) -> tuple[Kind | None, pd.Series]:
    """Return a column's kind and its values in all parts; the first part decides what the column holds."""
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
        f"row {row + 1}); data.kinds with number for it takes these for missing, with category all for names, and "
        "data.drop leaves the column out"
    )


def _check_range(label: str, values: pd.Series) -> None:
    outside = values.abs() > LARGEST
    if outside.any():
        row = int(outside.argmax()) + 1
        raise InputError(f"{label} holds infinity or a number beyond {LARGEST:.1e} (first in row {row})")


def _groups(column: pd.Series, test_rows: int | None, data: Data) -> np.ndarray:
    missing = column.isna().to_numpy()
    if missing.any():
        first = first_row(missing, test_rows, data.test_source)
        raise InputError(f"data.group {data.group!r} is missing in {missing.sum()} rows (first in {first})")
    return pd.factorize(column)[0]


def _weighted(dataset: Dataset, name: str, tables: dict[str, pd.DataFrame], data: Data) -> Dataset:
    """Return the dataset with the weights that a column holds, without the rows that weigh nothing."""
    kind, column = _feature(name, {setting: table[name] for setting, table in tables.items()})
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
    kind, times = _feature(name, {setting: table[name] for setting, table in tables.items()})
    if kind not in ("date", "number", None):
        raise InputError(f"data.time must name a column of dates or numbers; {name!r} holds {kind} values")
    missing = times.isna().to_numpy()
    if missing.any():
        first = first_row(missing, test_rows, data.test_source)
        raise InputError(f"data.time {name!r} is missing in {missing.sum()} rows (first in {first})")
    return times


def _from_arrays(path: str) -> Dataset:
    arrays = _read_npz(path)
    # `X` is what many call their features; both names in one file stay as they are.
    arrays = {key if key.lower() in arrays else key.lower(): array for key, array in arrays.items()}
    keys = next((keys for keys in ARRAYS if set(keys) <= set(arrays)), None)
    if keys is None:
        allowed = " or ".join(", ".join(keys) for keys in ARRAYS)
        raise InputError(f"data.source: {path} must hold the arrays {allowed}; it holds {', '.join(arrays) or 'none'}")
    for x, y in zip(keys[::2], keys[1::2], strict=True):
        arrays[y] = _check_pair(path, x, arrays[x], y, arrays[y])
    if keys == ARRAYS[1]:
        return from_examples(arrays["x"], arrays["y"], None)
    train, test = ((arrays[key].dtype, arrays[key].shape[1:]) for key in ("x_train", "x_test"))
    if train != test:
        shapes = " and ".join(f"{arrays[key].dtype} {list(arrays[key].shape)}" for key in ("x_train", "x_test"))
        raise InputError(f"data.source: x_train and x_test of {path} must agree but for their rows; got {shapes}")
    return _images_with_test_set(**{key: arrays[key] for key in keys})


def _read_npz(path: str) -> dict[str, np.ndarray]:
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                check_unpacked("data.source", path, sum(entry.file_size for entry in archive.infolist()))
        return read_arrays(path)
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise InputError(f"data.source: {path} cannot be read: {error}") from None


def _check_pair(path: str, x_name: str, x: np.ndarray, y_name: str, y: np.ndarray) -> np.ndarray:
    """Check that features and target fit each other, and return the target as [n]."""
    if x.ndim not in (2, 3, 4) or x.dtype.kind not in "fiub" or 0 in x.shape:
        raise InputError(
            f"data.source: {x_name} of {path} must be numbers [rows, features], [rows, height, width] or "
            f"[rows, height, width, channels]; got {x.dtype} {list(x.shape)}"
        )
    if y.shape not in ((len(x),), (len(x), 1)):
        raise InputError(
            f"data.source: {y_name} of {path} must be [rows], one for each of {len(x)} rows; got {list(y.shape)}"
        )
    return y.reshape(-1)


def _images_with_test_set(x_train: Any, y_train: Any, x_test: Any, y_test: Any) -> Dataset:
    return from_examples(np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test]), len(x_test))


def from_examples(x: np.ndarray, y: np.ndarray, test_rows: int | None, label: str = "data.source") -> Dataset:
    """Return the examples of a table of numbers `[n, features]` or images; for `label` see `from_table`.

    Raises:
        InputError: a number is not finite, or beyond `LARGEST`.
    """
    target = pd.Series(y)
    if x.ndim == 2:
        parts = {label: pd.DataFrame(x, columns=[f"x{i}" for i in range(x.shape[1])])}
        messages = Messages()
        features, kinds = _features(parts, Data(), messages)
        return Dataset(features, target, None, kinds, test_rows=test_rows, messages=messages)
    # Written so that NaN, which compares as false, is refused too.
    if not (float(x.min()) >= -LARGEST and float(x.max()) <= LARGEST):
        raise InputError(
            f"{label}: images must be finite numbers of at most {LARGEST:.1e}; got NaN, infinity or a larger number"
        )
    return Dataset(x, target, test_rows=test_rows, pixel_max=_pixel_max(x))


def _pixel_max(x: np.ndarray) -> float | None:
    if x.dtype == np.uint8:
        return 255.0
    return 1.0 if x.min() >= 0 and x.max() <= 1 else None
