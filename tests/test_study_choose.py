"""What is recommended is what the tables say helps."""

import numpy as np
import pandas as pd
import pytest

from experiments.study_arms import BASELINE, TOGETHER, Arm
from experiments.study_choose import recommended
from experiments.study_jobs import Result
from experiments.study_scores import Scored, records
from pipeline.params import Model, Train

SEEDS = 10
COLUMNS = ("epochs", "best_epoch", "gap_at_best", "gap_at_end", "rise", "holdout_rise", "onset_epoch")


def scored(name: str, group: str, reference: str | None, holdout: np.ndarray, validation: float) -> Scored:
    arm = Arm("remedies", name, name, group, Model(), Train(), None, reference=reference)
    table = pd.DataFrame({"holdout_cross_entropy": holdout, "val_cross_entropy": validation, "diverged": False})
    table = table.assign(**dict.fromkeys(COLUMNS, 1.0))
    result = Result(pd.DataFrame(), np.ones(SEEDS, int), np.zeros(SEEDS, bool), {}, 1.0)
    return Scored(arm, result, table, "cross_entropy", np.full(SEEDS, 2.3), overlap=0.1, train_rows=100)


def remedies(gain: float, left_out: int) -> list[Scored]:
    """A baseline, twelve remedies that do nothing and one that gains, all together, and arms that leave one out."""
    rng = np.random.default_rng(0)
    base = 1 + rng.normal(0, 0.05, SEEDS)

    def like_base() -> np.ndarray:
        return base + rng.normal(0, 0.02, SEEDS)

    arms = [scored(BASELINE, "baseline", None, base, 1.0)]
    arms += [scored(f"idle {number}", "single", BASELINE, like_base(), 0.5) for number in range(12)]
    arms.append(scored("dropout", "single", BASELINE, like_base() - gain, 0.9))
    arms.append(scored(TOGETHER, "together", BASELINE, like_base(), 1.0))
    return arms + [scored(f"all but {n}", "leave_one_out", TOGETHER, like_base(), 1.0) for n in range(left_out)]


@pytest.mark.parametrize("gain", np.linspace(0.02, 0.06, 9))
def test_an_arm_is_recommended_just_where_the_table_says_that_it_helps(gain):
    arms = remedies(gain, left_out=12)
    verdicts = {arm.name: arm.verdict for arm in records(arms, arms[0])}
    arm, helps = recommended({"remedies": arms}, arms[0])
    assert helps == (verdicts["dropout"] == "helps")
    assert arm.arm.name == ("dropout" if helps else BASELINE)


def test_arms_that_leave_one_out_cost_the_remedies_no_power():
    with_them, without = (
        {arm.name: arm.p_adjusted for arm in records(arms, arms[0])}
        for arms in (remedies(0.05, left_out=12), remedies(0.05, left_out=0))
    )
    assert with_them["dropout"] == without["dropout"]
    assert with_them["dropout"] < 0.05
