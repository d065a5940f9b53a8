"""Training on rows that come in parts."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris

from pipeline import MLPClassifier, MLPRegressor
from pipeline.training.fast.process import compile_for

compile_for(1)
QUICK = {"hidden_units": (8,), "seeds": 2}
IRIS, DIABETES = load_iris(return_X_y=True), load_diabetes(return_X_y=True, as_frame=True, scaled=False)
ORDER = np.random.default_rng(0).permutation(len(IRIS[1]))
X, Y = IRIS[0][ORDER], IRIS[1][ORDER]


@pytest.fixture(scope="module")
def begun() -> MLPClassifier:
    return MLPClassifier(**QUICK).partial_fit(X[:50], Y[:50], classes=[0, 1, 2])


def weights_of(estimator) -> dict[str, np.ndarray]:
    return estimator.model_.fitted.weights


def assert_same_weights(one, other) -> None:
    for path, value in weights_of(one).items():
        np.testing.assert_array_equal(value, weights_of(other)[path])


@pytest.mark.parametrize(
    "settings",
    [{}, {"optimizer": "momentum", "batch_norm": True, "schedule": {"name": "exponential", "warmup_epochs": 1}}],
    ids=["adam", "momentum, batch normalization and a schedule"],
)
def test_calls_with_all_rows_are_the_epochs_of_fit(settings):
    fitted = MLPClassifier(**QUICK, **settings, epochs=3).fit(X, Y)
    parts = MLPClassifier(**QUICK, **settings)
    for _ in range(3):
        parts.partial_fit(X, Y, classes=[0, 1, 2])
    assert_same_weights(parts, fitted)
    pd.testing.assert_frame_equal(parts.history_, fitted.history_)


def test_calls_with_all_rows_are_the_epochs_of_fit_for_numbers():
    fitted = MLPRegressor(**QUICK, epochs=2).fit(*DIABETES)
    parts = MLPRegressor(**QUICK).partial_fit(*DIABETES).partial_fit(*DIABETES)
    np.testing.assert_array_equal(parts.predict(DIABETES[0]), fitted.predict(DIABETES[0]))


def test_parts_teach_and_the_first_one_scales():
    estimator = MLPClassifier(**QUICK, learning_rate=0.01)
    for _ in range(10):
        for start in (0, 50, 100):
            rows = slice(start, start + 50)
            estimator.partial_fit(X[rows], Y[rows], classes=[0, 1, 2])
    assert estimator.score(X, Y) > 0.9
    centers = [column["center"] for column in estimator.model_.preprocessing["columns"]]
    np.testing.assert_allclose(centers, X[:50].mean(axis=0))
    assert estimator.history_["epoch"].max() == 30


def test_class_may_come_later():
    names = np.array(["setosa", "versicolor", "virginica"])
    few = Y < 2
    estimator = MLPClassifier(**QUICK).partial_fit(X[few], names[Y[few]], classes=names)
    assert estimator.classes_.tolist() == names.tolist()
    assert estimator.predict_proba(X).shape == (len(X), 3)
    before = estimator.predict_proba(X[Y == 2])[:, 2].mean()
    estimator.partial_fit(X[Y == 2], names[Y[Y == 2]])
    assert estimator.predict_proba(X[Y == 2])[:, 2].mean() > before


def test_labels_are_held_to_classes(begun):
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        MLPClassifier(**QUICK).partial_fit(X, Y)
    with pytest.raises(ValueError, match="classes must hold two labels at least; got \\[2\\]"):
        MLPClassifier(**QUICK).partial_fit(X, Y, classes=[2])
    with pytest.raises(ValueError, match="is not the same as on the call before"):
        begun.partial_fit(X, Y, classes=[1, 2])
    with pytest.raises(ValueError, match="y has labels \\[3\\] that are not in classes, \\[0, 1, 2\\]"):
        begun.partial_fit(X, Y + 1)


def test_refused_call_leaves_the_model_as_it_was(begun):
    before = begun.model_
    with pytest.raises(ValueError, match="features"):
        begun.partial_fit(X[:, :3], Y)
    with pytest.raises(ValueError, match="sample_weight is zero for all rows"):
        begun.partial_fit(X, Y, sample_weight=np.zeros(len(X)))
    assert begun.model_ is before


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ({"early_stopping": {"patience": 2}}, "early_stopping"),
        ({"swa": 0.5}, "swa"),
        ({"schedule": "cosine"}, "schedule cosine"),
        ({"schedule": "plateau"}, "schedule plateau"),
        ({"class_weight": "balanced"}, "class_weight 'balanced'"),
    ],
)
def test_what_needs_validation_rows_or_a_last_epoch_is_refused(setting, name):
    with pytest.raises(ValueError, match=name):
        MLPClassifier(**QUICK, **setting).partial_fit(X, Y, classes=[0, 1, 2])


def test_early_stopping_is_refused_after_fit_too():
    stopped = MLPRegressor(**QUICK, epochs=2, early_stopping={"patience": 2}).fit(*DIABETES)
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping"):
        stopped.partial_fit(*DIABETES)


def test_goes_on_from_what_fit_left_and_fit_begins_anew():
    fitted = MLPRegressor(**QUICK, epochs=3).fit(*DIABETES)
    before = fitted.predict(DIABETES[0])
    further = pickle.loads(pickle.dumps(fitted)).partial_fit(*DIABETES)
    assert 0 < np.abs(further.predict(DIABETES[0]) - before).mean() < np.abs(before - before.mean()).mean()
    np.testing.assert_array_equal(further.fit(*DIABETES).predict(DIABETES[0]), before)


def test_copy_goes_on_as_the_original_does(begun):
    one, other = (pickle.loads(pickle.dumps(begun)).partial_fit(X, Y) for _ in range(2))
    assert_same_weights(one, other)
    assert any((weights_of(one)[path] != value).any() for path, value in weights_of(begun).items())


def test_weights_of_classes_are_those_of_rows_and_a_row_of_none_is_left_out():
    by_class = MLPClassifier(**QUICK, class_weight={1: 3.0, 2: 0.0})
    by_row, by_row_weight = MLPClassifier(**QUICK), np.array([1.0, 3.0, 0.0])[Y]
    for _ in range(2):
        by_class.partial_fit(X, Y, classes=[0, 1, 2])
        by_row.partial_fit(X, Y, classes=[0, 1, 2], sample_weight=by_row_weight)
    assert_same_weights(by_class, by_row)
    left_out = MLPClassifier(**QUICK)
    for _ in range(2):
        left_out.partial_fit(X[Y < 2], Y[Y < 2], classes=[0, 1, 2], sample_weight=by_row_weight[Y < 2])
    assert_same_weights(left_out, by_row)


def test_table_with_new_text_and_missing_values():
    table = pd.DataFrame(X[:, :2], columns=["length", "width"]).assign(garden=np.where(Y % 2, "north", "south"))
    estimator = MLPClassifier(**QUICK).partial_fit(table[:50], Y[:50], classes=[0, 1, 2])
    later = table[50:].reset_index(drop=True)
    later.loc[0, "garden"], later.loc[1, "length"] = "west", np.nan
    assert estimator.partial_fit(later, Y[50:]).predict(later).shape == (100,)
    with pytest.raises(ValueError, match="feature names"):
        estimator.partial_fit(later.rename(columns={"width": "breadth"}), Y[50:])
