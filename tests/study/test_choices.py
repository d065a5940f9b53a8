"""A recommendation is an arm that the tables say helps, and it is judged by rows that did not choose it."""

import numpy as np
import pytest

from experiments.study import choices as study_choose
from experiments.study.arms import BASELINE, BEST_EPOCH, TOGETHER
from experiments.study.choices import at_edge, by_other_scores, candidates, chosen_remedy, recommendation, recommended
from experiments.study.compared import Compared
from experiments.study.scored import Scored
from pipeline.settings import Dimension, Search, Settings
from tests.study.made_up import Makes, baseline


def remedies(scored: Makes, gain: float) -> list[Scored]:
    """Return a baseline, six remedies that do nothing and one that gains, and all together, which hurts."""
    idle = [scored(f"idle {number}", 0.3) for number in range(6)]
    together = scored(TOGETHER, 0.35, group="together")
    return [baseline(scored), *idle, scored("dropout", 0.3 - gain), together]


@pytest.mark.parametrize("gain", np.linspace(0.0, 0.03, 9))
def test_an_arm_is_recommended_just_where_the_table_says_that_it_helps(scored, gain):
    arms = remedies(scored, gain)
    compared = Compared.of(arms)
    helping = [arm for arm in arms if compared.finding(arm) == "helps"]
    arm, by_others = recommended({"remedies": compared}, arms[0])
    assert arm in (helping or [arms[0]])
    record = recommendation(arm, by_others, arms[0], None)
    assert record.helps == bool(helping)
    assert record.beats_nothing and record.over_nothing.high < 0
    if gain == 0.03:
        assert record.arm == "dropout"


def test_the_recommended_arm_is_judged_fold_by_fold_by_what_the_other_folds_recommend(scored, pool):
    arms = [baseline(scored, 0.5), scored("a", 0.3), scored("b", 0.3), scored("c", 0.3)]
    _, by_others = recommended({"remedies": Compared.of(arms)}, arms[0])
    ring = pool.ring
    for k in range(10):
        judging = ring.fold[0] == k
        best_elsewhere = min(arms, key=lambda arm: arm.loss_rows[..., ~judging].sum())
        np.testing.assert_array_equal(by_others.loss_rows[..., judging], best_elsewhere.loss_rows[..., judging])


def test_a_model_that_does_not_beat_knowing_nothing_is_said_to_be_worthless(scored):
    arms = [baseline(scored, 1.5), scored("a", 0.9)]
    compared = Compared.of(arms)
    assert compared.finding(arms[1]) == "neither beats knowing nothing"
    arm, by_others = recommended({"remedies": compared}, arms[0])
    record = recommendation(arm, by_others, arms[0], None)
    assert (record.arm, record.helps, record.beats_nothing) == (BASELINE, False, False)
    assert record.over_nothing.low > 0


def test_another_score_recommends_in_the_same_way_with_the_difference_on_rows_that_did_not_choose(scored, pool):
    arms = [baseline(scored, 0.5), scored("a", 0.3), scored("b", 0.31)]
    compared = Compared.of(arms)
    rng = np.random.default_rng(1)
    for arm, accuracy in zip(arms, (0.5, 0.6, 0.8), strict=True):
        arm.row_scores["accuracy"] = (rng.uniform(size=pool.ring.judges.shape) < accuracy).astype(float)
    competing = candidates({"remedies": compared}, arms[0])
    assert [arm.name for arm in competing] == [BASELINE, "a", "b"]
    _, by_loss = recommended({"remedies": compared}, arms[0])
    accuracy, brier = by_other_scores({"remedies": compared}, competing, by_loss)
    assert (accuracy.score, accuracy.section, accuracy.arm) == ("accuracy", "remedies", "b")
    assert accuracy.difference.low < arms[2].mean("accuracy") - by_loss.mean("accuracy") < accuracy.difference.high
    assert accuracy.difference.low > 0
    assert (brier.arm, brier.difference) == ("a", None)  # it falls with the loss here
    assert by_other_scores({"remedies": compared}, competing[:1], by_loss) == []


def test_another_score_chooses_the_strength_too(scored, pool):
    arms = [baseline(scored, 0.5), *(scored(f"L2 {l2}", loss, options="L2") for l2, loss in ((0.01, 0.3), (0.1, 0.33)))]
    rng = np.random.default_rng(1)
    for arm, accuracy in zip(arms, (0.5, 0.6, 0.8), strict=True):
        arm.result.row_scores["accuracy"] = (rng.uniform(size=pool.ring.judges.shape) < accuracy).astype(float)
    sections = {"remedies": Compared.of(arms)}
    competing = candidates(sections, arms[0])
    assert [arm.name for arm in competing] == [BASELINE, "L2 0.01"]
    accuracy, brier = by_other_scores(sections, competing, recommended(sections, arms[0])[1])
    assert accuracy.arm == "L2 0.1" and accuracy.difference.low > 0
    assert accuracy.difference.mean == pytest.approx(arms[2].mean("accuracy") - arms[1].mean("accuracy"))
    assert (brier.arm, brier.difference) == ("L2 0.01", None)


