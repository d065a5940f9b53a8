"""Training from Python: `fit` against the stages, its predictions, its files, and that it leaves the process alone."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.metrics import accuracy_score, roc_auc_score

from pipeline import Data, EarlyStopping, FittedModel, Model, Train, fit
from pipeline.data.examples import Examples
from pipeline.data.load import load
from pipeline.data.prepare import prepare
from pipeline.training.trainer import fit as train_seeds

TINY = Model(hidden_units=(8,))
SHORT = Train(epochs=3, batch_size=64)


def customers() -> tuple[pd.DataFrame, pd.Series]:
    """Return 80 rows with columns of all kinds, and labels."""
    rng = np.random.default_rng(0)
    n = 80
    table = pd.DataFrame(
        {
            "age": np.where(rng.random(n) < 0.1, np.nan, rng.integers(18, 90, n)),
            "city": rng.choice(["Ulm", "Bonn", None], n),
            "member": rng.random(n) < 0.5,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 2000, n), "D"),
            "paid": [f"{euros:.2f}".replace(".", ",") for euros in rng.uniform(1, 50, n)],
        }
    )
    return table, pd.Series(np.where(table["age"] > 50, "stays", "leaves"))


@pytest.fixture(scope="module")
def model() -> FittedModel:
    return fit(*customers(), TINY, SHORT, seeds=3, progress=False)


def test_seeds_are_those_that_the_stages_train(tmp_path: Path):
    settings = Data(source="breast_cancer", test_fraction=0.0)
    prepared = prepare(load(settings), settings)
    splits = prepared.splits
    examples = Examples.of_splits(prepared.summary.problem, splits["train"], splits["validation"])
    staged = train_seeds(examples, TINY, SHORT, [0, 1])
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    y = y.map(dict(enumerate(load_breast_cancer().target_names)))
    fitted = fit(X, y, TINY, SHORT, seeds=2, progress=False)
    pd.testing.assert_frame_equal(fitted.history, staged.history)
    for path, value in staged.weights.items():
        np.testing.assert_array_equal(fitted.fitted.weights[path], value)


def test_seeds_predict_together(model: FittedModel):
    X, y = customers()
    by_seed = model.predict_by_seed(X, probabilities=True)
    assert by_seed.shape == (3, 80, 2)
    np.testing.assert_allclose(model.predict_proba(X), by_seed.mean(axis=0), atol=1e-6)
    assert model.predict(X).tolist() == model.classes[by_seed.mean(axis=0).argmax(axis=1)].tolist()
    assert set(model.classes) == {"leaves", "stays"}
    assert model.score(X, y) == accuracy_score(y, model.predict(X))


def test_keras_model_of_a_seed_predicts_what_the_seed_does(model: FittedModel):
    X, _ = customers()
    expected = model.predict_by_seed(X, probabilities=True)[1]
    np.testing.assert_allclose(model.keras(1).predict(model.prepared(X), verbose=0), expected, atol=1e-6)
    with pytest.raises(ValueError, match=r"seed must be one of \[0, 1, 2\]; got 7"):
        model.keras(7)


def test_regression_is_in_the_unit_of_the_target():
    X, y = load_diabetes(return_X_y=True)
    train = Train(epochs=80, early_stopping=EarlyStopping(patience=10))
    fitted = fit(X, y + 1e6, Model(hidden_units=(16,)), train, seeds=2, progress=False)
    assert abs(fitted.predict(X).mean() - y.mean() - 1e6) < 10
    assert fitted.score(X, y + 1e6) > 0.3
    alone = fitted.keras(0).predict(fitted.prepared(X), verbose=0)[:, 0]
    np.testing.assert_allclose(alone, fitted.predict_by_seed(X)[0])
    with pytest.raises(AttributeError, match="predict_proba is for classes"):
        fitted.predict_proba(X)


def test_images_are_trained_on_as_the_stages_do():
    digits = load_digits()
    fitted = fit(digits.images, digits.target, TINY, SHORT, seeds=1, progress=False)
    assert fitted.predict(digits.images[:5]).dtype == digits.target.dtype
    assert fitted.summary.image_shape == [8, 8]
    with pytest.raises(ValueError, match=r"images must have the shape \[8, 8\]; got \[4, 4\]"):
        fitted.predict(digits.images[:, :4, :4])


def test_a_frame_of_another_library_is_read_by_its_arrow_data(model: FittedModel):
    X, y = customers()
    fitted = fit(pa.Table.from_pandas(X), y, TINY, SHORT, seeds=3, progress=False)
    np.testing.assert_array_equal(fitted.predict_proba(pa.Table.from_pandas(X)), model.predict_proba(X))


def test_a_row_of_weight_zero_is_no_row():
    X, y = load_breast_cancer(return_X_y=True)
    weights = np.where(np.arange(len(X)) < 300, 1.0, 0.0)
    weighted = fit(X, y, TINY, SHORT, seeds=1, sample_weight=weights, progress=False)
    alone = fit(X[:300], y[:300], TINY, SHORT, seeds=1, progress=False)
    np.testing.assert_allclose(weighted.predict_proba(X), alone.predict_proba(X), atol=1e-6)


def test_rows_of_a_group_stay_together():
    X, y = load_breast_cancer(return_X_y=True)
    groups = np.arange(len(X)) // 10
    fitted = fit(X, y, TINY, SHORT, seeds=1, groups=groups, progress=False)
    assert fitted.summary.rows["train"] % 10 in (0, len(X) % 10)


def test_what_was_decided_of_the_data_is_told(model: FittedModel):
    assert any("text is read as numbers" in note and "paid" in note for note in model.notes)


def test_saved_model_is_read_back_without_pickle(model: FittedModel, tmp_path: Path):
    X, _ = customers()
    model.save(tmp_path / "model")
    read = FittedModel.load(tmp_path / "model")
    np.testing.assert_array_equal(read.predict_proba(X), model.predict_proba(X))
    assert read.predict(X).tolist() == model.predict(X).tolist()
    pd.testing.assert_frame_equal(read.history, model.history)
    assert {path.suffix for path in (tmp_path / "model").iterdir()} == {".json", ".npz"}
    with pytest.raises(ValueError, match=r"holds no model that `save` has written: FileNotFoundError"):
        FittedModel.load(tmp_path)
    (tmp_path / "model" / "summary.json").write_text("{}")
    with pytest.raises(ValueError, match=r"model holds no model that `save` has written: .*Summary"):
        FittedModel.load(tmp_path / "model")


def test_picture_has_both_curves(model: FittedModel):
    labels = [text.get_text() for text in model.plot().axes[0].get_legend().get_texts()]
    assert labels[:2] == ["training: mean and range of 3 seeds", "validation: mean and range of 3 seeds"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": [0, 1]}, r"y must have a value for each of the 80 rows of X; got 2"),
        ({"y": np.zeros(80)}, "has one value only"),
        ({"X": np.full((80, 2), np.inf)}, "^X: column 'x0' holds infinity"),
        ({"X": np.zeros(80)}, r"two to four axes; got the shape \[80\]"),
        ({"X": pd.DataFrame(np.zeros((80, 2)), columns=["a", "a"])}, "more than one column 'a'"),
        ({"sample_weight": -np.ones(80)}, "a number of at least 0"),
        ({"sample_weight": np.zeros(80)}, "zero for all rows"),
        ({"train": Train(loss="cross_entropy"), "y": np.linspace(0, 1, 80)}, "is for classes"),
        ({"train": Train(early_stopping=EarlyStopping()), "validation": 0.0}, "needs validation rows"),
        ({"seeds": 0}, "^fit: seeds must be greater than or equal to 1 or a valid list; got 0$"),
        ({"model": {"hidden_unit": [4]}}, "^fit: unknown setting hidden_unit; known here: hidden_units, "),
        (
            {"model": Model(hidden_units=[4]), "train": {"epochs": -2}},
            "^fit: epochs must be greater than or equal to 1",
        ),
        ({"train": Model()}, r"^fit: Train settings are needed, or a dict of them; got Model\("),
        ({"validation": 1.5}, r"^validation must be at least 0 and below 1; got 1\.5"),
        ({"validation": 0.999}, r"^validation 0\.999 of 80 rows leaves nothing else"),
        ({"train": Train(learning_rate=1e30, optimizer="sgd", epochs=3)}, "learning_rate is too high"),
    ],
    ids=str,
)
def test_what_cannot_be_trained_is_a_value_error(arguments: dict, message: str):
    X, y = customers()
    with pytest.raises(ValueError, match=message):
        fit(**({"X": X, "y": y, "model": TINY, "train": SHORT, "seeds": 1, "progress": False} | arguments))


def test_model_notes_which_seeds_diverged():
    X, _ = customers()
    train = Train(learning_rate=1e6, optimizer="sgd", epochs=60, early_stopping=EarlyStopping(patience=60))
    fitted = fit(X, np.arange(len(X)) * 100.0, model=TINY, train=train, seeds=2, progress=False)
    assert fitted.fitted.diverged.all()
    assert fitted.notes[-1] == "the loss of seed 0, 1 stopped being finite, and its training with it"


def test_plain_script_writes_nothing_but_what_it_is_asked_for(tmp_path: Path):
    # It has no `if __name__ == "__main__"`, which processes that import it would need.
    script = """
