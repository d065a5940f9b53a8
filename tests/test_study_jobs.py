"""What a training of a study is kept under, and as what."""

import numpy as np
import pandas as pd
import pytest

from experiments.study_cost import model_fit_sample, steps_an_epoch
from experiments.study_data import Rows
from experiments.study_jobs import Job, Result, context, kept_file, read_result, write_result
from pipeline.examples import Problem
from pipeline.params import Model, Study, Train
from pipeline.splits import read_summary


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
    history = pd.DataFrame({"seed": [0, 0], "epoch": [1, 2], "val_accuracy": [0.5, 0.75]})
    result = Result(history, np.array([2]), np.array([False]), {"output/kernel": np.ones((1, 2, 3))}, 1.5)
    write_result(tmp_path / "a.npz", result)
    found = read_result(tmp_path / "a.npz")
    pd.testing.assert_frame_equal(found.history, history)
    assert (found.best_epoch, found.diverged, found.seconds) == ([2], [False], 1.5)
    np.testing.assert_array_equal(found.weights["output/kernel"], np.ones((1, 2, 3)))


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 torn"])
def test_a_result_that_is_missing_or_damaged_is_none(tmp_path, content):
    path = tmp_path / "a.npz"
    if content is not None:
        path.write_bytes(content)
    assert read_result(path) is None


def test_a_result_is_kept_under_all_that_it_depends_on(digits_project):
    summary, study = read_summary(), Study()
    here = context(study, [0, 1], summary)
    assert here == context(Study(workers=1, sections=["remedies"]), [0, 1], summary)
    others = [
        context(study, [0, 2], summary),
        context(Study(resplit=False), [0, 1], summary),
        context(study, [0, 1], summary.model_copy(update={"digest": summary.digest | {"train": "other"}})),
        # The same target in another unit, which its digest, taken when it is scaled, does not show.
        context(study, [0, 1], summary.model_copy(update={"target_scale": 1000.0})),
    ]
    files = {kept_file(job(), where) for where in (here, *others)} | {kept_file(job(epochs=3), here)}
    assert len(files) == 6


def test_an_epoch_of_gradient_descent_is_one_step_for_model_fit_too():
    n, rng = 8000, np.random.default_rng(0)
    x, y, row = rng.normal(size=(n, 2)).astype(np.float32), rng.integers(2, size=n).astype(np.int32), np.arange(n)[None]
    rows = Rows(Problem("classification", 2, 2), x, y, row, row[:, :10], row[:, :10], 1.0, False)
    assert [steps_an_epoch(job(**train), rows) for train in ({"optimizer": "gd"}, {"batch_size": 1000})] == [1, 8]
    _, per_step = model_fit_sample(job(optimizer="gd", batch_size=1), rows)
    assert per_step < 1  # an epoch of as many batches as rows, taken for one step, would be several seconds
