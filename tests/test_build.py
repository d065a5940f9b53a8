"""The architecture and its size, before any training."""

import json
from pathlib import Path

import keras
import pytest

from pipeline.data.examples import Problem
from pipeline.paths import ARCHITECTURE_FILE, SIZE_FILE
from pipeline.settings import Model
from pipeline.training.model import build_keras


def read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_size_counts_the_weights_of_each_layer(digits_project):
    assert read_json(SIZE_FILE) == {
        "weights": 64 * 8 + 8 + 8 * 10 + 10,
        "weights_by_layer": {"hidden_1": 64 * 8 + 8, "output": 8 * 10 + 10},
        "training_rows": 1150,
        "weights_per_training_row": pytest.approx(610 / 1150, abs=0.001),
    }


def test_size_leaves_out_the_weights_of_the_input_encoding_which_are_not_trained():
    from pipeline.build import size  # a stage listens for signals from its import on

    plain = build_keras(Model(hidden_units=[8], bins=4), Problem("classification", 64, 10))
    assert size(plain, 100)["weights_by_layer"] == {"hidden_1": 4 * 64 * 8 + 8, "output": 8 * 10 + 10}
    assert size(plain, 100)["weights"] == plain.count_params() - 2 * 4 * 64


@pytest.mark.parametrize("inputs", ["quantile", "robust"])
def test_size_and_architecture_of_transformed_inputs(inputs):
    from pipeline.build import size

    plain = build_keras(Model(hidden_units=[8], inputs=inputs), Problem("classification", 64, 10))
    assert size(plain, 100)["weights"] == 64 * 8 + 8 + 8 * 10 + 10
    assert keras.models.model_from_json(plain.to_json()).output_shape == (None, 10)


def test_architecture_is_one_that_keras_reads(digits_project):
    plain = keras.models.model_from_json(ARCHITECTURE_FILE.read_text(encoding="utf-8"))
    assert (plain.input_shape, plain.output_shape) == ((None, 64), (None, 10))
    assert plain.layers[-1].name == "probabilities"


def test_architecture_of_a_regression_ends_in_the_targets_unit(diabetes_project):
    plain = keras.models.model_from_json(ARCHITECTURE_FILE.read_text(encoding="utf-8"))
    summary = read_json(Path("data/prepared/summary.json"))
    assert plain.output_shape == (None, 1)
    assert plain.layers[-1].scale == pytest.approx(summary["target_scale"])
    assert plain.layers[-1].offset == pytest.approx(summary["target_mean"])


def test_stage_says_the_shape_and_writes_the_same_bytes_again(digits_project, stage, capsys):
    before = [path.read_bytes() for path in (ARCHITECTURE_FILE, SIZE_FILE)]
    stage("build")
    assert capsys.readouterr().out == "64-8-10: 610 weights, 0.53 for each of 1,150 training rows\n"
    assert [path.read_bytes() for path in (ARCHITECTURE_FILE, SIZE_FILE)] == before


def test_linear_model_is_built(digits_project, stage, change, capsys):
    change(model={"hidden_units": []})
    stage("build")
    assert capsys.readouterr().out.startswith("64-10: 650 weights")


def test_stage_before_prepare_says_what_to_run(project, stage, capsys):
    project()
    with pytest.raises(SystemExit) as ended:
        stage("build")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: data/prepared/summary.json is missing; run `dvc repro`\n"
