"""The trainings of a study: where and how a result is kept, and the scores that it has for every row."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_digits

from experiments.study.jobs import Job, Result, cache_path, context, read_result, write_result
from experiments.study.rows import Rows, pooled
from experiments.study.worker import train
from pipeline.data.examples import Problem, Split
from pipeline.data.splits import read_summary
from pipeline.settings import EarlyStopping, Model, Schedule, Train
from pipeline.training.fitted import Chosen, Fitted
from pipeline.training.predict import predict
from pipeline.training.trainer import fit

SEEDS = list(range(1000, 1005))


def job(rows: int | None = None, model: dict | None = None, **train: object) -> Job:
    return Job(Model(**(model or {})), Train(**train), rows, "true")


def test_jobs_of_the_same_training_are_equal_whatever_their_seeds_setting():
    assert job() == job(seeds=3)
    assert len({job(), job(seeds=3), job(epochs=3), job(rows=20)}) == 3


@pytest.mark.parametrize(
    ("other", "shares"),
    [
        (job(model={"dropout": 0.2}), True),
        (job(model={"dropout": 0.1, "l2": 0.1}), True),
        (job(model={"dropout": 0.1}, epochs=3), True),
        (job(model={"dropout": 0.1}, rows=20), True),
        (job(), False),
        (job(model={"dropout": 0.1, "hidden_units": [3]}), False),
        (job(model={"dropout": 0.1}, optimizer="sgd"), False),
    ],
)
def test_jobs_that_differ_in_strengths_and_lengths_come_together(other, shares):
    assert (job(model={"dropout": 0.1}).graph == other.graph) == shares


def test_a_result_is_kept_as_it_is(tmp_path):
    history = pd.DataFrame({"seed": [0, 0], "epoch": [1, 2], "validation_accuracy": [0.5, 0.75]})
    row_scores = {"cross_entropy": np.array([[[1.0, np.nan], [2.0, 3.0]]], np.float32)}
    weights = {"output/kernel": np.ones((1, 2, 3))}
    holdout = Chosen({"output/kernel": np.zeros((1, 2, 3))}, np.array([1]))
    fitted = Fitted(weights, np.array([2]), [0], np.array([False]), history, holdout)
    result = Result(fitted, row_scores, np.array([[True], [False]]), 1.5)
    write_result(tmp_path / "a.npz", result)
    again = read_result(tmp_path / "a.npz")
    pd.testing.assert_frame_equal(again.fitted.history, history)
    assert (again.fitted.seeds, again.fitted.diverged, again.seconds) == ([0], [False], 1.5)
    np.testing.assert_array_equal(again.best_epochs, [[2], [1]])
    np.testing.assert_array_equal(again.fitted.weights["output/kernel"], np.ones((1, 2, 3)))
    np.testing.assert_array_equal(again.fitted.by_holdout.weights["output/kernel"], np.zeros((1, 2, 3)))
    np.testing.assert_array_equal(again.row_scores["cross_entropy"], row_scores["cross_entropy"])
    np.testing.assert_array_equal(again.sound, [[True], [False]])


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 torn"])
def test_a_result_that_is_missing_or_damaged_is_none(tmp_path, content):
    path = tmp_path / "a.npz"
    if content is not None:
        path.write_bytes(content)
    assert read_result(path) is None


def test_a_result_is_kept_under_all_that_it_depends_on(digits_project):
    summary = read_summary()
    here = context([0, 1], summary)
    others = [
        context([0, 2], summary),
        context([0, 1], summary.model_copy(update={"digest": summary.digest | {"train": "other"}})),
        # The same target in another unit, which its digest, taken when it is scaled, does not show.
        context([0, 1], summary.model_copy(update={"target_scale": 1000.0})),
        # The same pixels in images of another shape, which a shift moves elsewhere.
        context([0, 1], summary.model_copy(update={"image_shape": [4, 16]})),
    ]
    assert context([0, 1], summary) == here
    files = {cache_path(job(), digest) for digest in (here, *others)} | {cache_path(job(epochs=3), here)}
    assert len(files) == 6


@pytest.fixture(scope="module")
def digits() -> Rows:
    x, y = load_digits(return_X_y=True)
    x, y = (x / 16).astype(np.float32), y.astype(np.int32)
    # 303 rows: the folds are not all of one size.
    parts = Split(x[:203], y[:203]), Split(x[203:303], y[203:303])
    return pooled(*parts, SEEDS, Problem("classification", 64, 10))


@pytest.fixture(scope="module")
def diabetes() -> Rows:
    x, y = load_diabetes(return_X_y=True)
    x, y = (x * 20).astype(np.float32), ((y - y.mean()) / y.std()).astype(np.float32)
    return pooled(
        Split(x[:200], y[:200]), Split(x[200:301], y[200:301]), SEEDS, Problem("regression", 10, 1, target_scale=77.0)
    )


@pytest.mark.parametrize("name", ["digits", "diabetes"])
def test_every_row_is_scored_by_the_seeds_that_held_it_out_as_stopped_on_their_other_fold(name, request):
    rows: Rows = request.getfixturevalue(name)
    stopping = job(model={"hidden_units": [8]}, epochs=15, learning_rate=0.03, early_stopping=EarlyStopping(patience=1))
    [result], examples = train([stopping], rows, SEEDS), rows.examples()
    swapped = replace(examples, val_rows=examples.holdout_rows, holdout_rows=np.empty((1, 0), int))
    of_role = [result.fitted.weights, fit(swapped, stopping.model, stopping.train, SEEDS).weights]
    [score, *_] = result.row_scores
    for role, weights in enumerate(of_role):
        outputs = predict(stopping.model, rows.problem, weights, rows.x)
        for seed in range(5):
            judging = rows.held_out(role)[seed]
            expected = rows.score(outputs[seed, judging], judging)[score]
            np.testing.assert_allclose(result.row_scores[score][0, role, judging], expected, rtol=1e-4, atol=1e-5)
    assert np.isfinite(result.row_scores[score]).all()
    assert result.sound.all()


def test_means_of_the_rows_are_what_the_history_says_of_each_fold(digits):
    [result] = train([job(model={"hidden_units": [8]}, epochs=3)], digits, SEEDS)
    last = result.fitted.history.groupby("seed").tail(1)
    for split, role in (("holdout", 0), ("validation", 1)):
        for metric in ("cross_entropy", "accuracy"):
            means = [
                result.row_scores[metric][0, role, rows[: digits.examples().val_rows.shape[1]]].mean()
                for rows in digits.held_out(role)
            ]
            np.testing.assert_allclose(last[f"{split}_{metric}"], means, rtol=1e-4)


def test_a_seed_that_diverged_scores_what_knowing_nothing_does(diabetes):
    wild = job(model={"hidden_units": [8]}, optimizer="sgd", learning_rate=0.6, epochs=6)
    [result] = train([wild], diabetes, SEEDS)
    assert 0 < result.fitted.diverged.sum() < 5
    np.testing.assert_array_equal(result.sound, [~result.fitted.diverged, ~result.fitted.diverged])
    is_lost = result.fitted.diverged[diabetes.ring.judges]
    np.testing.assert_allclose(
        result.row_scores["squared_error"][is_lost], diabetes.floor["squared_error"][is_lost], rtol=1e-5
    )
    assert (result.row_scores["squared_error"][~is_lost] != diabetes.floor["squared_error"][~is_lost]).any()


def test_rows_that_have_cut_the_learning_rate_judge_nothing(digits):
    plateau = job(model={"hidden_units": [8]}, epochs=3, schedule=Schedule(name="plateau"))
    losses = train([plateau], digits, SEEDS)[0].row_scores["cross_entropy"]
    assert np.isnan(losses[:, 1]).all()
    assert np.isfinite(losses[:, 0]).all()


def test_more_seeds_than_folds_leave_rows_of_the_last_ring_without_a_score(digits):
    seeds = list(range(12))
    split = Split(digits.x, digits.y)
    rows = pooled(split, Split(digits.x[:0], digits.y[:0]), seeds, digits.problem)
    accuracy = train([job(model={"hidden_units": []}, epochs=1)], rows, seeds)[0].row_scores["accuracy"]
    assert accuracy.shape == (2, 2, 303)
    np.testing.assert_array_equal(np.isfinite(accuracy), rows.ring.judges >= 0)
