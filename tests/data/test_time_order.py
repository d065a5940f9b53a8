"""Rows in order of time."""

import numpy as np

from pipeline.data.time_order import blocks_in_time


def test_blocks_in_time_follow_each_other_and_never_divide_a_time():
    times = np.random.default_rng(0).permutation(np.repeat(np.arange(50), 4))
    blocks = blocks_in_time(times)
    assert np.bincount(blocks).tolist() == [20] * 10
    assert all(times[blocks == place].max() < times[blocks == place + 1].min() for place in range(9))
    assert blocks_in_time(np.array([3, 1, 1, 2, 2])).tolist() == [2, 0, 0, 1, 1]
    assert blocks_in_time(np.zeros(5)).tolist() == [0] * 5
