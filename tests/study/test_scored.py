"""What arms are said to be worth, of losses of rows that are made up, and of trainings that diverge."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from experiments import records as record
from experiments.study.arms import BASELINE, TOGETHER, Arm
from experiments.study.jobs import Job
from experiments.study.rows import Rows, pooled
from experiments.study.scored import Compared, Scored, best, on_rows, records, score, seed_rows
from experiments.study.worker import train
from pipeline.data.examples import Problem, Split
from pipeline.settings import Model, Train

SEEDS = list(range(1000, 1010))
N = 200  # rows of the pool that is made up
Makes = Callable[..., Scored]


def told(arms: list[Scored]) -> dict[str, record.Arm]:
    """The arms' records by name; the first arm is the baseline."""
    return {arm.name: arm for arm in records(Compared.of(arms), arms[0], {})}


def baseline(scored: Makes) -> Scored:
    return scored(BASELINE, 0.3, group=BASELINE, reference=None)


def test_arms_are_compared_row_by_row_with_their_reference(scored):
    base, better, same, worse = baseline(scored), scored("a", 0.25), scored("b", 0.3), scored("c", 0.35)
    found = told([base, better, same, worse])
    assert [found[name].verdict for name in "abc"] == ["helps", "no detectable difference", "hurts"]
    assert found[BASELINE].difference is None
    for arm in (better, same, worse):
        of_rows = (arm.loss_rows - base.loss_rows).mean(axis=(0, 1))
        assert found[arm.arm.name].difference.mean == pytest.approx(of_rows.mean())
        assert found[arm.arm.name].difference.mean == pytest.approx(arm.mean_loss - base.mean_loss)
    assert found["b"].times_rows is None or found["b"].times_rows > 1
    assert found["a"].probability_better.mean == 1.0


def test_rows_that_carry_a_difference_are_named_by_their_number_in_the_source(scored, pool):
    base = baseline(scored)
    losses = base.loss_rows.copy()
    losses[..., 3] -= 9
    losses[..., N - 1] -= 5
    found = told([base, scored("a", losses)])["a"].influence
    assert found.rows[:2] == [504, 940]
    assert found.differences[:2] == pytest.approx([-9, -5])
    assert found.without == pytest.approx(0)


def test_of_competing_strengths_each_fold_is_judged_by_the_best_on_the_other_folds(scored, pool):
    base, ring = baseline(scored), pool.ring
    few = [scored(f"dropout {share}", 0.28, factor="dropout", options="dropout") for share in (0.1, 0.2, 0.3)]
    compared = Compared.of([base, *few])
    [choice] = compared.choices("single")
    assert choice.arm.name == best(few).arm.name
    for k in range(10):
        own = ring.fold[0] == k
        elsewhere = [each.loss_rows[..., ~own].sum() for each in few]
        np.testing.assert_array_equal(choice.loss_rows[..., own], few[int(np.argmin(elsewhere))].loss_rows[..., own])
    found = told([base, *few])
    assert [arm.chosen for arm in found.values()] == [True, *(each.arm.name == choice.arm.name for each in few)]
    assert sum(found[choice.arm.name].picks.values()) == 10
    assert [each.arm.name for each in few if found[each.arm.name].verdict] == [choice.arm.name]
    # Its numbers are those of the choice, by seed too.
    assert found[choice.arm.name].scores["holdout"]["cross_entropy"].mean == pytest.approx(choice.loss_rows.mean())
    table = seed_rows(compared.arms, {})
    own = table[table["arm"] == choice.arm.name]["holdout_cross_entropy"]
    np.testing.assert_allclose(own, ring.by_seed(choice.loss_rows))