def winner(scored: Makes, pool, gain: float) -> list[Scored]:
    """Return the search's default and winner, which looks better still on the rows that the search has chosen by."""
    default = scored("default", 0.3, "winner", group="default", reference=None)
    losses = default.result.row_scores["cross_entropy"] - gain
    losses[..., pool.searched] -= 0.2
    incumbents = [scored(f"trial {n}", 0.3, "winner", group="incumbent", reference=None, x=n) for n in (0, 7)]
    return [default, scored("winner", losses, "winner", group="winner", reference="default", x=7), *incumbents]


def test_the_winner_is_recommended_by_rows_that_the_search_has_not_chosen_by(scored, pool):
    base = baseline(scored)
    for gain, expected in ((0.1, "winner"), (-0.02, BASELINE)):
        sections = {"remedies": Compared.of([base]), "winner": Compared.of(winner(scored, pool, gain))}
        arm, by_others = recommended(sections, base)
        assert arm.name == expected
        assert np.isfinite(by_others.loss_rows[..., pool.searched]).any() == (expected == BASELINE)


# The search went by the accuracy, and promised these losses.
PROMISED = {0: {"validation_cross_entropy": 0.3}, 7: {"validation_cross_entropy": 0.05}}
SEARCH = {
    "best": {"trial": 7, "values": [0.99], "facts": PROMISED[7], "settings": {"model": {"l2": 0.009}, "train": {}}},
    "default": {"trial": 0, "values": [0.9]},
    "incumbents": [{"trial": number, "values": [0.9], "facts": facts} for number, facts in PROMISED.items()],
    "counts": {"complete": 6, "pruned": 2, "fail": 3},
}


def test_what_the_search_promised_stands_beside_what_it_is_worth_on_each_kind_of_rows(scored, pool):
    arms = winner(scored, pool, 0.1)
    compared = Compared.of(arms)
    record = study_choose.optimism(compared, {}, SEARCH, Settings())
    assert (record.trial, record.trials, record.promised, record.judged_on) == (7, 8, 0.05, "holdout")
    rows = arms[1].result.row_scores["cross_entropy"]
    assert record.fresh.mean == pytest.approx(rows[..., ~pool.searched].mean())
    assert record.same_rows.mean == pytest.approx(rows[..., pool.searched].mean())
    assert record.optimism_fresh == pytest.approx(record.fresh.mean - 0.05)
    assert (record.beats_default, record.test, record.optimism_test) == ("helps", None, None)
    incumbents = study_choose.incumbents(compared, {}, SEARCH)
    assert [(of.trial, of.trials, of.promised) for of in incumbents] == [(0, 1, 0.3), (7, 8, 0.05)]


def test_without_a_search_nothing_is_said_of_it():
    assert study_choose.optimism(None, {}, {}, Settings()) is None
    assert study_choose.incumbents(None, {}, {}) is None


def test_the_chosen_remedy_is_the_best_of_the_choices(scored):
    strengths = [scored(f"dropout {n}", loss, options="dropout") for n, loss in ((0.1, 0.28), (0.2, 0.22))]
    alone = [baseline(scored), *strengths, scored("L2", 0.25), scored("all but L2", 0.1, group="leave_one_out")]
    assert chosen_remedy(Compared.of(alone)).name == "dropout 0.2"
    assert chosen_remedy(Compared.of(alone[:1])) is None


@pytest.mark.parametrize(
    ("end", "best", "rises"), [(0.4, 0.3, True), (0.3, 0.3, False), (0.3, 0.4, False)], ids=["rises", "flat", "falls"]
)
def test_training_on_hurts_where_the_last_epoch_is_worse_than_the_best(scored, end, best, rises):
    arms = [baseline(scored, end), scored(BEST_EPOCH, best, group="best_epoch")]
    record = study_choose.overfits(Compared.of(arms))
    assert record.rises == rises
    assert record.rise.mean == pytest.approx(end - best, abs=0.01)
    # It was 0.2 on the training rows.
    assert record.answer is True
    assert record.gap["cross_entropy"].mean == pytest.approx(end - 0.2, abs=0.01)


def test_a_gap_whose_interval_has_0_is_no_overfitting(scored):
    arms = [baseline(scored, 0.2), scored(BEST_EPOCH, 0.2, group="best_epoch")]
    assert study_choose.overfits(Compared.of(arms)).answer is False


def test_settings_found_at_an_end_of_the_space_are_named():
    space = {
        "train.learning_rate": Dimension(low=1e-4, high=0.1, log=True),
        "model.dropout": Dimension(low=0.0, high=0.5),
        "model.l2": Dimension(low=1e-5, high=1e-2, log=True, switch=True),
        "model.hidden_units": Dimension(width=[32, 64, 128], depth=[1, 2]),
        "train.batch_size": Dimension(choices=[16, 64]),
    }
    assert Search(space=space).space == space

    def edges(rate: float, dropout: float, l2: float, units: list[int]) -> list[str]:
        model = {"dropout": dropout, "l2": l2, "hidden_units": units}
        return at_edge(space, {"model": model, "train": {"learning_rate": rate, "batch_size": 16}})

    assert edges(0.003, 0.2, 1e-3, [64]) == ["the depth of model.hidden_units at its lowest, 1"]
    assert edges(0.09, 0.01, 1e-3, [128, 128]) == [
        "train.learning_rate near its highest, 0.1",
        "model.dropout near its lowest, 0",
        "the width of model.hidden_units at its highest, 128",
        "the depth of model.hidden_units at its highest, 2",
    ]
    assert not any("l2" in edge for edge in edges(0.003, 0.2, 0.0, [64]))  # switched off