import gc, os, sys
sys.modules |= dict.fromkeys(["dvc", "mlflow", "optuna"])  # as if they were not installed
import experiments, pipeline
assert not {"tensorflow", "keras", "sklearn"} & sys.modules.keys()
from sklearn.datasets import load_iris
from experiments import run_study
from pipeline import fit, MLPClassifier, Model, Train
from pipeline.settings import Study
import tensorflow
before = dict(os.environ), gc.get_freeze_count()
X, y = load_iris(return_X_y=True, as_frame=True)
fit(X, y, Model(hidden_units=(4,)), Train(epochs=2), seeds=1).predict(X)
MLPClassifier(hidden_units=(4,), epochs=2, seeds=1).fit(X, y).predict(X)
small = Study(seeds=3, sections=["remedies"], remedies={"model.l2": [0.01]}, peers=["linear"])
tiny = dict(model=Model(hidden_units=(4,)), train=Train(epochs=2), study=small, workers=1)
study = run_study(X.assign(species=y), "species", **tiny)
study.to_html("report.html")
assert (dict(os.environ), gc.get_freeze_count()) == before
"""
    path = tmp_path / "elsewhere" / "script.py"
    path.parent.mkdir()
    path.write_text(script)
    (tmp_path / "here").mkdir()
    subprocess.run([sys.executable, path], cwd=tmp_path / "here", check=True, timeout=230)
    assert [file.name for file in (tmp_path / "here").iterdir()] == ["report.html"]
    assert [file.name for file in path.parent.iterdir()] == ["script.py"]


def test_every_score_has_an_interval_for_other_seeds_and_rows():
    x, y = load_breast_cancer(return_X_y=True, as_frame=True)
    labels = y.map({0: "bad", 1: "good"})
    model = fit(x[:400], labels[:400], TINY, Train(epochs=3), seeds=3, progress=False)
    table = model.scores(x[400:], labels[400:])
    assert list(table.columns) == ["mean", "low", "high"]
    assert (table["low"] <= table["mean"]).all() and (table["mean"] <= table["high"]).all()
    by_seed = model.predict_by_seed(x[400:], probabilities=True)[..., 1]
    expected = np.mean([roc_auc_score(y[400:], of_seed) for of_seed in by_seed])
    assert table.loc["roc_auc", "mean"] == pytest.approx(expected)
    pd.testing.assert_frame_equal(model.scores({name: x[name][400:] for name in x}, labels[400:]), table)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.scores(x[400:402], ["good"])
    with pytest.raises(ValueError, match="y holds 'ugly', which is none of the classes"):
        model.scores(x[400:402], ["good", "ugly"])


def test_copies_of_rows_make_no_score_surer_where_they_are_known_as_groups():
    x, y = load_breast_cancer(return_X_y=True)
    model = fit(x[:400], y[:400], TINY, Train(epochs=3), seeds=1, progress=False)

    def widths(copies: int, known: bool) -> pd.Series:
        rows = np.tile(np.arange(400, 569), copies)
        scored = model.scores(x[rows], y[rows], groups=rows if known else None)
        return (scored["high"] - scored["low"])[["cross_entropy", "accuracy", "roc_auc", "brier"]]

    once = widths(1, known=False)
    assert (widths(4, known=False) < 0.6 * once).all()
    assert widths(4, known=True).tolist() == pytest.approx(once.tolist(), rel=0.02)
