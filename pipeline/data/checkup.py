"""The check-up of a source: it finds what often makes scores mean something else than they seem to.

Each finding has a code that stays the same; `data.accept` silences it, and docs/checks.md says more. Whatever has
to do with the target is judged on the training rows alone.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from pipeline.data.dataset import Dataset
from pipeline.data.kinds import Kind
from pipeline.data.messages import Found
from pipeline.data.sentences import ADVICE, WARNING, Sentence
from pipeline.data.splits import SplitName
from pipeline.data.targets import Target
from pipeline.errors import nearest_first
from pipeline.serving import folded
from pipeline.settings import Data

NEARLY_ALL = 0.995  # of the target that one column tells, by a small tree
MOSTLY = 0.5
SENTINELS = (-9999.0, -999.0, -99.0, -9.0, -1.0, 999.0, 9999.0, 99999.0, 999999.0)
SENTINEL_SHARE = 0.01
FAR = 20  # interquartile ranges from the quartiles
MOST_EXTREME = 0.01  # with a larger share of far values a column is skewed, as amounts are, and these are no slips
IMBALANCED = 0.9  # share of the most frequent class
GROUP_NAME = re.compile(
    r"(^|[^a-z])(patient|subject|person|user|customer|client|participant|household|site|group)"
    r"([^a-z]|id|nr|no|number|$)"
)
FEWEST_ROWS = 20  # below which single columns say too little
LEAVES, TREE_ROWS = 50, 5000
MOST_NAMED = 10  # columns that a finding of many is told of


class Finding(BaseModel):
    """One finding.

    Attributes:
        column: whose it is; None where it is about all.
        count: of the rows, columns or classes that it is about.
        text: what was found, and what to do.
        accepted: whether `data.accept` has its code.
    """

    model_config = ConfigDict(frozen=True)

    code: str
    column: str | None
    count: int
    text: str
    accepted: bool


def warnings_of(findings: Iterable[Finding]) -> list[str]:
    """Return a line for each code that is not accepted, with what was found of each column and what to do."""
    lines = []
    for code, same in groupby((one for one in findings if not one.accepted), key=lambda one: one.code):
        texts = [one.text.removesuffix(f"; {ADVICE[code]}") for one in same]
        texts[MOST_NAMED:] = [Sentence.MORE.format(count=len(texts) - MOST_NAMED)] if len(texts) > MOST_NAMED else []
        lines.append(WARNING.format(code=code, texts="; ".join(texts), advice=ADVICE[code]))
    return lines


Rows = Mapping[SplitName, np.ndarray]


class Column(NamedTuple):
    """A column of the source as a check sees it: all its values, those of training rows, and the target of these."""

    name: str
    kind: Kind
    values: pd.Series
    train: pd.Series
    target: np.ndarray
    is_classification: bool


def check_up(
    dataset: Dataset, target: Target, rows: Rows, duplicates: Mapping[str, int], n_features: int, data: Data
) -> list[Finding]:
    """Return the findings in the order of their codes.

    Args:
        rows: of each split.
        duplicates: see `Summary`.
        n_features: that the network sees.
    """
    found = [*_of_splits(rows, duplicates, n_features), *_of_target(target, rows), *dataset.messages.found]
    if isinstance(dataset.features, pd.DataFrame):
        for name, values in dataset.features.items():
            of_training = values.iloc[rows["train"]], target.y[rows["train"]], target.classes is not None
            column = Column(str(name), dataset.kinds[str(name)], values, *of_training)
            found += [one for check in COLUMN_CHECKS for one in check(column)]
            others = values.iloc[np.concatenate([rows["validation"], rows["test"]])]
            found += [*_unseen(column, others), *_in_order(column, data), *_is_group(column, data)]
    return [
        Finding(code=code, column=name, count=count, text=f"{text}; {ADVICE[code]}", accepted=code in data.accept)
        for code, name, count, text in sorted(found, key=lambda one: one[0])
    ]


def _of_splits(rows: Rows, duplicates: Mapping[str, int], n_features: int) -> Iterator[Found]:
    if copies := {pair: count for pair, count in duplicates.items() if count}:
        pairs = ", ".join(Sentence[pair.upper()].format(count=count) for pair, count in copies.items())
        yield "D009", None, sum(copies.values()), Sentence.COPIES.format(pairs=pairs)
    if n_features > len(rows["train"]):
        yield "D015", None, n_features, Sentence.MANY_FEATURES.format(count=n_features, rows=len(rows["train"]))


def _of_target(target: Target, rows: Rows) -> Iterator[Found]:
    y = target.y[rows["train"]]
    if target.classes is None:
        if count := int(_far(pd.Series(y)).sum()):
            extreme = y[np.abs(y - np.median(y)).argmax()]
            yield "D007", None, count, Sentence.EXTREME_TARGETS.format(count=count, value=f"{extreme:.6g}")
        return
    share = np.bincount(y, minlength=len(target.classes)) / len(y)
    if share.max() > IMBALANCED:
        text = Sentence.MOST_FREQUENT.format(name=repr(target.classes[share.argmax()]), share=f"{share.max():.0%}")
        yield "D011", None, len(y), text
    for names in _spellings(target.classes):
        yield "D012", None, len(names), Sentence.CLASS_SPELLINGS.format(names=", ".join(map(repr, names)))


def _spellings(names: Iterable[str]) -> list[list[str]]:
    """Return the names that differ in blanks or case alone, in groups of two or more."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(folded(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _tells_target(column: Column) -> Iterator[Found]:
    """Find a column that alone tells nearly all of the target, on training rows that a small tree was not fitted to.

    The tree is fitted to every other row, since files are often sorted by the target.
    """
    x, y = _codes(column)[:TREE_ROWS, None], column.target[:TREE_ROWS]
    if len(y) < FEWEST_ROWS:
        return
    fitted, judged = slice(0, None, 2), slice(1, None, 2)
    if column.is_classification:
        tree, floor = (
            DecisionTreeClassifier(max_leaf_nodes=LEAVES, random_state=0),
            np.bincount(y[judged]).max() / len(y[judged]),
        )
    else:
        tree, floor = DecisionTreeRegressor(max_leaf_nodes=4 * LEAVES, random_state=0), 0.0
    score = tree.fit(x[fitted], y[fitted]).score(x[judged], y[judged])
    if score > NEARLY_ALL and floor < 1 - 2 * (1 - NEARLY_ALL):
        sentence = Sentence.TELLS_CLASSES if column.is_classification else Sentence.TELLS_VARIANCE
        yield "D001", column.name, len(y), sentence.format(name=repr(column.name), share=f"{score:.1%}")


