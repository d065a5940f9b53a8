"""The scores of arms: the choice among those that compete, and trainings that diverge."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from experiments.study.arms import BASELINE, Arm
from experiments.study.compared import Compared
from experiments.study.jobs import Job
from experiments.study.rows import Rows, pooled
from experiments.study.scored import Scored, best, score
from experiments.study.tables import seed_rows
from experiments.study.worker import train
from pipeline.data.examples import Problem, Split
from pipeline.settings import Model, Train
from tests.study.made_up import baseline, records_by_name

SEEDS = list(range(1000, 1005))


def test_of_competing_strengths_each_fold_is_judged_by_the_best_on_the_other_folds(scored, pool):
    base, ring = baseline(scored), pool.ring
    few = [scored(f"dropout {share}", 0.28, factor="dropout", options="dropout") for share in (0.1, 0.2, 0.3)]
    compared = Compared.of([base, *few])
    [choice] = compared.choices("single")
    assert choice.name == best(few).name
    for k in range(10):
        judging = ring.fold[0] == k
        best_elsewhere = min(few, key=lambda arm: arm.loss_rows[..., ~judging].sum())
        np.testing.assert_array_equal(choice.loss_rows[..., judging], best_elsewhere.loss_rows[..., judging])
    records = records_by_name([base, *few])
    assert [record.chosen for record in records.values()] == [True, *(arm.name == choice.name for arm in few)]
    assert sum(records[choice.name].picks.values()) == 10
    assert [arm.name for arm in few if records[arm.name].verdict] == [choice.name]
    # Its numbers are those of the choice, by seed too.
    assert records[choice.name].scores["holdout"]["cross_entropy"].mean == pytest.approx(choice.loss_rows.mean())
    table = seed_rows(compared.arms, {})
    by_seed = table[table["arm"] == choice.name]["holdout_cross_entropy"]
    np.testing.assert_allclose(by_seed, ring.by_seed(choice.loss_rows))


@pytest.fixture(scope="module")
def diabetes() -> Rows:
    x, y = load_diabetes(return_X_y=True)
    x, y = (x * 20).astype(np.float32), ((y - y.mean()) / y.std()).astype(np.float32)
    parts = Split(x[:200], y[:200]), Split(x[200:300], y[200:300])
    return pooled(*parts, SEEDS, Problem("regression", 10, 1, target_scale=77.0))


def trained(rows: Rows, name: str, read_at: int | None = None, **changes: object) -> Scored:
    settings = Train(**({"epochs": 6, "batch_size": 32, "learning_rate": 0.01} | changes))
    arm = Arm(
        section="remedies",
        name=name,
        factor=name,
        group="single",
        model=Model(hidden_units=[8]),
        train=settings,
        read_at=read_at,
        reference=BASELINE if name != BASELINE else None,
    )
    return score(arm, *train([Job.of(arm)], rows, SEEDS), rows, SEEDS)


def test_diverged_seeds_count_as_knowing_nothing_in_means_gaps_and_differences_alike(diabetes):
    base, unsteady = trained(diabetes, BASELINE), trained(diabetes, "unsteady", optimizer="sgd", learning_rate=0.45)
    lost = unsteady.result.fitted.diverged
    assert 0 < lost.sum() < 5
    floor = diabetes.ring.by_seed(diabetes.floor["squared_error"])
    np.testing.assert_allclose(unsteady.table["holdout_rmse"][lost], np.sqrt(floor[lost]), rtol=1e-5)
    records = records_by_name([base, unsteady])
    record = records["unsteady"]
    assert record.diverged == lost.sum()
    means = {name: of_arm.scores["holdout"]["rmse"].mean for name, of_arm in records.items()}
    assert record.difference.mean == pytest.approx(means["unsteady"] - means[BASELINE])
    for split in ("train", "holdout"):
        assert np.isfinite(unsteady.table[f"{split}_rmse"]).all()
        assert record.scores[split]["r2"].high <= 1
    gap = record.scores["holdout"]["rmse"].mean - record.scores["train"]["rmse"].mean
    assert record.gap["rmse"].mean == pytest.approx(gap)


def test_a_loss_that_is_surely_above_that_of_the_training_rows_has_a_gap_surely_above_0(diabetes):
    """A few rows that are missed by far widen the interval upwards, and not below 0."""
    base = trained(diabetes, BASELINE, epochs=60)
    row_scores = {name: values.copy() for name, values in base.row_scores.items()}
    row_scores["squared_error"][..., [7, 30, 60]] *= 300.0
    record = records_by_name([replace(base, row_scores=row_scores)])[BASELINE]
    assert record.scores["holdout"]["rmse"].low > record.scores["train"]["rmse"].high
    assert record.gap["rmse"].low > 0


def test_all_seeds_diverged_make_an_arm_that_knows_nothing(diabetes):
    lost = trained(diabetes, "lost", optimizer="sgd", learning_rate=30.0)
    assert lost.result.fitted.diverged.all()
    assert lost.mean_loss == pytest.approx(lost.floor_loss, rel=1e-5)
    record = records_by_name([trained(diabetes, BASELINE), lost])["lost"]
    assert (record.verdict, record.diverged) == ("hurts", 5)
    assert record.best_epoch.mean is None or record.best_epoch.mean >= 1


def test_an_arm_read_at_an_epoch_counts_seeds_that_have_diverged_by_then_as_knowing_nothing(diabetes):
    unsteady = {"optimizer": "sgd", "learning_rate": 0.45, "epochs": 6}
    early, late = (trained(diabetes, f"read at {at}", read_at=at, **unsteady) for at in (1, 6))
    floor = np.sqrt(np.nanmean(diabetes.floor["squared_error"]))
    lost = late.result.fitted.diverged
    for split in ("validation", "holdout"):
        np.testing.assert_allclose(late.table[f"{split}_rmse"][lost], floor, rtol=1e-5)
        np.testing.assert_allclose(late.table[f"{split}_r2"][lost], 0.0, atol=0.03)
    for arm in (early, late):
        assert np.isfinite(arm.mean_loss)
        assert np.isfinite(arm.table[["train_rmse", "validation_rmse", "holdout_rmse", "holdout_r2"]]).all(axis=None)
    of_seeds = late.table["holdout_rmse"]
    assert late.metric("rmse").mean == pytest.approx(np.sqrt(np.square(of_seeds).mean()))
    assert late.metric("rmse").low > 0 and late.metric("r2").high <= 1
