"""Published results that the pipeline must be able to repeat, each as the mean over five seeds. `make reference`.

The row numbers are those of the table in the README.
"""

import numpy as np
import pytest

from pipeline.data.examples import Examples
from pipeline.data.load import load
from pipeline.data.prepare import Prepared, prepare
from pipeline.settings import Data, Model, Train
from pipeline.statistics import scores
from pipeline.training.fitted import Fitted
from pipeline.training.predict import predict
from pipeline.training.trainer import fit

pytestmark = pytest.mark.reference

MNIST = {"source": "mnist", "val_fraction": 0.0}
ALL_TO_TRAIN = {"val_fraction": 0.0, "test_fraction": 0.0}
# scikit-learn divides its penalty by twice the rows of a batch: alpha 1e-4, batches of 200.
SKLEARN_L2 = 1e-4 / (2 * 200)


def train_five(data: dict, model: dict, train: dict) -> tuple[Prepared, Fitted]:
    prepared = prepare(load(Data(**data)), Data(**data))
    examples = Examples.of_splits(prepared.summary.problem, prepared.splits["train"], prepared.splits["validation"])
    return prepared, fit(examples, Model(**model), Train(**({"train_score_rows": 0} | train)), [0, 1, 2, 3, 4])


def accuracies(data: dict, model: dict, train: dict, split: str) -> np.ndarray:
    """Accuracy of five seeds on a split, after the last epoch, `[5]`."""
    prepared, fitted = train_five(data, model, train)
    part = prepared.splits[split]
    logits = predict(Model(**model), prepared.summary.problem, fitted.weights, part.x)
    accuracy = scores.score_seeds("accuracy", "classification", logits, part.y)
    print(f"{data['source']} {model} {train}: {split} accuracy {accuracy.mean():.4f}, SD {accuracy.std(ddof=1):.4f}")
    return accuracy


def test_row_1_the_textbook_model():
    by_seed = accuracies(MNIST, {"hidden_units": [32]}, {"batch_size": 128, "epochs": 10}, "test")
    assert by_seed.mean() == pytest.approx(0.962, abs=0.003)
    assert by_seed.std(ddof=1) < 0.004


CHOLLET = {"optimizer": "rmsprop", "batch_size": 128, "epochs": 5}


def test_row_2_chollets_first_example():
    by_seed = accuracies(MNIST, {"hidden_units": [512]}, CHOLLET, "test")
    assert by_seed.mean() == pytest.approx(0.978, abs=0.003)


def test_row_2_its_training_accuracy():
    _, fitted = train_five(MNIST, {"hidden_units": [512]}, CHOLLET | {"train_score_rows": None})
    after = fitted.history.groupby("epoch")["train_accuracy"].mean()
    print(f"784-512-10: training accuracy after epoch 4 {after[4]:.4f}, after epoch 5 {after[5]:.4f}")
    # The published 0.989 is what Keras logs, a mean over the epoch while the weights move, so a little less than that
    # of the weights that it ends with.
    assert after[5] == pytest.approx(0.989, abs=0.005)


def test_row_3_keras_mnist_mlp_with_dropout():
    model = {"hidden_units": [512, 512], "dropout": 0.2}
    by_seed = accuracies(MNIST, model, {"optimizer": "rmsprop", "batch_size": 128, "epochs": 20}, "test")
    assert by_seed.mean() == pytest.approx(0.984, abs=0.002)


@pytest.mark.parametrize(
    ("units", "activation", "epochs", "expected"),
    [(100, "relu", 40, 0.972), (100, "tanh", 40, 0.962), (10, "relu", 40, 0.933)],
)
def test_row_4_scikit_learns_classifier_on_standardized_pixels(units, activation, epochs, expected):
    model = {"hidden_units": [units], "activation": activation, "l2": SKLEARN_L2}
    by_seed = accuracies(MNIST | {"scaling": "standard"}, model, {"batch_size": 200, "epochs": epochs}, "test")
    assert by_seed.mean() == pytest.approx(expected, abs=0.006)


def test_row_5_800_hidden_units_err_on_at_most_1_8_percent():
    train = {
        "optimizer": "momentum",
        "learning_rate": 0.1,
        "batch_size": 128,
        "epochs": 20,
        "schedule": {"name": "cosine"},
    }
    assert accuracies(MNIST, {"hidden_units": [800]}, train, "test").mean() >= 0.982


# 784-1024-1024-2048-10 for a million steps takes days here, so a smaller network for fewer; the published errors are
# 1.62 % and 1.05 %. The strength of L2 was chosen on 10,000 of the training rows, among 1e-4, 5e-5 and 2e-5, which were
# within 0.02 points of each other.
ROW_7 = {
    "optimizer": "momentum",
    "learning_rate": 0.1,
    "schedule": {"name": "cosine"},
    "batch_size": 128,
    "epochs": 100,
}
ROW_7_UNITS = {"hidden_units": [1024, 1024]}


@pytest.mark.long
def test_row_7_dropout_with_max_norm_is_better_than_l2():
    weight_decay = accuracies(MNIST, ROW_7_UNITS | {"l2": 2e-5}, ROW_7, "test")
    dropout = accuracies(MNIST, ROW_7_UNITS | {"dropout": 0.5, "input_dropout": 0.2, "max_norm": 3.0}, ROW_7, "test")
    assert (dropout > weight_decay).all()
    assert dropout.mean() - weight_decay.mean() >= 0.002  # published: 0.0057, with a larger network


@pytest.mark.parametrize(("optimizer", "expected"), [("sgd", 0.956), ("momentum", 0.993), ("nesterov", 0.994)])
def test_row_8_scikit_learns_training_curves_on_digits(optimizer, expected):
    train = {"optimizer": optimizer, "learning_rate": 0.2, "batch_size": 200, "epochs": 15}
    by_seed = accuracies({"source": "digits"} | ALL_TO_TRAIN, {"hidden_units": [100], "l2": SKLEARN_L2}, train, "train")
    assert by_seed.mean() == pytest.approx(expected, abs=0.006)


def test_row_9_scikit_learns_training_curves_on_iris():
    data = {"source": "iris", "scaling": "unit"} | ALL_TO_TRAIN
    train = {"learning_rate": 0.01, "batch_size": 200, "epochs": 400}
    by_seed = accuracies(data, {"hidden_units": [100], "l2": SKLEARN_L2}, train, "train")
    assert by_seed.mean() == pytest.approx(0.98, abs=0.01)
