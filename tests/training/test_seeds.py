"""The trained seeds as a file."""

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.paths import SEEDS_FILE
from pipeline.training.seeds import TrainedSeeds, read_seeds, write_seeds

WEIGHTS = {"output/kernel": np.ones((3, 4, 2), np.float32), "output/bias": np.zeros((3, 2), np.float32)}
TRAINED = TrainedSeeds(np.array([0, 7, 9]), np.array([4, 0, 2]), np.array([False, True, False]), WEIGHTS)


def test_seeds_come_back_as_they_were(folder):
    write_seeds(TRAINED)
    found = read_seeds()
    for name in ("seeds", "best_epoch", "diverged"):
        np.testing.assert_array_equal(getattr(found, name), getattr(TRAINED, name), strict=True)
    assert found.weights.keys() == WEIGHTS.keys()
    for name, value in WEIGHTS.items():
        np.testing.assert_array_equal(found.weights[name], value, strict=True)


def test_file_holds_no_pickle(folder):
    write_seeds(TRAINED)
    with np.load(SEEDS_FILE, allow_pickle=False) as stored:
        assert all(stored[name].dtype != object for name in stored.files)


def test_sound_seeds_are_those_whose_every_weight_is_finite():
    bias = WEIGHTS["output/bias"].copy()
    bias[1, 0] = np.nan
    assert TrainedSeeds(*[np.zeros(3)] * 3, WEIGHTS | {"output/bias": bias}).sound.tolist() == [True, False, True]


def test_missing_file_says_what_to_run(folder):
    with pytest.raises(InputError, match=r"^models/seeds\.npz is missing; run `dvc repro`$"):
        read_seeds()


@pytest.mark.parametrize("arrays", [{}, {"x": np.ones(3)}, {"seeds": np.ones(3)}], ids=str)
def test_file_of_other_arrays_says_what_to_do(folder, arrays):
    SEEDS_FILE.parent.mkdir()
    np.savez(SEEDS_FILE, **arrays)
    with pytest.raises(InputError, match="is not what the stage train writes; delete it and run `dvc repro`"):
        read_seeds()


def test_damaged_file_says_what_to_do(folder):
    SEEDS_FILE.parent.mkdir()
    SEEDS_FILE.write_bytes(b"half a f")
    with pytest.raises(InputError, match="is not what the stage train writes; delete it and run `dvc repro`"):
        read_seeds()
