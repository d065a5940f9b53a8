"""Comparisons against their formulas, by hand, and against the share of simulations in which they are wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, signal, special, stats

from pipeline.statistics.comparisons import choose, estimates, holm, influence, judge, probability_better
from pipeline.statistics.intervals import Estimate, Interval
from pipeline.statistics.ring import Ring, draw_ring, ring_in_time

NOTHING = "no detectable difference"
FOLDS = 10


def ring_of(n: int, seeds: int = FOLDS, groups: np.ndarray | None = None) -> Ring:
    return draw_ring(n, list(range(seeds)), groups)


def with_luck(rng: np.random.Generator, ring: Ring, arms: int, luck: float, shared: float = 0.0) -> np.ndarray:
    """Differences `[arms, rings, 2, n]` whose true mean is 0: rows differ, and each seed's model is lucky or not.

    Args:
        luck: standard deviation of a model's luck, where that of a row's mean is 1.
        shared: share of a row's variance that all arms have in common.
    """
    own, common = rng.normal(size=(arms, 1, 1, ring.n)), rng.normal(size=ring.n)
    rows = np.sqrt(1 - shared) * own + np.sqrt(shared) * common
    models = luck * rng.normal(size=(arms, ring.seeds))
    at_rows = np.stack([ring.by_row(np.stack([each, each])) for each in models])
    return rows + at_rows + rng.normal(size=(arms, *ring.judges.shape))


def by_the_formulas(
    differences: np.ndarray, fold: np.ndarray, groups: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean, standard error and degrees of freedom of one ring, `[arms, 2, n]`, as `RING.md` has them."""
    arms, _, n = differences.shape

    def variance(d: np.ndarray) -> float:
        if groups is None:
            return d.var(ddof=1) / n
        sums = np.array([(d - d.mean())[groups == group].sum() for group in np.unique(groups)])
        return len(sums) / (len(sums) - 1) * (sums**2).sum() / n**2

    both = differences.mean(axis=1)
    single = np.array([[variance(role) for role in arm] for arm in differences]).mean(axis=1)
    of_folds = np.zeros((arms, 2))
    for arm in range(arms):
        for role in range(2):
            d = differences[arm, role]
            parts = [(d[fold == k] - d.mean()).sum() * FOLDS / n for k in range(FOLDS)]
            of_folds[arm, role] = np.sum(np.square(parts)) / (FOLDS - 1) / FOLDS
    effect, own = of_folds.mean(axis=1) / single, FOLDS - 1
    freedom = float(own)
    if arms >= 3:  # Smyth (2004), with the arms' correlation
        square = np.square(np.corrcoef(both)[~np.eye(arms, dtype=bool)]).mean()
        logs = np.log(effect) - special.digamma(own / 2) + np.log(own / 2)
        beyond = logs.var(ddof=1) - special.polygamma(1, own / 2) * (1 - square)
        most = own * arms / (1 + (arms - 1) * square)
        if beyond <= 2e-6:
            common, freedom = np.exp(logs.mean()), most
        else:
            prior = 2 * optimize.brentq(lambda half: special.polygamma(1, half) - beyond, 1e-3, 1e6)
            center = np.exp(logs.mean() + special.digamma(prior / 2) - np.log(prior / 2))
            common = (prior * center + own * effect) / (prior + own)
            freedom = max(own, min(prior + own, most))
        effect = np.maximum(effect, common)
    variances = np.array([variance(d) for d in both]) + (np.maximum(1, effect) - 1) * single
    return both.mean(axis=1), np.sqrt(variances), freedom


