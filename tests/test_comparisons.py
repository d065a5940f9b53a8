"""Comparisons against SciPy, by hand, and against the share of simulations in which they are wrong."""

import numpy as np
import pytest
from scipy import stats

from pipeline.comparisons import compare, holm, judge, verdicts

SEEDS, ARMS = 10, 12
NOTHING = "no detectable difference"


def normal(mean: float, spread: float = 0.1, *, rng: int = 0, seeds: int = SEEDS) -> np.ndarray:
    return mean + spread * np.random.default_rng(rng).normal(size=seeds)


def resplit_losses(rng: np.random.Generator, rows: int, judged: int, data_sets: int) -> np.ndarray:
    """Losses of two least-squares models on random resplits of one data set, `[data sets, 2, seeds]`.

    One model sees the first three features and the other the last three, of which the target is the plain sum: no model
    is better than the other.
    """
    x = rng.normal(size=(data_sets, rows, 6))
    y = x.sum(axis=-1) + rng.normal(size=(data_sets, rows))
    order = rng.random((data_sets, SEEDS, rows)).argsort(axis=-1)
    x = np.take_along_axis(x[:, None], order[..., None], axis=2)
    y = np.take_along_axis(y[:, None], order, axis=2)
    losses = []
    for seen in (x[..., :3], x[..., 3:]):
        train, holdout = seen[..., judged:, :], seen[..., :judged, :]
        turned = train.swapaxes(-1, -2)
        weights = np.linalg.solve(turned @ train, turned @ y[..., judged:, None])
        losses.append(np.sqrt(np.square((holdout @ weights)[..., 0] - y[..., :judged]).mean(axis=-1)))
    return np.stack(losses, axis=1)


def test_on_one_split_it_is_the_paired_t_test():
    arm, reference = normal(1.0), normal(1.1, rng=1)
    found, theirs = compare(arm, reference), stats.ttest_rel(arm, reference)
    assert found.p == pytest.approx(theirs.pvalue, rel=1e-9)
    low, high = theirs.confidence_interval()
    assert found.difference["low"] == pytest.approx(low)
    assert found.difference["high"] == pytest.approx(high)
    assert found.difference["mean"] == pytest.approx(arm.mean() - reference.mean())
    assert found.pairs == SEEDS


@pytest.mark.parametrize("overlap", [0.0, 0.25])
def test_interval_leaves_out_0_just_where_p_is_below_5_percent(overlap):
    for shift in np.linspace(0, 0.3, 31):
        found = compare(normal(1.0), normal(1.0 + shift, rng=1), overlap)
        assert (found.difference["low"] > 0 or found.difference["high"] < 0) == (found.p < 0.05)


def test_difference_that_is_much_the_same_for_all_seeds_shows_through_seeds_that_differ():
    hard_or_easy = normal(1.0, 0.5)
    assert compare(hard_or_easy + normal(-0.02, 0.01, rng=1), hard_or_easy).p < 0.01


@pytest.mark.parametrize(("rows", "judged"), [(100, 20), (90, 30)])
def test_resplit_seeds_share_rows_which_the_correction_allows_for(rows, judged):
    losses = resplit_losses(np.random.default_rng(0), rows, judged, data_sets=400)

    def covered(overlap: float) -> float:
        intervals = [compare(arm, reference, overlap).difference for arm, reference in losses]
        return np.mean([found["low"] <= 0 <= found["high"] for found in intervals])

    assert covered(0.0) < 0.80
    assert 0.93 < covered(judged / (rows - judged)) < 0.99


def test_interval_of_a_difference_holds_the_truth_95_times_of_100():
    rng = np.random.default_rng(0)
    found = [compare(*pair).difference for pair in rng.normal([[0.9], [1.0]], 0.1, (800, 2, SEEDS))]
    assert 0.93 < np.mean([each["low"] <= -0.1 <= each["high"] for each in found]) < 0.97


def test_probability_counts_ties_half():
    found = compare([1, 1, 1, 2, 1], [2, 2, 1, 1, 1]).probability_better
    assert found["mean"] == pytest.approx((2 + 2 * 0.5) / 5)
    assert 0 <= found["low"] < found["mean"] < found["high"] <= 1


def test_interval_of_the_probability_holds_the_truth():
    rng, truth = np.random.default_rng(0), stats.norm.cdf(0.5)
    found = [
        compare(*pair).probability_better
        for pair in rng.normal([[-0.5 * np.sqrt(2)], [0]], 1, (500, 2, 20))  # the difference has variance 2
    ]
    assert 0.90 < np.mean([each["low"] <= truth <= each["high"] for each in found]) < 0.98


def test_ten_wins_of_ten_do_not_prove_a_win_each_time():
    always, never = compare(normal(1.0), normal(9.0)), compare(normal(9.0), normal(1.0))
    assert always.probability_better == pytest.approx({"mean": 1.0, "low": 0.025**0.1, "high": 1.0})
    assert never.probability_better == pytest.approx({"mean": 0.0, "low": 0.0, "high": 1 - 0.025**0.1})


def test_twice_the_same_question_has_the_same_answer():
    assert compare(normal(1.0), normal(1.05, rng=1), 0.2) == compare(normal(1.0), normal(1.05, rng=1), 0.2)


def test_arm_compared_with_itself_is_the_same():
    found = compare(normal(1.0), normal(1.0))
    assert found.difference == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert found.probability_better == {"mean": 0.5, "low": 0.5, "high": 0.5}
    assert found.p == 1.0


def test_same_difference_on_every_seed_is_sure():
    found = compare([1.5, 2.5, 3.5], [1, 2, 3], overlap=0.25)
    assert found.difference == {"mean": 0.5, "low": 0.5, "high": 0.5}
    assert found.p == 0.0