def test_a_reference_that_competes_is_the_chosen_one(scored):
    adam = [
        scored(f"adam, rate {rate}", loss, "optimizers", group="tuned", options="adam, tuned", reference=None)
        for rate, loss in ((0.001, 0.40), (0.01, 0.30))
    ]
    other = scored(
        "sgd, rate 0.1", 0.35, "optimizers", group="tuned", options="sgd, tuned", reference="adam, rate 0.001"
    )
    found = told([*adam, other])["sgd, rate 0.1"]
    assert (found.reference, found.verdict) == ("adam, rate 0.01", "hurts")


def test_each_question_is_adjusted_for_by_itself(scored):
    base = baseline(scored)
    alone = [base, scored("a", 0.28), scored("b", 0.3), scored(TOGETHER, 0.29, group="together")]
    left_out = [scored(f"all but {n}", 0.3, group="leave_one_out", reference=TOGETHER) for n in range(6)]
    at_best = scored("baseline at its best epoch", 0.3, group="best_epoch")
    found, beside = told(alone), told([*alone, *left_out, at_best])
    for name in ("a", "b", TOGETHER):
        for field in ("p_adjusted", "difference", "detectable"):
            assert getattr(found[name], field) == getattr(beside[name], field)
    assert found["a"].p_adjusted > found["a"].p
    assert beside["baseline at its best epoch"].p == beside["baseline at its best epoch"].p_adjusted


def test_an_arm_that_is_the_same_training_makes_no_difference_and_is_not_counted(scored):
    base = baseline(scored)
    alone, beside = told([base, other := scored("a", 0.28)]), told([base, other, scored("b", base.loss_rows)])
    assert (beside["b"].verdict, beside["b"].p_adjusted) == ("no detectable difference", 1.0)
    assert beside["b"].probability_better.mean == 0.5
    assert beside["a"].p_adjusted == alone["a"].p_adjusted


def test_among_models_that_know_nothing_a_difference_is_no_help(scored):
    base = scored(BASELINE, 1.9, group=BASELINE, reference=None)
    found = told([base, scored("a", 1.2), scored("b", 2.4), scored("c", 0.4)])
    assert [found[name].verdict for name in "abc"] == [
        "neither beats knowing nothing", "neither beats knowing nothing", "helps",
    ]  # fmt: skip


def test_what_the_search_has_seen_does_not_judge_what_it_found(scored, pool):
    def compared(of_searched: float) -> tuple[dict[str, record.Arm], Scored]:
        default, winner = (scored(name, 0.3, "winner", group=name, reference=None) for name in ("default", "winner"))
        losses = [each.result.row_scores["cross_entropy"].copy() for each in (default, winner)]
        losses[1] = losses[0] - np.linspace(0.01, 0.05, N)
        losses[1][..., pool.searched] += of_searched
        default, winner = (
            scored(name, each, "winner", group=name, reference=reference)
            for name, each, reference in zip(("default", "winner"), losses, (None, "default"), strict=True)
        )
        return told([default, winner]), winner

    (here, winner), (there, other) = compared(0.0), compared(5.0)
    assert here["winner"].verdict == there["winner"].verdict == "helps"
    for field in ("difference", "p", "influence", "detectable"):
        assert getattr(here["winner"], field) is not None
    expected = -np.linspace(0.01, 0.05, N)[~pool.searched].mean()
    for found in (here, there):
        assert found["winner"].difference.mean == pytest.approx(expected)
        assert set(found["winner"].influence.rows) <= set(pool.numbers[~pool.searched] + 1)
    assert on_rows(other, pool.searched).mean > on_rows(winner, pool.searched).mean + 4
    assert on_rows(winner, np.zeros(N, bool)) is None


def test_seeds_that_collapse_now_and_then_are_told_with_their_range(scored, pool):
    steady = told([baseline(scored)])[BASELINE]
    assert steady.seeds_range is None
    losses = baseline(scored).loss_rows.copy()
    losses[pool.ring.judges == 4] = 0.7
    low, high = told([scored(BASELINE, losses, group=BASELINE, reference=None)])[BASELINE].seeds_range
    assert low < 0.5 < high == pytest.approx(0.7)