def _is_key(column: Column) -> Iterator[Found]:
    numbers = column.values
    if column.kind != "number" or numbers.isna().any() or len(numbers) < FEWEST_ROWS:
        return
    if (numbers == numbers.round()).all() and numbers.is_unique and numbers.max() - numbers.min() == len(numbers) - 1:
        yield "D002", column.name, len(numbers), Sentence.NUMBERS_ROWS.format(name=repr(column.name))


def _is_constant(column: Column) -> Iterator[Found]:
    if column.train.nunique(dropna=False) == 1 and column.train.notna().any():
        yield "D003", column.name, len(column.train), Sentence.ONE_VALUE.format(name=repr(column.name))


def _is_missing(column: Column) -> Iterator[Found]:
    missing = column.train.isna()
    if MOSTLY < missing.mean() < 1:  # a column without any value is left out anyway
        text = Sentence.MISSING.format(name=repr(column.name), share=f"{missing.mean():.0%}")
        yield "D004", column.name, int(missing.sum()), text


def _has_sentinels(column: Column) -> Iterator[Found]:
    """Find a number such as -999 that is frequent and lies further from all other values than these from each other."""
    if column.kind != "number":
        return
    values = column.train.dropna()
    for sentinel in SENTINELS:
        count, others = int((values == sentinel).sum()), values[values != sentinel]
        if count <= SENTINEL_SHARE * len(values) or others.empty:
            continue
        distance = others.min() - sentinel if sentinel < 0 else sentinel - others.max()
        if distance > others.max() - others.min():
            text = Sentence.SENTINEL.format(name=repr(column.name), value=f"{sentinel:g}", count=count)
            yield "D005", column.name, count, text


def _has_extremes(column: Column) -> Iterator[Found]:
    if column.kind != "number":
        return
    values = column.train.dropna()
    values = values[~values.isin(SENTINELS)]
    if 0 < (count := int(_far(values).sum())) <= max(1, MOST_EXTREME * len(values)):
        extreme = values.iloc[(values - values.median()).abs().argmax()]
        sentence = Sentence.EXTREMES if count > 1 else Sentence.EXTREME
        text = sentence.format(name=repr(column.name), count=count, value=f"{extreme:.6g}")
        yield "D006", column.name, count, text


def _has_spellings(column: Column) -> Iterator[Found]:
    groups = _spellings(sorted(column.values.dropna().unique())) if column.kind == "text" else []
    if groups:
        named = nearest_first("", ["/".join(map(repr, group)) for group in groups], MOST_NAMED)
        text = Sentence.SPELLINGS.format(name=repr(column.name), categories=named)
        yield "D012", column.name, len(groups), text


COLUMN_CHECKS: tuple[Callable[[Column], Iterator[Found]], ...] = (
    _tells_target, _is_key, _is_constant, _is_missing, _has_sentinels, _has_extremes, _has_spellings,
)  # fmt: skip


def _unseen(column: Column, others: pd.Series) -> Iterator[Found]:
    if column.kind != "text":
        return
    seen = set(map(folded, column.train.dropna().unique()))
    if unseen := [category for category in others.dropna().unique() if folded(category) not in seen]:
        named = nearest_first("", sorted(unseen), MOST_NAMED)
        text = Sentence.UNSEEN.format(name=repr(column.name), categories=named)
        yield "D010", column.name, int(others.isin(unseen).sum()), text


def _in_order(column: Column, data: Data) -> Iterator[Found]:
    if column.kind == "date" and data.test_source is None and data.time is None:
        text = Sentence.DATES.format(name=repr(column.name))
        yield "D013", column.name, len(column.values), text


def _is_group(column: Column, data: Data) -> Iterator[Found]:
    """Find a column whose name and repeated values look like those of persons or sites."""
    count, rows = column.values.nunique(), len(column.values)
    looks_so = column.kind in ("number", "text", "ngrams") and GROUP_NAME.search(column.name.casefold())
    if data.group is None and looks_so and rows**0.5 / 2 < count <= rows / 2:
        yield "D014", column.name, count, Sentence.GROUP.format(name=repr(column.name), count=count)


def _far(values: pd.Series) -> pd.Series:
    """Return which values lie many interquartile ranges beyond the quartiles; none where those agree."""
    low, high = values.quantile(0.25), values.quantile(0.75)
    beyond = FAR * (high - low) if high > low else math.inf
    return (values < low - beyond) | (values > high + beyond)


def _codes(column: Column) -> np.ndarray:
    """Return the training rows as numbers that a tree can split by; a missing value has a number of its own."""
    if column.kind in ("text", "ngrams"):
        return pd.factorize(column.train, sort=True)[0].astype(float)
    if column.kind == "date":
        return column.train.astype("int64").to_numpy(float)
    return column.train.fillna(column.train.min() - 1).to_numpy(float)
