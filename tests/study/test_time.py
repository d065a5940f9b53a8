"""A study of rows that are ordered in time: no row judges a model that knows anything later."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.records import read_study
from experiments.study import __main__ as study
from experiments.study import jobs
from experiments.study.rows import Rows, knowing_nothing, pooled, read_rows
from pipeline.data.examples import Problem, Split
from pipeline.data.splits import read_split, read_summary
from pipeline.errors import InputError

# Every third day of bicycle rentals in Seoul, at 8 and 18 o'clock: two rows of each time.
CASE = Path(__file__).parents[1] / "data" / "cases" / "30_dates_in_order.csv"
SEEDS = list(range(1000, 1007))


@pytest.fixture
def bicycles(folder: Path, empty_store: Path, stage) -> Path:
    """The working folder is a project of this table, shuffled, whose splits are made."""
    pd.read_csv(CASE).sample(frac=1, random_state=0).to_csv("bicycles.csv", index=False)
    data = {"source": "bicycles.csv", "target": "Rented Bike Count", "time": "Date", "drop": ["Date"]}
    settings = {
        "seeds": 3,
        "sections": ["remedies", "learning_curve"],
        "sizes": 2,
        "remedies": {"model.dropout": [0.2, 0.5], "train.early_stopping.patience": [2]},
        "peers": ["linear"],
    }
    train = {"epochs": 4, "learning_rate": 0.01}
    Path("params.yaml").write_text(
        json.dumps({"data": data, "train": train, "study": settings, "engine": {"workers": 1}})
    )
    (folder / "mlruns").mkdir()
    shutil.copyfile(empty_store, folder / "mlruns" / "mlflow.db")
    stage("prepare")
    return folder


@pytest.fixture
def rows(bicycles) -> Rows:
    return read_rows(SEEDS, read_summary())


def days_of(rows: Rows) -> np.ndarray:
    """Return the date of each row of the pool, as the file has it."""
    dates = pd.to_datetime(pd.read_csv("bicycles.csv")["Date"], format="%d/%m/%Y")
    return dates.to_numpy()[rows.numbers]


def test_no_judging_row_is_as_early_as_a_row_that_trained_or_stopped_the_model_it_judges(rows):
    days = days_of(rows)
    judges = rows.ring.judges
    assert (judges >= 0).sum() > 0.3 * len(days)
    for seed in range(len(SEEDS)):
        examples = rows.examples()
        stopping, judging = days[rows.held_out(1)[seed]], days[(judges == seed).any(axis=(0, 1))]
        assert days[rows.train[seed]].max() < stopping.min()
        assert stopping.max() < judging.min()
        assert days[examples.train_rows[seed]].max() < days[examples.val_rows[seed]].min()
        assert days[examples.val_rows[seed]].max() < days[examples.holdout_rows[seed]].min()


def test_test_rows_are_later_than_all_of_the_pool(rows):
    dates = pd.to_datetime(pd.read_csv("bicycles.csv")["Date"], format="%d/%m/%Y").to_numpy()
    assert dates[read_split("test").numbers].min() > days_of(rows).max()


def test_each_seed_trains_on_the_latest_rows_before_its_folds_and_the_first_seed_on_the_latest_of_all(rows):
    days = days_of(rows)
    for seed, train in enumerate(rows.train):
        before = np.sort(days[days < days[rows.held_out(1)[seed]].min()])
        np.testing.assert_array_equal(np.sort(days[train]), before[-len(train) :])
        assert (np.diff(days[train]) <= np.timedelta64(0)).all()  # so a smaller training set is a later one
    assert (np.diff([days[train].max() for train in rows.train]) < np.timedelta64(0)).all()
    assert rows.train.shape[1] >= len(days) // 2 - 2


def test_rows_judge_once_and_the_search_leaves_none_to_judge_its_winner(rows):
    assert set((rows.ring.judges >= 0).sum(axis=(0, 1))) == {0, 1}
    assert rows.searched.all()
    assert rows.variance == pytest.approx(np.var(rows.y[rows.ring.may_judge]) * rows.problem.target_scale**2)
    assert knowing_nothing(rows, read_split("test"))["test"]["r2"] < 1


def test_of_a_pool_much_larger_than_the_training_split_the_latest_rows_stay():
    n, few = 300, 20
    split = Split(np.zeros((n, 1), np.float32), np.arange(n, dtype=np.float32), times=np.arange(n))
    train = Split(split.x[:few], split.y[:few], times=split.times[:few])
    rest = Split(split.x[few:], split.y[few:], times=split.times[few:])
    rows = pooled(train, rest, SEEDS, Problem("regression", 1, 1))
    assert sorted(rows.y) == list(range(200, 300)) and rows.train.shape == (7, 20)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (np.zeros(80, int), r"the study needs .* rows of three times in data\.time.*there are 1 times"),
        (np.arange(80) // 79, r"there are 2 times"),
        (np.arange(20), r"with data\.time the study needs 32 .* there are 20: lower data\.test_fraction"),
    ],
)
def test_too_few_rows_or_times_are_told_with_the_setting(times, message):
    n = len(times)
    split = Split(np.zeros((n, 1), np.float32), np.zeros(n, np.float32), times=times)
    with pytest.raises(InputError, match=message):
        pooled(split, Split(split.x[:0], split.y[:0], times=times[:0]), SEEDS, Problem("regression", 1, 1))


def test_a_study_in_time_is_judged_by_fold_and_chooses_by_earlier_folds(bicycles, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["study"])
    study.main()
    record = read_study()
    assert (record.about.time, record.about.folds, record.about.rings) == ("Date", 3, 1)
    arms = {arm.name: arm for arm in record.section("remedies")}
    dropout = next(arm for arm in arms.values() if arm.factor == "dropout" and arm.picks)
    assert sum(dropout.picks.values()) == 3
    rows = read_rows([1000, 1001, 1002], read_summary())
    results = [jobs.read_result(path) for path in jobs.CACHE.glob("*.npz")]
    for result in results:
        scores = result.row_scores["squared_error"]
        assert np.isfinite(scores[rows.ring.judges >= 0]).all() and np.isnan(scores[rows.ring.holders < 0]).all()
        # The fold that stops scores the very models that it has stopped, so the judging fold has no part in choices.
        for name, weights in result.fitted.weights.items():
            np.testing.assert_array_equal(result.fitted.by_holdout.weights[name], weights)
    sizes = [arm.train_rows for arm in record.section("learning_curve") if arm.group == "without"]
    assert sizes[-1] == record.about.rows["train"] == 2 * sizes[0] + sizes[-1] % 2