@pytest.mark.parametrize("luck", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("arms", [1, 2, 3, 8])
def test_one_ring_is_estimated_by_its_formulas(arms, luck):
    ring = ring_of(203)
    differences = with_luck(np.random.default_rng(arms), ring, arms, luck, shared=0.3)
    found = estimates(differences, ring)
    mean, error, freedom = by_the_formulas(differences[:, 0], ring.fold[0])
    np.testing.assert_allclose([each.mean for each in found], mean)
    np.testing.assert_allclose([each.error for each in found], error)
    np.testing.assert_allclose([each.freedom for each in found], freedom)
    assert {each.n for each in found} == {203}


def test_groups_are_estimated_by_the_sums_of_theirs():
    groups = np.random.default_rng(0).integers(0, 60, 203)
    ring = ring_of(203, groups=groups)
    differences = with_luck(np.random.default_rng(1), ring, 4, luck=0.3)
    found = estimates(differences, ring)
    mean, error, freedom = by_the_formulas(differences[:, 0], ring.fold[0], groups)
    np.testing.assert_allclose([each.mean for each in found], mean)
    np.testing.assert_allclose([each.error for each in found], error)
    np.testing.assert_allclose([each.freedom for each in found], freedom)
    assert {each.n for each in found} == {len(np.unique(groups))}


def test_rows_told_four_times_are_no_more_than_told_once():
    once = ring_of(60)
    values = with_luck(np.random.default_rng(0), once, 4, luck=0.3)
    again = Ring(once.fold.repeat(4, axis=1), once.seeds, np.arange(60).repeat(4))
    for plain, grouped in zip(estimates(values, once), estimates(values.repeat(4, axis=-1), again), strict=True):
        assert (grouped.mean, grouped.error, grouped.freedom, grouped.n) == pytest.approx(
            (plain.mean, plain.error, plain.freedom, 60)
        )


@pytest.mark.parametrize("steady", [0.0, 0.5])
def test_a_design_effect_is_raised_to_its_neighbours_and_never_lowered(steady):
    rng, ring, raised = np.random.default_rng(0), ring_of(200), 0
    for _ in range(30):
        differences = np.concatenate([with_luck(rng, ring, 5, steady), with_luck(rng, ring, 1, 1.0)])
        alone = np.array([estimates([each], ring)[0].error for each in differences])
        beside = np.array([each.error for each in estimates(differences, ring)])
        assert (beside >= alone - 1e-12).all()
        raised += (beside > 1.001 * alone).sum()
    assert raised > 30


def test_more_seeds_are_further_rings_and_tell_more():
    rng, one, two = np.random.default_rng(0), ring_of(300), ring_of(300, seeds=20)
    errors = [
        np.mean([estimates(with_luck(rng, ring, 1, luck=0.5), ring)[0].error for _ in range(40)]) for ring in (one, two)
    ]
    assert errors[1] < 0.85 * errors[0]


@pytest.mark.parametrize("seeds", [2, 3, 5, 12])
def test_rows_that_no_seed_judges_are_left_out(seeds):
    ring = ring_of(200, seeds)
    differences = with_luck(np.random.default_rng(0), ring, 1, luck=0.2)
    [found] = estimates(differences, ring)
    judged = (ring.judges >= 0).any(axis=(0, 1))
    assert found.n == judged.sum()
    assert found.mean == pytest.approx(np.nanmean(differences[0][..., judged], axis=(0, 1)).mean())
    assert found.error > 0 and found.p is not None


def test_one_seed_cannot_tell_how_far_others_would_differ():
    ring = ring_of(100, seeds=1)
    [found] = estimates(with_luck(np.random.default_rng(0), ring, 1, luck=0.2), ring)
    assert (found.freedom, found.p, found.interval().low) == (0, None, None)
    assert judge([found], [None])[0].finding is None


def test_an_arm_equal_to_its_reference_has_no_error_and_leaves_the_others_theirs():
    ring = ring_of(100)
    others = with_luck(np.random.default_rng(0), ring, 3, luck=0.2)
    same, *found = estimates([np.zeros_like(others[0]), *others], ring)
    assert (same.mean, same.error) == (0, 0)
    assert found == estimates(others, ring)


def test_rows_that_are_not_finite_are_refused():
    ring = ring_of(100)
    values = with_luck(np.random.default_rng(0), ring, 1, luck=0.2)[0]
    with pytest.raises(ValueError, match="no row that judges"):
        estimates([np.full_like(values, np.nan)], ring)
    values[0, 0, 3] = np.inf
    with pytest.raises(ValueError, match="infinite"):
        estimates([values], ring)


@pytest.mark.parametrize(
    ("n", "seeds", "luck", "per_group"),
    [(200, 10, 0.3, 1), (200, 5, 0.3, 1), (200, 20, 0.3, 1), (1000, 10, 0.1, 1), (400, 10, 0.3, 4)],
    ids=["ring", "five folds", "two rings", "many rows", "groups"],
)
def test_intervals_hold_the_truth_95_times_of_100_where_the_error_of_rows_alone_is_too_small(n, seeds, luck, per_group):
    rng, arms, studies = np.random.default_rng(0), 6, 120
    groups = None if per_group == 1 else np.arange(n // per_group).repeat(per_group)
    held, by_rows_alone, wrong = [], [], 0
    ring = draw_ring(n, list(range(seeds)), groups)
    for _ in range(studies):
        differences = with_luck(rng, ring, arms, luck)
        if groups is not None:
            differences = differences + rng.normal(size=(arms, 1, 1, groups.max() + 1)).repeat(per_group, axis=-1)
        found = estimates(differences, ring)
        held += [each.interval().low <= 0 <= each.interval().high for each in found]
        rows = np.nanmean(differences, axis=(1, 2))
        plain = stats.ttest_1samp(rows, 0, axis=1).pvalue
        by_rows_alone += (plain >= 0.05).tolist()
        wrong += any(verdict.finding != NOTHING for verdict in judge(found, [None] * arms))
    assert 0.92 <= np.mean(held) <= 0.985
    assert np.mean(by_rows_alone) < 0.88
    assert wrong / studies <= 0.07


def losses_of_options(rng: np.random.Generator, ring: Ring, options: int) -> np.ndarray:
    """Losses of options that are all as good, of true mean 1."""
    return 1 + 0.3 * with_luck(rng, ring, options, luck=0.1, shared=0.8)


def test_a_choice_is_judged_by_rows_that_had_no_say_in_it():
    rng, ring, crossed, naive = np.random.default_rng(0), ring_of(200), [], []
    for _ in range(300):
        losses = losses_of_options(rng, ring, 5)
        picked = np.take_along_axis(losses, choose(losses, ring)[None, :, None], axis=0)[0]
        crossed.append(picked.mean() - 1)
        naive.append(losses.mean(axis=(1, 2, 3)).min() - 1)
    error = np.std(crossed) / np.sqrt(300)
    assert abs(np.mean(crossed)) < 2.5 * error
    assert np.mean(naive) < -5 * error


def test_rows_of_a_fold_change_the_choice_of_the_other_folds_alone():
    rng, ring = np.random.default_rng(0), ring_of(100, seeds=20)
    losses = losses_of_options(rng, ring, 4)
    before = choose(losses, ring)
    for number, k in ((0, 3), (1, 7)):
        changed, rows = losses.copy(), ring.fold[number] == k
        changed[2, number][:, rows] -= 100
        after = choose(changed, ring)
        np.testing.assert_array_equal(after[number, rows], before[number, rows])
        assert (after[number, ~rows] == 2).all()
        np.testing.assert_array_equal(after[1 - number], before[1 - number])


def test_the_clearly_best_option_is_chosen_in_every_fold_by_rows_that_judge():
    ring = ring_of(100, seeds=3)
    losses = losses_of_options(np.random.default_rng(0), ring, 3)
    losses[1] -= 1
    assert (choose(losses, ring) == 1).all()


def test_an_option_that_is_judged_once_is_not_the_better_for_it():
    ring = ring_of(100)
    losses = losses_of_options(np.random.default_rng(0), ring, 2)
    losses[1] += 0.5
    losses[1, :, 1] = np.nan  # its second fold has cut the learning rate
    assert (choose(losses, ring) == 0).all()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.floats(-6, 6), st.floats(2, 60)), min_size=1, max_size=8))