def test_pairs_without_two_losses_are_left_out():
    gaps = [np.nan, 1.0, 2.0, 3.5, np.inf, 4.0]
    assert compare(gaps, [1.0, 2.0, 2.5, 3.0, 4.0, np.nan]) == compare([1.0, 2.0, 3.5], [2.0, 2.5, 3.0])


@pytest.mark.parametrize(("arm", "reference", "pairs"), [([1.0], [2.0], 1), ([], [], 0), ([np.nan, 1], [1, np.nan], 0)])
def test_fewer_than_two_pairs_say_nothing(arm, reference, pairs):
    found = compare(arm, reference)
    assert (found.p, found.pairs) == (None, pairs)
    for each in (found.difference, found.probability_better):
        assert (each["low"], each["high"]) == (None, None)
        assert (each["mean"] is None) == (pairs == 0)
    assert verdicts([judge(arm, reference, reference)])[0].verdict is None


def test_arms_of_other_seeds_are_refused():
    with pytest.raises(ValueError, match="paired by seed"):
        compare(normal(1.0), normal(1.0, seeds=9))
    with pytest.raises(ValueError, match="paired by seed"):
        judge(normal(1.0), normal(2.0), np.array(2.3))


def test_holm_by_hand():
    # 4 x 0.01, 3 x 0.02, then 2 x 0.03 (but 0.06 already) and 1 x 0.04 (which may not be below 0.06).
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    # 3 x 0.005, 2 x 0.03, 1 x 0.9; the fourth is unknown and does not count.
    assert holm([0.9, None, 0.005, 0.03]) == [pytest.approx(0.9), None, pytest.approx(0.015), pytest.approx(0.06)]
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([None, None]) == [None, None]
    assert holm([]) == []


def test_holm_keeps_the_order_and_raises_no_claim_above_bonferroni():
    p = np.random.default_rng(0).random(50) ** 3
    adjusted = np.array(holm(list(p)))
    assert (np.diff(adjusted[p.argsort()]) >= 0).all()
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(50 * p, 1)).all()


@pytest.mark.parametrize(
    ("reference_at", "chance_at", "common"),
    [(0.0, 10.0, 3.0), (8.0, 0.0, 0.0)],
    ids=["arms equal the reference", "arms beat a poor reference but equal the constant"],
)
def test_of_12_arms_that_do_nothing_one_is_said_to_in_fewer_than_5_of_100_studies(reference_at, chance_at, common):
    rng, studies, alone, claimed = np.random.default_rng(0), 200, 0, 0
    for _ in range(studies):
        # All arms meet the same reference or constant, and easy or hard seeds: they are correlated.
        reference, chance, *arms = rng.normal(size=(ARMS + 2, SEEDS)) + common * rng.normal(size=SEEDS)
        said = verdicts([judge(arm, reference + reference_at, chance + chance_at) for arm in arms])
        claimed += any(each.verdict != NOTHING for each in said)
        alone += any(each.p < 0.05 for each in said)
    assert claimed / studies < 0.05
    assert alone / studies > 0.10


def test_arm_that_helps_is_found_among_those_that_do_not():
    seeds = normal(1.0, 0.3)
    arms = [seeds - 0.2 + normal(0, 0.05, rng=1), seeds + 0.2 + normal(0, 0.05, rng=2), seeds + normal(0, 0.05, rng=3)]
    said = verdicts([judge(arm, seeds, np.full(SEEDS, 2.3)) for arm in arms])
    assert [each.verdict for each in said] == ["helps", "hurts", NOTHING]
    assert all(each.p <= each.p_adjusted for each in said)


def test_on_random_labels_nothing_helps():
    constant, memorized, stopped = normal(2.303, 0.001), normal(10.0, 0.5, rng=1), normal(2.31, 0.004, rng=2)
    smaller = judge(stopped, memorized, constant)
    assert smaller.comparison.p < 1e-6
    assert smaller.p == 1.0
    assert [each.verdict for each in verdicts([smaller])] == [NOTHING]
    assert [each.verdict for each in verdicts([judge(stopped, memorized)])] == ["helps"]


def test_model_that_knows_nothing_cannot_be_hurt():
    constant, knows_nothing, worse = normal(2.30, 0.001), normal(2.31, 0.004, rng=1), normal(10.0, 0.5, rng=2)
    assert verdicts([judge(worse, knows_nothing, constant)])[0].verdict == NOTHING
    assert verdicts([judge(worse, knows_nothing - 1, constant)])[0].verdict == "hurts"


def test_claim_is_as_sure_as_its_weaker_half():
    arm, reference, constant = normal(1.0), normal(9.0, rng=1), normal(1.08, rng=2)
    against_constant = compare(arm, constant, 0.2).p
    assert judge(arm, reference, constant, 0.2).p == against_constant > compare(arm, reference, 0.2).p
    assert judge(arm, reference, constant + 50, 0.2).p == compare(arm, reference, 0.2).p


def test_guard_that_is_not_known_leaves_the_claim_open():
    judged = judge(normal(1.0), normal(9.0), np.full(SEEDS, np.nan))
    assert judged.p is None
    assert verdicts([judged])[0].verdict is None


def test_all_seeds_diverged_and_count_as_the_constant():
    constant = np.full(SEEDS, 2.3)
    assert verdicts([judge(constant, constant, constant)])[0].verdict == NOTHING
    assert verdicts([judge(normal(1.0), constant, constant)])[0].verdict == "helps"
    assert verdicts([judge(constant, normal(1.0), constant)])[0].verdict == "hurts"


def test_no_arm_no_verdict():
    assert verdicts([]) == []
