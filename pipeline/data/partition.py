"""Partition of rows into train, validation and test: at random, by class or whole groups; or the latest rows apart."""

import numpy as np

from pipeline.data.splits import SplitName
from pipeline.data.time_order import boundaries, latest_first
from pipeline.errors import InputError
from pipeline.settings import Data

# The number of random orders of groups that are tried for a split; the one nearest to the wanted class counts wins.
GROUP_ORDERS = 100
# Each step draws from a generator of its own, so that the validation rows do not depend on the training share.
SEEDS = {"data.test_fraction": 0, "data.val_fraction": 1, "data.train_fraction": 2}


def partition(
    strata: np.ndarray,
    data: Data,
    groups: np.ndarray | None = None,
    test_rows: int | None = None,
    times: np.ndarray | None = None,
) -> dict[SplitName, np.ndarray]:
    """Return the row numbers of train, validation and test, each in ascending order.

    A smaller `data.train_fraction` takes a subset of the rows of a larger one; validation and test stay as they are.

    Args:
        strata: int [n], the class index of each row, or zeros for regression.
        groups: int [n], or None where rows are independent.
        test_rows: how many rows at the end are the source's own test set; None if it has none.
        times: int [n], the order of the rows in time: the test rows are the latest ones, the validation rows the
            latest of the rest, and rows of one time are in one of them; None to draw rows at random.

    Raises:
        InputError: a fraction that leaves a split without rows, too few groups or too few times.
    """
    rows = np.arange(len(strata))
    if test_rows is None:
        parts_left = 2 if data.val_fraction else 1
        rest, test = _take(rows, "data.test_fraction", data, strata, groups, times, parts_left)
    else:
        rest, test = rows[: len(rows) - test_rows], rows[len(rows) - test_rows :]
    train, validation = _take(rest, "data.val_fraction", data, strata, groups, times, 1)
    n_train = round(data.train_fraction * len(train))
    if n_train == 0:
        raise InputError(f"data.train_fraction {data.train_fraction} of {len(train)} training rows leaves none")
    if times is None:
        order = stratified_order(strata[train], np.random.default_rng([data.split_seed, SEEDS["data.train_fraction"]]))
    else:
        order = latest_first(times[train])
    return {"train": np.sort(train[order[:n_train]]), "validation": validation, "test": test}


def stratified_order(strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw an order of the rows in which every prefix has each stratum's share, up to one row.

    Rows are sorted by position: row i of a stratum's n shuffled rows is at (i + u) / n, with one random u in [0, 1) for
    the stratum.
    """
    position = np.empty(len(strata))
    for stratum in np.unique(strata):
        members = rng.permutation(np.flatnonzero(strata == stratum))
        position[members] = (np.arange(len(members)) + rng.random()) / len(members)
    return np.argsort(position, kind="stable")


def _take(
    rows: np.ndarray,
    setting: str,
    data: Data,
    strata: np.ndarray,
    groups: np.ndarray | None,
    times: np.ndarray | None,
    parts_left: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Take the share of rows that the setting says; return the rest, for `parts_left` splits, and the rows taken."""
    share = getattr(data, setting.removeprefix("data."))
    if share == 0:
        return rows, rows[:0]
    n_taken = round(share * len(rows))
    if n_taken in (0, len(rows)):
        raise InputError(f"{setting} {share} of {len(rows)} rows leaves {'none' if n_taken == 0 else 'nothing else'}")
    rng = np.random.default_rng([data.split_seed, SEEDS[setting]])
    if times is not None:
        taken = _is_latest(times[rows], n_taken, setting, data)
    elif groups is None:
        taken = np.zeros(len(rows), bool)
        taken[stratified_order(strata[rows], rng)[:n_taken]] = True
    else:
        taken = _taken_groups(strata[rows], groups[rows], n_taken, parts_left, rng)
    return rows[~taken], rows[taken]


def _is_latest(times: np.ndarray, n_wanted: int, setting: str, data: Data) -> np.ndarray:
    """Choose about so many of the latest rows, and all rows of a time or none; return which these are, bool [n]."""
    if np.ptp(times) == 0:
        of_groups = f", those of a group of data.group {data.group!r} that of its latest row," if data.group else ""
        raise InputError(
            f"data.time {data.time!r}: the {len(times)} rows that {setting} is to split{of_groups} have one time alone"
        )
    ordered = np.sort(times)
    [first] = boundaries(ordered, np.array(len(times) - n_wanted))
    return times >= ordered[first]


def _taken_groups(
    strata: np.ndarray, groups: np.ndarray, n_wanted: int, parts_left: int, rng: np.random.Generator
) -> np.ndarray:
    """Choose whole groups whose class counts come close to the wanted share; return which rows they have, bool [n]."""
    labels, group_of_row = np.unique(groups, return_inverse=True)
    if len(labels) <= parts_left:
        raise InputError(
            f"data.group has {len(labels)} different values for {parts_left + 1} splits; each needs its own"
        )
    counts = np.zeros((len(labels), strata.max() + 1))
    np.add.at(counts, (group_of_row, strata), 1)
    target = counts.sum(axis=0) * n_wanted / len(strata)
    best_groups, best_miss = np.empty(0, int), np.inf
    for _ in range(GROUP_ORDERS):
        order = rng.permutation(len(labels))
        # The last groups are never taken, since every remaining split needs one.
        misses = np.abs(counts[order].cumsum(axis=0)[:-parts_left] - target).sum(axis=1)
        last = misses.argmin()
        if misses[last] < best_miss:
            best_groups, best_miss = order[: last + 1], misses[last]
    return np.isin(group_of_row, best_groups)