def test_an_interval_leaves_out_0_just_where_a_difference_is_found(of_arms):
    told = judge([Estimate(mean, 0.6, 0.4, freedom, 100) for mean, freedom in of_arms], [None] * len(of_arms))
    for (mean, _), verdict in zip(of_arms, told, strict=True):
        if abs(verdict.p_adjusted - 0.05) < 1e-9:
            continue
        leaves_out_0 = verdict.difference.low > 0 or verdict.difference.high < 0
        assert leaves_out_0 == (verdict.finding != NOTHING) == (verdict.p_adjusted < 0.05)
        if leaves_out_0:
            assert verdict.finding == ("helps" if mean < 0 else "hurts")


def told_of(mean: float, error: float = 0.01, freedom: float = 30.0) -> Estimate:
    return Estimate(mean, error**2 / 2, error**2 / 2, freedom, 500)


def test_intervals_of_several_arms_hold_together_and_one_alone_is_narrower():
    [alone] = judge([told_of(-0.012)], [None])
    beside = judge([told_of(-0.012)] * 10, [None] * 10)[0]
    half = told_of(0).error * stats.t.isf(0.025 / 10, 30)
    assert beside.difference.high - beside.difference.mean == pytest.approx(half)
    assert alone.difference.high < beside.difference.high
    assert alone.detectable < beside.detectable == told_of(0).detectable(10)


