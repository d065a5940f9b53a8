"""The estimators against scikit-learn's own checks, and in what scikit-learn builds from estimators."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import compute_sample_weight
from sklearn.utils.estimator_checks import parametrize_with_checks

from pipeline import FittedModel, MLPClassifier, MLPRegressor, Model, Train
from pipeline.training.fast.process import compile_for

compile_for(1)
# Gradient descent on all rows, so that a weight is the same as repeating a row to the last bit, which is checked.
CHECKED = {"optimizer": "gd", "learning_rate": 0.05, "hidden_units": (16,), "epochs": 20, "seeds": 2}
QUICK = {"hidden_units": (16,), "epochs": 10, "seeds": 2}


@parametrize_with_checks([MLPClassifier(**CHECKED), MLPRegressor(**CHECKED)])
def test_passes_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def cancer() -> tuple[pd.DataFrame, pd.Series]:
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    return X, y.map({0: "malignant", 1: "benign"})


def test_parameters_are_the_settings():
    settings = {*Model.model_fields, *Train.model_fields} - {"class_weight"}
    assert MLPRegressor().get_params().keys() == settings | {"validation"}
    assert MLPClassifier().get_params().keys() == settings | {"validation", "class_weight"}
    with pytest.raises(TypeError, match="MLPClassifier has no parameter droput"):
        MLPClassifier(droput=0.2)


def test_settings_are_held_to_their_schema(cancer):
    with pytest.raises(ValueError, match="dropout"):
        MLPClassifier(dropout=1.5).fit(*cancer)


def test_cross_validation(cancer):
    assert cross_val_score(MLPClassifier(**QUICK), *cancer, cv=2, error_score="raise").min() > 0.9
    scores = cross_val_score(
        MLPRegressor(**QUICK | {"epochs": 30}, learning_rate=0.01), *load_diabetes(return_X_y=True), cv=2
    )
    assert scores.min() > 0.3


@pytest.mark.parametrize("search", [GridSearchCV, HalvingGridSearchCV])
def test_search_over_settings(cancer, search):
    grid = {"l2": [np.float64(0.0), np.float64(1e-3)], "early_stopping": [None, {"patience": 2}]}
    found = search(MLPClassifier(**QUICK), grid, cv=2, error_score="raise").fit(*cancer)
    assert found.best_params_.keys() == grid.keys()
    assert found.score(*cancer) > 0.9


def test_in_a_pipeline_calibrated_and_inspected(cancer):
    X, y = cancer
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**QUICK)).fit(X, y)
    assert pipeline.score(X, y) > 0.9
    calibrated = CalibratedClassifierCV(MLPClassifier(**QUICK), cv=2).fit(X, y)
    assert calibrated.score(X, y) > 0.9
    importance = permutation_importance(pipeline, X, y, n_repeats=2, random_state=0)
    assert importance.importances_mean.shape == (X.shape[1],)


def test_class_weights_are_sample_weights(cancer):
    X, y = cancer
    by_class = MLPClassifier(**QUICK, class_weight="balanced").fit(X, y)
    by_row = MLPClassifier(**QUICK).fit(X, y, sample_weight=compute_sample_weight("balanced", y))
    np.testing.assert_array_equal(by_class.predict_proba(X), by_row.predict_proba(X))
    assert not np.array_equal(by_class.predict_proba(X), MLPClassifier(**QUICK).fit(X, y).predict_proba(X))


def test_table_with_text_and_missing_values(cancer):
    X, y = cancer
    table = X.iloc[:, :3].assign(clinic=np.where(np.arange(len(X)) % 2, "Ulm", "Bonn"))
    table.iloc[3, 0] = np.nan
    fitted = MLPClassifier(**QUICK).fit(table, y)
    assert fitted.feature_names_in_.tolist() == table.columns.tolist()
    assert fitted.score(table, y) > 0.8
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(table[["clinic", *table.columns[:3]]])


def test_probabilities_are_of_the_classes_and_the_most_likely_is_predicted(cancer):
    X, y = cancer
    fitted = MLPClassifier(**QUICK).fit(X, y)
    probabilities = fitted.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert fitted.classes_.tolist() == ["benign", "malignant"]
    assert (fitted.predict(X) == fitted.classes_[probabilities.argmax(axis=1)]).all()


def test_two_layers_learn_what_is_not_linear():
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 20, float)
    assert (
        MLPClassifier(hidden_units=(16,), epochs=100, learning_rate=0.03, seeds=2)
        .fit(X, X.sum(1) % 2)
        .score(X, X.sum(1) % 2)
        == 1
    )


def test_l2_makes_weights_smaller(cancer):
    def size(l2: float) -> float:
        weights = MLPClassifier(**QUICK | {"l2": l2}).fit(*cancer).model_.fitted.weights
        return sum(np.square(value).sum() for path, value in weights.items() if path.endswith("kernel"))

    assert size(0.1) < size(0.001) < size(0.0)


def test_a_class_of_one_row_cannot_be_held_out_for_early_stopping(cancer):
    X, y = cancer
    y = y.mask(y.index == 3, "unknown")
    with pytest.raises(ValueError, match="has 1 row to split"):
        MLPClassifier(**QUICK, early_stopping={"patience": 2}).fit(X, y)


def test_early_stopping_holds_rows_out(cancer):
    stopped = MLPClassifier(**QUICK | {"epochs": 50}, early_stopping={"patience": 2}).fit(*cancer)
    assert "validation_cross_entropy" in stopped.history_
    assert stopped.history_["epoch"].max() < 50
    assert "validation_cross_entropy" not in MLPClassifier(**QUICK).fit(*cancer).history_


def test_fitted_model_is_saved_without_pickle(cancer, tmp_path):
    X, y = cancer
    fitted = clone(MLPClassifier(**QUICK)).fit(X, y)
    fitted.save(tmp_path)
    np.testing.assert_array_equal(FittedModel.load(tmp_path).predict_proba(X), fitted.predict_proba(X))
