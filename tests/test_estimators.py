"""The estimators against scikit-learn's own checks, and in what scikit-learn builds from estimators."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.metrics import roc_auc_score
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


@parametrize_with_checks([MLPClassifier(**CHECKED), MLPRegressor(**CHECKED | {"hidden_units": ()})])
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


@pytest.mark.parametrize(
    "setting",
    [
        {"dropout": 1.5},
        {"hidden_units": (0,)},
        {"activation": "sine"},
        {"optimizer": "lbfgs"},
        {"learning_rate": 0.0},
        {"l2": -1.0},
        {"batch_size": 0},
        {"epochs": 0},
        {"momentum": 1.5},
        {"schedule": "invscaling"},
        {"early_stopping": {"patience": 0}},
        {"seeds": 0},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_settings_are_held_to_their_schema(setting, cancer):
    with pytest.raises(ValueError, match=rf"^MLPClassifier: {next(iter(setting))}.* must .*; got "):
        MLPClassifier(**setting).fit(*cancer)


def test_cross_validation(cancer):
    assert cross_val_score(MLPClassifier(**QUICK), *cancer, cv=2, error_score="raise").min() > 0.9
    scores = cross_val_score(
        MLPRegressor(**QUICK | {"epochs": 30}, learning_rate=0.01), *load_diabetes(return_X_y=True), cv=2
    )
    assert scores.min() > 0.3


@pytest.mark.parametrize("search", [GridSearchCV, HalvingGridSearchCV])
def test_search_over_settings(cancer, search):
    grid = {"l2": [np.float64(1e-3)], "early_stopping": [None, {"patience": 2}]}
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


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_activations_learn_classes_and_numbers(activation):
    X, y = load_iris(return_X_y=True)
    settings = {"activation": activation, "hidden_units": (16,), "epochs": 30, "seeds": 2, "learning_rate": 0.02}
    classifier = MLPClassifier(**settings).fit(X, y)
    assert classifier.score(X, y) > 0.95
    assert classifier.predict(X).dtype == y.dtype
    assert MLPRegressor(**settings).fit(X, y).score(X, y) > 0.9


def test_probabilities_of_two_classes_rank_and_those_of_three_sum_to_one():
    X, y = load_iris(return_X_y=True)
    two = MLPClassifier(**QUICK, learning_rate=0.02).fit(X[:100], y[:100]).predict_proba(X[:100])
    assert two.shape == (100, 2)
    assert roc_auc_score(y[:100], two[:, 1]) == 1
    three = MLPClassifier(**QUICK).fit(X, y).predict_proba(X)
    assert three.shape == (150, 3)
    np.testing.assert_allclose(three.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_several_targets_are_refused(estimator):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="y should be a 1d array"):
        estimator(**QUICK).fit(X, np.eye(3, dtype=int)[y])


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_fit_begins_anew_from_the_seeds_and_says_nothing(estimator, capfd):
    X, y = load_iris(return_X_y=True)
    fitted = estimator(**QUICK | {"epochs": 3}).fit(X, y)
    capfd.readouterr()
    before = fitted.predict(X)
    np.testing.assert_array_equal(fitted.fit(X, y).predict(X), before)
    assert capfd.readouterr() == ("", "")
    assert fitted.history_.groupby("seed")["epoch"].max().tolist() == [3, 3]
    by_seed = fitted.model_.predict_by_seed(X, probabilities=estimator is MLPClassifier)
    assert not np.array_equal(by_seed[0], by_seed[1])


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_numbers_of_either_precision_train_float32_weights(estimator):
    X, y = load_iris(return_X_y=True)
    double, single = (
        estimator(**QUICK).fit(rows, y).model_.fitted.weights["output/kernel"] for rows in (X, X.astype(np.float32))
    )
    assert double.dtype == single.dtype == np.float32
    np.testing.assert_allclose(single, double, rtol=0.01, atol=1e-4)


def test_what_is_not_finite_is_refused():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=r"a number beyond 3\.4e\+38"):
        MLPRegressor(**QUICK).fit(X * 1e300, y)
    with pytest.raises(ValueError, match="no seed's loss stayed finite"):
        MLPRegressor(**QUICK, optimizer="sgd", learning_rate=1e4, early_stopping={"patience": 2}).fit(X, y)


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


@pytest.mark.parametrize("patience", [1, 3])
def test_early_stopping_waits_for_an_improvement_of_the_tolerance(cancer, patience):
    stopping = {"patience": patience, "min_delta": 1e9}
    history = MLPClassifier(**QUICK | {"epochs": 20}, early_stopping=stopping).fit(*cancer).history_
    assert history.groupby("seed")["epoch"].max().tolist() == [1 + patience] * 2  # the first one always improves


def test_early_stopping_waits_to_the_last_epoch_where_patience_is_as_long(cancer):
    stopping = {"patience": 5, "min_delta": 1e9}
    history = MLPClassifier(**QUICK | {"epochs": 5}, early_stopping=stopping).fit(*cancer).history_
    assert history["epoch"].max() == 5


def test_plateau_cuts_the_learning_rate(cancer):
    schedule = {"name": "plateau", "decay_epochs": 2, "decay": 0.1}
    history = MLPClassifier(**QUICK | {"epochs": 40}, schedule=schedule, learning_rate=0.1).fit(*cancer).history_
    assert history["learning_rate"].max() == 0.1
    assert history["learning_rate"].min() < 0.011


def test_equal_weights_change_nothing_with_early_stopping():
    X, y = load_diabetes(return_X_y=True)
    estimator = MLPRegressor(**QUICK, early_stopping={"patience": 2})
    weighted, plain = (clone(estimator).fit(X, y, sample_weight=weights) for weights in (np.ones(len(y)), None))
    np.testing.assert_allclose(weighted.predict(X), plain.predict(X), rtol=1e-4)


def test_fitted_model_is_saved_without_pickle(cancer, tmp_path):
    X, y = cancer
    fitted = clone(MLPClassifier(**QUICK)).fit(X, y)
    fitted.save(tmp_path)
    np.testing.assert_array_equal(FittedModel.load(tmp_path).predict_proba(X), fitted.predict_proba(X))