def test_what_is_not_found_tells_what_would_find_it():
    nothing, found = judge([told_of(0.02), told_of(0.05)], [None, None])
    assert (nothing.finding, found.finding) == (NOTHING, "hurts")
    assert nothing.times_rows is None or nothing.times_rows > 1
    assert (found.times_rows, found.times_rings) == (None, None)
    of_rows, of_models = judge(
        [Estimate(0.02, *parts, 30.0, 500) for parts in ((9e-5, 1e-5), (1e-5, 9e-5))], [None] * 2
    )
    assert of_rows.times_rows > 1 and of_rows.times_rings is None
    assert of_models.times_rings > 1 and of_models.times_rows is None


def test_the_same_computation_as_the_reference_is_no_comparison_and_is_not_counted():
    same = Estimate(0.0, 0.0, 0.0, 9.0, 500)
    beside, first, second = judge([same, told_of(-0.02), told_of(0.0)], [None] * 3)
    assert (beside.p, beside.finding, beside.difference) == (1.0, NOTHING, Interval(0.0, 0.0, 0.0))
    assert [first, second] == judge([told_of(-0.02), told_of(0.0)], [None] * 2)


def test_among_worthless_models_a_smaller_loss_is_no_help():
    worthless, worthwhile = told_of(0.3), told_of(-0.3)
    told = judge([told_of(-0.5), told_of(-0.5), told_of(0.5), told_of(0.5)], [worthless, worthwhile] * 2)
    assert [each.finding for each in told] == [
        "neither beats knowing nothing", "helps", "neither beats knowing nothing", "hurts",
    ]  # fmt: skip
    as_nothing = Estimate(0.0, 0.0, 0.0, 9.0, 500)  # all seeds diverged, and count as knowing nothing
    assert judge([told_of(-0.5)], [as_nothing])[0].finding == "neither beats knowing nothing"
    assert judge([told_of(0.0)], [worthless])[0].finding == NOTHING


def test_a_verdict_in_another_unit_is_the_same_verdict():
    [found] = judge([told_of(-0.012)], [None])
    scaled = found.scaled(10)
    assert (scaled.p, scaled.finding, scaled.times_rows) == (found.p, found.finding, found.times_rows)
    assert scaled.difference == found.difference.scaled(10)
    assert scaled.detectable == pytest.approx(10 * found.detectable)


def test_no_arm_no_verdict():
    assert judge([], []) == []
    assert estimates([], ring_of(100)) == []


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


def test_probability_counts_ties_half():
    found = probability_better(np.array([1, 1, 1, 2, 1]), np.array([2, 2, 1, 1, 1]))
    assert found.mean == pytest.approx((2 + 2 * 0.5) / 5)
    assert 0 <= found.low < found.mean < found.high <= 1


def test_ten_wins_of_ten_are_surer_than_nine_and_prove_no_win_each_time():
    def wins(of_ten: int) -> Interval:
        return probability_better(np.where(np.arange(10) < of_ten, 1.0, 3.0), np.full(10, 2.0))

    lows = [wins(number).low for number in range(11)]
    assert lows == sorted(lows)
    assert lows[10] > lows[9]
    assert wins(10) == Interval(1.0, pytest.approx(0.025**0.1), 1.0)
    assert wins(0) == Interval(0.0, 0.0, pytest.approx(1 - 0.025**0.1))


