"""Networks of the user's own: trained as Keras would, and refused where they cannot be, with the reason."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from pipeline.data.examples import Examples, Problem, Split
from pipeline.errors import InputError
from pipeline.settings import Model, Train
from pipeline.training.model import build_network
from pipeline.training.structure import source_digest
from pipeline.training.trainer import fit

DIGITS = Problem("classification", n_features=64, n_outputs=10)
START = "import keras\nL = keras.layers\n\ndef build(model, problem):\n    rows = keras.Input((problem.n_features,))\n"


def own(tmp_path, body: str) -> Model:
    """Return settings with a network whose function has this body after `rows = keras.Input(...)`."""
    path = tmp_path / "network.py"
    path.write_text(START + "".join(f"    {line}\n" for line in body.splitlines()), encoding="utf-8")
    return Model(build=f"{path}:build")


@pytest.fixture(scope="module")
def digits() -> Examples:
    x, y = load_digits(return_X_y=True)
    x, y = x.astype(np.float32), y.astype(np.int32)
    return Examples.of_splits(DIGITS, Split(x=x[:400], y=y[:400]), Split(x=x[400:600], y=y[400:600]))


@pytest.mark.parametrize(
    "body",
    [
        "x = L.Flatten()(L.Embedding(17, 4)(rows))\nreturn keras.Model(rows, L.Dense(10)(x))",
        "x = L.LayerNormalization()(L.Concatenate()([rows, L.Dense(8)(rows)]))\n"
        "return keras.Model(rows, L.Dense(10)(x))",
        "return keras.Sequential([rows, L.BatchNormalization(), L.Dense(16, 'relu'), L.Dropout(0.1), L.Dense(10)])",
        "x = L.Conv2D(8, 3, activation='relu')(L.Reshape((8, 8, 1))(rows))\n"
        "x = L.Flatten()(L.MaxPooling2D()(L.BatchNormalization()(x)))\nreturn keras.Model(rows, L.Dense(10)(x))",
    ],
    ids=["embedding", "joined inputs", "sequential", "convolution"],
)
def test_networks_of_many_kinds_learn_digits_and_a_seed_alone_is_the_same_run(tmp_path, digits, body):
    model, train = own(tmp_path, body), Train(batch_size=32, epochs=8, learning_rate=0.01)
    among, alone = fit(digits, model, train, [0, 1]), fit(digits, model, train, [1])
    scores = among.history.query("seed == 1").reset_index(drop=True)
    np.testing.assert_allclose(scores, alone.history, atol=1e-4)
    assert alone.history["validation_accuracy"].iloc[-1] > 0.7


def test_layers_have_the_same_names_whenever_the_network_is_built(tmp_path):
    model = own(tmp_path, "return keras.Sequential([rows, L.Dense(4), L.Dense(10)])")
    paths = [[weight.path for weight in build_network(model, DIGITS).weights] for _ in range(2)]
    assert paths[0] == paths[1] == ["dense_1/kernel", "dense_1/bias", "dense_2/kernel", "dense_2/bias"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return rows", "must return a keras.Model, got KerasTensor"),
        ("return 1 / 0", "ZeroDivisionError: division by zero"),
        ("return keras.Model(rows, L.Dense(10)(L.Dense(64)(rows) + rows))", r"add\w* is an operation"),
        ("return keras.Model(rows, L.Dense(3)(rows))", r"must take rows \(None, 64\) and give \(None, 10\)"),
        ("return keras.Sequential([rows, L.Dense(10, 'softmax')])", "must give logits: leave its softmax out"),
        (
            "return keras.Sequential([rows, L.AlphaDropout(0.1), L.Dense(10)])",
            "not trained here, AlphaDropout; allowed",
        ),
        ("return keras.Sequential([rows, L.Dense(10, activity_regularizer='l2')])", "has an activity regularizer"),
        ("class Own(keras.Model):\n    pass\nreturn Own()", "keras.Sequential and a keras.Input, or"),
    ],
)
def test_a_network_that_cannot_be_trained_is_refused_with_the_reason(tmp_path, body, reason):
    model = own(tmp_path, body)
    with pytest.raises(InputError, match=f"model.build {model.build}: .*{reason}"):
        build_network(model, DIGITS)


def test_a_missing_file_or_function_is_named(tmp_path):
    with pytest.raises(InputError, match=r"there is no file .*absent.py"):
        build_network(Model(build=f"{tmp_path}/absent.py:build"), DIGITS)
    model = own(tmp_path, "return rows")
    with pytest.raises(InputError, match=r"network.py has no function other"):
        build_network(Model(build=model.build.replace(":build", ":other")), DIGITS)


def test_an_edit_of_the_file_is_another_network_to_what_is_kept(tmp_path):
    digests = {source_digest(own(tmp_path, f"return {number}")) for number in (1, 2)}
    assert len(digests) == 2
    assert source_digest(Model()) is None


def test_inputs_that_are_looked_up_are_not_mixed(tmp_path, digits):
    model = own(tmp_path, "x = L.Flatten()(L.Embedding(17, 4)(rows))\nreturn keras.Model(rows, L.Dense(10)(x))")
    with pytest.raises(InputError, match=r"train\.mixup mixes the inputs, and those of an Embedding"):
        fit(digits, model, Train(mixup=0.2), [0])