@pytest.fixture(scope="module")
def diabetes() -> Rows:
    x, y = load_diabetes(return_X_y=True)
    x, y = (x * 20).astype(np.float32), ((y - y.mean()) / y.std()).astype(np.float32)
    parts = Split(x[:200], y[:200]), Split(x[200:300], y[200:300])
    return pooled(*parts, SEEDS[:5], Problem("regression", 10, 1), 77.0)


def trained(rows: Rows, name: str, read_at: int | None = None, group: str = "single", **changes: object) -> Scored:
    settings = Train(**({"epochs": 6, "batch_size": 32, "learning_rate": 0.01} | changes))
    arm = Arm(
        "remedies", name, name, group, Model(hidden_units=[8]), settings, read_at=read_at,
        reference=BASELINE if name != BASELINE else None,
    )  # fmt: skip
    return score(arm, train(Job.of(arm), rows, SEEDS[:5]), rows, SEEDS[:5])


def test_diverged_seeds_count_as_knowing_nothing_in_means_gaps_and_differences_alike(diabetes):
    base, unsteady = trained(diabetes, BASELINE), trained(diabetes, "unsteady", optimizer="sgd", learning_rate=0.45)
    lost = unsteady.result.diverged
    assert 0 < lost.sum() < 5
    floor = diabetes.ring.by_seed(diabetes.floor["squared_error"])
    np.testing.assert_allclose(unsteady.table["holdout_rmse"][lost], np.sqrt(floor[lost]), rtol=1e-5)
    found = told([base, unsteady])["unsteady"]
    assert found.diverged == lost.sum()
    means = {name: each.scores["holdout"]["rmse"].mean for name, each in told([base, unsteady]).items()}
    assert found.difference.mean == pytest.approx(means["unsteady"] - means[BASELINE])
    for split in ("train", "holdout"):
        assert np.isfinite(unsteady.table[f"{split}_rmse"]).all()
        assert found.scores[split]["r2"].high <= 1
    gap = found.scores["holdout"]["rmse"].mean - found.scores["train"]["rmse"].mean
    assert found.gap["rmse"].mean == pytest.approx(gap, rel=0.3, abs=0.5)


def test_all_seeds_diverged_make_an_arm_that_knows_nothing(diabetes):
    lost = trained(diabetes, "lost", optimizer="sgd", learning_rate=30.0)
    assert lost.result.diverged.all()
    assert lost.mean_loss == pytest.approx(lost.floor_loss, rel=1e-5)
    found = told([trained(diabetes, BASELINE), lost])["lost"]
    assert (found.verdict, found.diverged) == ("hurts", 5)
    assert found.best_epoch.mean is None or found.best_epoch.mean >= 1


def test_an_arm_read_at_an_epoch_counts_seeds_that_have_diverged_by_then_as_knowing_nothing(diabetes):
    unsteady = {"optimizer": "sgd", "learning_rate": 0.45, "epochs": 6}
    early, late = (trained(diabetes, f"read at {at}", read_at=at, **unsteady) for at in (1, 6))
    floor = np.sqrt(np.nanmean(diabetes.floor["squared_error"]))
    lost = late.result.diverged
    for split in ("val", "holdout"):
        np.testing.assert_allclose(late.table[f"{split}_rmse"][lost], floor, rtol=1e-5)
        np.testing.assert_allclose(late.table[f"{split}_r2"][lost], 0.0, atol=0.03)
    for each in (early, late):
        assert np.isfinite(each.mean_loss)
        assert np.isfinite(each.table[["train_rmse", "val_rmse", "holdout_rmse", "holdout_r2"]]).all(axis=None)
    of_seeds = late.table["holdout_rmse"]
    assert late.metric("rmse").mean == pytest.approx(np.sqrt(np.square(of_seeds).mean()))
    assert late.metric("rmse").low > 0 and late.metric("r2").high <= 1
