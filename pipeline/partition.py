"""Which rows go into which split: seeded, stratified by class, groups kept together."""

import numpy as np

from pipeline.errors import InputError
from pipeline.params import Data

# Random orders of the groups that are tried for a split; the one nearest to the asked share and class balance wins.
GROUP_ORDERS = 100


def partition(
    strata: np.ndarray, data: Data, groups: np.ndarray | None = None, test_rows: int | None = None
) -> dict[str, np.ndarray]:
    """Row numbers of train, validation and test, each in ascending order.

    strata: int [n], the class index of each row, or zeros for regression. groups: int [n] or None.
    test_rows: how many rows at the end are the source's own test set; None if it has none.
    A smaller `data.train_fraction` takes a subset of the rows of a larger one; validation and test stay as they are.

    Raises:
        InputError: a fraction that leaves a split without rows, or too few groups.
    """
    rows = np.arange(len(strata))
    if test_rows is None:
        rest, test = _take(rows, data.test_fraction, "data.test_fraction", strata, groups, [data.split_seed, 0])
    else:
        rest, test = rows[: len(rows) - test_rows], rows[len(rows) - test_rows :]
    train, validation = _take(rest, data.val_fraction, "data.val_fraction", strata, groups, [data.split_seed, 1])
    kept = round(data.train_fraction * len(train))
    if kept == 0:
        raise InputError(f"data.train_fraction {data.train_fraction} of {len(train)} training rows leaves none")
    order = stratified_order(strata[train], np.random.default_rng([data.split_seed, 2]))
    return {"train": np.sort(train[order[:kept]]), "validation": validation, "test": test}


def stratified_order(strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random order of the rows in which every prefix has each stratum's share, up to one row.

    Row i of the n rows of a stratum, in random order, stands at (i + u) / n, with one u in [0, 1) for the stratum.
    """
    position = np.empty(len(strata))
    for stratum in np.unique(strata):
        members = rng.permutation(np.flatnonzero(strata == stratum))
        position[members] = (np.arange(len(members)) + rng.random()) / len(members)
    return np.argsort(position, kind="stable")


def _take(rows, share, setting, strata, groups, seed) -> tuple[np.ndarray, np.ndarray]:
    """The rows that stay and the rows taken, `share` of them."""
    if share == 0:
        return rows, rows[:0]
    wanted = round(share * len(rows))
    if wanted in (0, len(rows)):
        raise InputError(f"{setting} {share} of {len(rows)} rows leaves {'none' if wanted == 0 else 'nothing else'}")
    rng = np.random.default_rng(seed)
    if groups is None:
        taken = np.zeros(len(rows), bool)
        taken[stratified_order(strata[rows], rng)[:wanted]] = True
    else:
        taken = _taken_groups(strata[rows], groups[rows], wanted, rng)
    return rows[~taken], rows[taken]


def _taken_groups(strata, groups, wanted, rng) -> np.ndarray:
    """Of many random orders of the groups, the first groups of the one nearest to the class counts wanted."""
    names, group_of_row = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise InputError(f"data.group: {len(names)} group left for two splits; every split needs a group of its own")
    counts = np.zeros((len(names), strata.max() + 1))
    np.add.at(counts, (group_of_row, strata), 1)
    target = counts.sum(axis=0) * wanted / len(strata)
    best, least = None, np.inf
    for _ in range(GROUP_ORDERS):
        order = rng.permutation(len(names))
        # The last group is never taken: something must stay.
        miss = np.abs(counts[order].cumsum(axis=0)[:-1] - target).sum(axis=1)
        cut = miss.argmin()
        if miss[cut] < least:
            best, least = order[: cut + 1], miss[cut]
    return np.isin(group_of_row, best)
