"""The tables of a study: the values at hand are those that the files have."""

import numpy as np
import pandas as pd

from experiments.records import STUDY_SEEDS_FILE
from experiments.study.tables import Tables, curves, seed_rows
from tests.study.made_up import baseline


def test_numbers_have_seven_digits_at_hand_and_in_the_file(folder, scored):
    arm = baseline(scored)
    tested = pd.DataFrame({"test_cross_entropy": np.geomspace(1e-30, 1e20, 10) / 3})
    tables = Tables(seed_rows([arm, scored("a", 0.2)], {("remedies", "baseline"): tested}), curves([arm]))
    tables.write()
    files = Tables.read()
    pd.testing.assert_frame_equal(files.seeds, tables.seeds, check_dtype=False, check_exact=True)
    pd.testing.assert_frame_equal(files.curves, tables.curves, check_dtype=False, check_exact=True)
    assert tables.seeds["test_cross_entropy"][0] == 3.333333e-31
    assert "3.333333e-31" in STUDY_SEEDS_FILE.read_text()
