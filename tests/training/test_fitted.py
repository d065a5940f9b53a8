"""A training's result: which seeds can be scored, and its files."""

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import InputError
from pipeline.paths import HISTORY_FILE, SEEDS_FILE
from pipeline.training.fitted import Chosen, Fitted, read_fitted, write_fitted

WEIGHTS = {"output/kernel": np.ones((3, 4, 2), np.float32), "output/bias": np.zeros((3, 2), np.float32)}
HISTORY = pd.DataFrame({"seed": [0, 7, 9], "epoch": [1, 1, 1], "validation_rmse": [2 / 3, np.nan, 1e-9]})
FITTED = Fitted(
    WEIGHTS,
    best_epoch=np.array([4, 0, 2]),
    seeds=[0, 7, 9],
    diverged=np.array([False, True, False]),
    history=HISTORY,
)


def test_seeds_come_back_as_they_were(folder):
    write_fitted(FITTED)
    again = read_fitted()
    assert again.seeds == FITTED.seeds
    for name in ("best_epoch", "diverged"):
        np.testing.assert_array_equal(getattr(again, name), getattr(FITTED, name), strict=True)
    assert again.weights.keys() == WEIGHTS.keys()
    for name, value in WEIGHTS.items():
        np.testing.assert_array_equal(again.weights[name], value, strict=True)


def test_history_comes_back_with_seven_digits(folder):
    write_fitted(FITTED)
    pd.testing.assert_frame_equal(read_fitted().history, HISTORY.assign(validation_rmse=[0.6666667, np.nan, 1e-9]))


def test_file_holds_no_pickle(folder):
    write_fitted(FITTED)
    with np.load(SEEDS_FILE, allow_pickle=False) as stored:
        assert all(stored[name].dtype != object for name in stored.files)


def test_sound_seeds_are_those_whose_every_weight_is_finite():
    bias = WEIGHTS["output/bias"].copy()
    bias[1, 0] = np.nan
    assert Chosen(WEIGHTS | {"output/bias": bias}, np.zeros(3)).sound.tolist() == [True, False, True]


@pytest.mark.parametrize("path", [SEEDS_FILE, HISTORY_FILE], ids=str)
def test_missing_file_says_what_to_run(folder, path):
    write_fitted(FITTED)
    path.unlink()
    with pytest.raises(InputError, match=rf"^{path} is missing; run `dvc repro`$"):
        read_fitted()


@pytest.mark.parametrize("arrays", [{}, {"x": np.ones(3)}, {"seeds": np.ones(3)}], ids=str)
def test_file_of_other_arrays_says_what_to_do(folder, arrays):
    write_fitted(FITTED)
    np.savez(SEEDS_FILE, **arrays)
    with pytest.raises(InputError, match="is not what the stage train writes; delete it and run `dvc repro`"):
        read_fitted()


@pytest.mark.parametrize(("path", "content"), [(SEEDS_FILE, b"half a f"), (HISTORY_FILE, b"")], ids=str)
def test_damaged_file_says_what_to_do(folder, path, content):
    write_fitted(FITTED)
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{path} is not what the stage train writes; delete it and run `dvc repro`"):
        read_fitted()