def test_interval_of_the_probability_holds_the_truth():
    rng, truth = np.random.default_rng(0), stats.norm.cdf(0.5)
    pairs = rng.normal([[-0.5 * np.sqrt(2)], [0]], 1, (500, 2, 20))  # the difference has variance 2
    found = [probability_better(*pair) for pair in pairs]
    assert 0.93 < np.mean([each.low <= truth <= each.high for each in found]) <= 1


def test_pairs_without_two_losses_are_left_out():
    gaps = np.array([np.nan, 1.0, 2.0, 3.5, np.inf, 4.0])
    others = np.array([1.0, 2.0, 2.5, 3.0, 4.0, np.nan])
    assert probability_better(gaps, others) == probability_better(gaps[1:4], others[1:4])
    assert probability_better(gaps[:1], others[:1]) == Interval()


def test_the_rows_that_carry_a_difference_are_named():
    differences = np.full((1, 2, 50), -0.01)
    differences[0, :, 7], differences[0, :, 30], differences[0, :, 40] = (-3, -1), -5, 4
    found = influence(differences, rows=2)
    assert (found.rows, found.differences) == ([30, 7], [-5, -2])
    assert found.without == pytest.approx((4 - 47 * 0.01) / 48)
    assert influence(-differences, rows=2).rows == [30, 7]


def test_rows_that_may_not_judge_carry_nothing():
    differences = np.random.default_rng(0).normal(-1, 1, (2, 2, 50))
    differences[:, :, :30] = np.nan
    found = influence(differences)
    assert len(found.rows) == 10 and min(found.rows) >= 30
    rest = np.setdiff1d(np.arange(30, 50), found.rows)
    assert found.without == pytest.approx(differences[..., rest].mean())


def folds_in_time(rows: int, seeds: int) -> Ring:
    """Return a ring of rows from the latest to the earliest, with equal folds of this many rows."""
    return ring_in_time(np.repeat(np.arange(FOLDS + 2), rows), seeds)


def test_in_time_the_error_is_that_of_a_mean_over_folds():
    ring = folds_in_time(20, FOLDS)
    differences = np.where(ring.judges >= 0, np.random.default_rng(0).normal(0.3, 1, (4, *ring.judges.shape)), np.nan)
    for estimate, values in zip(estimates(list(differences), ring), differences, strict=True):
        by_fold = [np.nanmean(values[0, 0, ring.fold[0] == fold]) for fold in range(FOLDS)]
        test = stats.ttest_1samp(by_fold, 0)
        assert estimate.mean == pytest.approx(np.mean(by_fold))
        assert (estimate.p, estimate.freedom) == (pytest.approx(test.pvalue), FOLDS - 1)
        low, high = test.confidence_interval()
        assert estimate.interval() == Interval(estimate.mean, pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize("memory", [0.0, 0.8])
def test_in_time_intervals_hold_the_truth_where_neighbours_are_alike_and_models_are_lucky(memory):
    """Differences follow an AR(1) process, and each fold's model has its luck."""
    rng, rows, held, runs = np.random.default_rng(1), 60, 0, 400
    ring = folds_in_time(rows, FOLDS)
    for _ in range(runs):
        series = signal.lfilter([1], [1, -memory], rng.normal(size=100 + ring.n))[100:]
        luck = rng.normal(0, 0.2, FOLDS + 2)[ring.fold[0]]
        values = np.where(ring.judges >= 0, series + luck, np.nan)
        interval = estimates([values], ring)[0].interval()
        held += interval.low <= 0 <= interval.high
    assert 0.92 <= held / runs <= 0.98


def test_in_time_only_earlier_rows_choose():
    ring = folds_in_time(8, FOLDS)
    losses = np.random.default_rng(2).normal(size=(3, *ring.judges.shape))
    losses = np.where(ring.holders >= 0, losses, np.nan)
    picks = choose(losses, ring)[0]
    for fold in range(FOLDS):
        later = losses.copy()
        later[..., ring.fold[0] <= fold] *= -100
        assert (choose(later, ring)[0] == picks)[ring.fold[0] == fold].all()
        before = losses[..., ring.fold[0] > fold]
        assert set(picks[ring.fold[0] == fold]) == {np.nansum(before, axis=(1, 2, 3)).argmin()}
