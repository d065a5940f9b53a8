"""Rows in order of time: the latest first, where one time ends and the next begins, and blocks of neighbours."""

import numpy as np

BLOCKS = 10  # as many as the study has folds


def latest_first(times: np.ndarray) -> np.ndarray:
    """Return the order of rows from the latest to the earliest; rows of one time stay in their order."""
    return np.argsort(-times, kind="stable")


def boundaries(ordered: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the places in ordered times, each at the first row of a time, that are nearest to the wanted places.

    Args:
        ordered: at least two different times, in ascending order.
    """
    places = np.flatnonzero(np.diff(ordered)) + 1
    return places[np.abs(places - np.reshape(wanted, (-1, 1))).argmin(axis=1)]


def blocks_in_time(times: np.ndarray) -> np.ndarray:
    """Cut rows into about `BLOCKS` blocks that follow each other in time; return the block of each row, int `[n]`.

    Rows of one time are in one block.
    """
    order, starts = np.argsort(times, kind="stable"), np.empty(0, int)
    if np.ptp(times):
        starts = np.unique(boundaries(times[order], np.linspace(0, len(times), BLOCKS + 1)[1:-1]))
    block = np.empty(len(times), int)
    block[order] = np.searchsorted(starts, np.arange(len(times)), side="right")
    return block
