"""Numbers as text."""

import math

import pytest

from pipeline.wording import significant


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (58.3, "58.30"),
        (0.4887, "0.4887"),
        (-0.04119, "-0.04119"),
        (41414.12, "41,414"),
        (0.0, "0"),
        (1.0, "1.000"),
        (math.inf, "inf"),
        (math.nan, "nan"),
    ],
)
def test_four_digits_and_never_fewer_than_the_whole_ones(value, text):
    assert significant(value) == text
