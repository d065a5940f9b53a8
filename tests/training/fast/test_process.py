"""How graphs are compiled: less well for short trainings, and to the same numbers."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from pipeline.data.examples import Examples, Problem, Split
from pipeline.settings import Model, Train
from pipeline.training.fast import process
from pipeline.training.fast.process import compile_for
from pipeline.training.trainer import fit


@pytest.fixture(autouse=True)
def flags(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_prefer_vector_width=128")


def test_short_trainings_are_compiled_quickly_and_long_ones_well():
    compile_for(process.FEW_ROWS)
    assert os.environ["XLA_FLAGS"] == "--xla_cpu_prefer_vector_width=128"
    compile_for(process.FEW_ROWS - 1)
    once = os.environ["XLA_FLAGS"]
    assert once == f"{process.QUICK} --xla_cpu_prefer_vector_width=128"  # the user's own come last, and count
    compile_for(1)
    assert os.environ["XLA_FLAGS"] == once


def train_with_everything() -> list[list[float]]:
    """The validation loss of two seeds over the epochs of a small training that has every kind of layer."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(150, 6)).astype(np.float32), random.integers(3, size=150).astype(np.int32)
    examples = Examples.of_splits(Problem("classification", 6, 3), Split(x[:100], y[:100]), Split(x[100:], y[100:]))
    regularizers = {
        "l1": 1e-4,
        "l2": 1e-3,
        "dropout": 0.2,
        "input_dropout": 0.1,
        "gaussian_noise": 0.1,
        "max_norm": 2.0,
    }
    model = Model(hidden_units=[12, 7], activation="gelu", batch_norm=True, **regularizers)
    train = Train(optimizer="rmsprop", epochs=5, ema=0.9, clip_norm=1.0, label_smoothing=0.1, early_stopping=None)
    history = fit(examples, model, train, [0, 1]).history
    return [of_seed.tolist() for _, of_seed in history.groupby("seed")["validation_cross_entropy"]]


@pytest.mark.reference  # half a minute of compiling
def test_a_graph_that_is_compiled_quickly_trains_to_the_same_numbers_up_to_rounding():
    code = (
        "import json; from tests.training.fast import test_process as t; print(json.dumps(t.train_with_everything()))"
    )
    quick, well = (
        json.loads(
            subprocess.check_output(
                [sys.executable, "-c", code],
                env=os.environ | {"XLA_FLAGS": flags, "PYTHONPATH": os.pathsep.join(sys.path)},
                text=True,
            )
        )
        for flags in (process.QUICK, process.NOT_UNROLLED)
    )
    np.testing.assert_allclose(quick, well, rtol=1e-4)
