"""The comparison of arms by losses of rows that are made up."""

import numpy as np
import pytest

from experiments import records as record
from experiments.study.arms import BASELINE, TOGETHER
from experiments.study.compared import Compared
from experiments.study.scored import Scored
from tests.study.made_up import baseline, records_by_name


def test_arms_are_compared_row_by_row_with_their_reference(scored):
    base, better, same, worse = baseline(scored), scored("a", 0.25), scored("b", 0.3), scored("c", 0.35)
    records = records_by_name([base, better, same, worse])
    assert [records[name].verdict for name in "abc"] == ["helps", "no detectable difference", "hurts"]
    assert records[BASELINE].difference is None
    for arm in (better, same, worse):
        of_rows = (arm.loss_rows - base.loss_rows).mean(axis=(0, 1))
        assert records[arm.name].difference.mean == pytest.approx(of_rows.mean())
        assert records[arm.name].difference.mean == pytest.approx(arm.mean_loss - base.mean_loss)
    assert records["b"].times_rows is None or records["b"].times_rows > 1
    assert records["a"].probability_better.mean == 1.0


def test_a_reference_that_competes_is_the_chosen_one(scored):
    adam = [
        scored(f"adam, rate {rate}", loss, "optimizers", group="tuned", options="adam, tuned", reference=None)
        for rate, loss in ((0.001, 0.40), (0.01, 0.30))
    ]
    other = scored(
        "sgd, rate 0.1", 0.35, "optimizers", group="tuned", options="sgd, tuned", reference="adam, rate 0.001"
    )
    record = records_by_name([*adam, other])["sgd, rate 0.1"]
    assert (record.reference, record.verdict) == ("adam, rate 0.01", "hurts")


def test_each_question_is_adjusted_for_by_itself(scored):
    base = baseline(scored)
    alone = [base, scored("a", 0.28), scored("b", 0.3), scored(TOGETHER, 0.29, group="together")]
    left_out = [scored(f"all but {n}", 0.3, group="leave_one_out", reference=TOGETHER) for n in range(6)]
    at_best = scored("baseline at its best epoch", 0.3, group="best_epoch")
    records, beside = records_by_name(alone), records_by_name([*alone, *left_out, at_best])
    for name in ("a", "b", TOGETHER):
        for field in ("p_adjusted", "difference", "detectable"):
            assert getattr(records[name], field) == getattr(beside[name], field)
    assert records["a"].p_adjusted > records["a"].p
    assert beside["baseline at its best epoch"].p == beside["baseline at its best epoch"].p_adjusted


def test_an_arm_that_is_the_same_training_makes_no_difference_and_is_not_counted(scored):
    base = baseline(scored)
    other, same = scored("a", 0.28), scored("b", base.loss_rows)
    alone, beside = records_by_name([base, other]), records_by_name([base, other, same])
    assert (beside["b"].verdict, beside["b"].p_adjusted) == ("no detectable difference", 1.0)
    assert beside["b"].probability_better.mean == 0.5
    assert beside["a"].p_adjusted == alone["a"].p_adjusted


def test_among_models_that_know_nothing_a_difference_is_no_help(scored):
    base = scored(BASELINE, 1.9, group=BASELINE, reference=None)
    records = records_by_name([base, scored("a", 1.2), scored("b", 2.4), scored("c", 0.4)])
    assert [records[name].verdict for name in "abc"] == [
        "neither beats knowing nothing", "neither beats knowing nothing", "helps",
    ]  # fmt: skip


def test_what_the_search_has_seen_does_not_judge_what_it_found(scored, pool):
    n = len(pool.y)
    gains = np.linspace(0.01, 0.05, n)

    def compared(of_searched: float) -> tuple[dict[str, record.Arm], Scored]:
        default = scored("default", 0.3, "winner", group="default", reference=None)
        losses = default.result.row_scores["cross_entropy"] - gains
        losses[..., pool.searched] += of_searched
        winner = scored("winner", losses, "winner", group="winner", reference="default")
        return records_by_name([default, winner]), winner

    (here, winner), (there, other) = compared(0.0), compared(5.0)
    assert here["winner"].verdict == there["winner"].verdict == "helps"
    for field in ("difference", "p", "influence", "detectable"):
        assert getattr(here["winner"], field) is not None
    for records in (here, there):
        assert records["winner"].difference.mean == pytest.approx(-gains[~pool.searched].mean())
        assert set(records["winner"].influence.rows) <= set(pool.numbers[~pool.searched] + 1)
    assert other.loss_on(pool.searched).mean > winner.loss_on(pool.searched).mean + 4
    assert winner.loss_on(np.zeros(n, bool)) is None


def test_a_comparison_on_other_rows_is_added_and_leaves_the_section_as_it_was(scored):
    compared = Compared.of([baseline(scored), arm := scored("a", 0.3), scored("b", 0.2)])
    with_another = compared.with_judged("a", compared.judged["b"])
    assert (compared.finding(arm), with_another.finding(arm)) == ("no detectable difference", "helps")
