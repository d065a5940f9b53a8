"""The rows of a search: those that each seed of a trial trains on, and those that it validates on."""

import numpy as np

from pipeline.data.examples import Examples, Problem, Split
from pipeline.data.partition import stratified_order
from pipeline.data.splits import Summary, read_split, read_summary
from pipeline.errors import InputError
from pipeline.settings import Search, seed_list
from pipeline.statistics.ring import ROWS_PER_FOLD, draw_folds


def data_digests(summary: Summary) -> dict[str, str]:
    """Return the digests of the splits that trials train and are judged on."""
    return {name: summary.digest[name] for name in ("train", "validation")}


def read_examples(digests: dict[str, str], search: Search) -> Examples:
    """Read the prepared training and validation rows; with `search.folds` each seed validates on a fold of both.

    Raises:
        InputError: the rows are not those of the study, or too few for so many folds.
    """
    summary = read_summary()
    if data_digests(summary) != digests:
        raise InputError("data/prepared is not the data that this study searches on; prepare the same here first")
    return examples_of(summary.problem, read_split("train"), read_split("validation"), search)


def examples_of(problem: Problem, train: Split, validation: Split, search: Search) -> Examples:
    """Return what trials train and validate on; with `search.folds` each seed validates on a fold of both splits.

    Raises:
        InputError: the rows are too few for so many folds.
    """
    if search.folds is None:
        return Examples.of_splits(problem, train, validation)
    return cross_validated(problem, train, validation, search.folds, seed_list(search.seeds))


def cross_validated(problem: Problem, train: Split, validation: Split, folds: int, seeds: list[int]) -> Examples:
    """Pool two splits and cut the pool into folds, which the seeds validate on in turn.

    Seed number i validates on fold i mod folds, and trains on as many rows of the others as the training split has, or
    on all of them if they are fewer. The first seed draws the folds, so they are the same for every trial.

    Raises:
        InputError: there are too few rows or groups.
    """
    x, y = np.concatenate([train.x, validation.x]), np.concatenate([train.y, validation.y])
    groups = None if train.groups is None else np.concatenate([train.groups, validation.groups])
    weights = None
    if train.weights is not None and validation.weights is not None:
        weights = np.concatenate([train.weights, validation.weights])
    _check_folds(len(y), groups, folds)
    strata = y if problem.is_classification else np.zeros(len(y), np.int32)
    fold = draw_folds(len(y), folds, seeds[0], groups)
    train_rows, val_rows = [], []
    for number, seed in enumerate(seeds):
        is_held_out = fold == number % folds
        train_rows.append(_in_order(np.flatnonzero(~is_held_out), strata, seed)[: len(train)])
        val_rows.append(_in_order(np.flatnonzero(is_held_out), strata, seed))
    # Folds differ by a row, and with groups by more. Seeds train side by side on arrays of one shape, so each trains on
    # the fewest rows that any has, and a smaller fold counts some of its rows twice.
    fewest, most = min(map(len, train_rows)), max(map(len, val_rows))
    return Examples(
        problem,
        x,
        y,
        np.stack([rows[:fewest] for rows in train_rows]),
        np.stack([np.resize(rows, most) for rows in val_rows]),
        weights=weights,
    )


def _in_order(rows: np.ndarray, strata: np.ndarray, seed: int) -> np.ndarray:
    """Return the rows in an order whose prefixes are stratified."""
    return rows[stratified_order(strata[rows], np.random.default_rng([seed, 4]))]


def _check_folds(rows: int, groups: np.ndarray | None, folds: int) -> None:
    if rows < ROWS_PER_FOLD * folds:
        raise InputError(
            f"search.folds {folds} needs {ROWS_PER_FOLD * folds} training and validation rows, {ROWS_PER_FOLD} in each "
            f"fold; there are {rows}"
        )
    if groups is not None and (different := len(np.unique(groups))) < folds:
        raise InputError(
            f"search.folds {folds} needs as many different values of data.group in the training and validation rows; "
            f"there are {different}"
        )


def describe_folds(examples: Examples, seeds: int, folds: int) -> str:
    """Return a line that says what cross-validated trials train and validate on."""
    line = (
        f"each seed of a trial trains on {examples.train_rows.shape[1]} rows and validates on one of {folds} folds of "
        f"the {len(examples.y)} training and validation rows"
    )
    if seeds >= folds:
        return line
    return f"{line}; with {seeds} of search.seeds only {seeds} of the folds validate"
