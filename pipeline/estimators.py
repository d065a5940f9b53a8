"""scikit-learn's interface: a classifier and a regressor whose parameters are the settings of `Model` and `Train`."""

from collections.abc import Callable
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags, assert_all_finite, column_or_1d, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from pipeline.data.examples import Task
from pipeline.data.memory import checked_weights, columns_of
from pipeline.errors import value_errors
from pipeline.fitting import FittedModel, fit
from pipeline.params import section_of
from pipeline.partial import PartialFit, begin
from pipeline.settings import Data, Model, Train
from pipeline.training.course import Snapshot

# Classes have names of the settings' own, so the classifier takes `class_weight` by label instead.
BY_LABEL = {"class_weight"}
SETTINGS: dict[str, Any] = {
    name: field.default for part in (Model, Train) for name, field in part.model_fields.items() if name not in BY_LABEL
}
# The schema's defaults are the textbook's, for images of digits; these are for a table of some hundred rows or more.
TABLE = {"hidden_units": (128, 128), "batch_size": 32, "epochs": 60, "schedule": "constant"}
DEFAULTS = SETTINGS | TABLE | {"validation": 0.2}


def _init(defaults: dict[str, Any]) -> Callable[..., None]:
    """Return an `__init__` with a keyword for each default; scikit-learn reads them off its signature."""

    def __init__(self: Any, **parameters: Any) -> None:
        if unknown := parameters.keys() - defaults.keys():
            raise TypeError(f"{type(self).__name__} has no parameter {', '.join(sorted(unknown))}")
        vars(self).update(defaults | parameters)

    keywords = [Parameter(name, Parameter.KEYWORD_ONLY, default=value) for name, value in defaults.items()]
    signature = Signature([Parameter("self", Parameter.POSITIONAL_OR_KEYWORD), *keywords])
    setattr(__init__, "__signature__", signature)  # noqa: B010 (the type of a function has no such attribute)
    return __init__


class _MLP(BaseEstimator):
    """A network of several seeds that predict together.

    Attributes:
        model_: the `FittedModel`, with the history, each seed's predictions and the network as a Keras model.
        n_features_in_, feature_names_in_: as everywhere in scikit-learn.
    """

    task: Task
    model_: FittedModel
    _state: Snapshot | None  # of the training by parts

    @property
    def history_(self) -> pd.DataFrame:
        """Return a row per seed and epoch with the training and, with early stopping, the validation scores."""
        return self.model_.history

    def save(self, folder: str | Path) -> None:
        """Write the fitted model into a folder, without pickle; `FittedModel.load` reads it."""
        check_is_fitted(self)
        self.model_.save(folder)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _fit(self, X: pd.DataFrame, y: np.ndarray, sample_weight: np.ndarray | None) -> Self:
        """Train on rows that are checked."""
        model, train = self._settings()
        if train.optimizer == "gd" and not model.batch_norm:
            X, y, sample_weight = _counted_once(X, y, sample_weight)
        chooses = train.early_stopping is not None or train.schedule.name == "plateau"
        self.model_ = fit(
            X, y, model, train, validation=_plain(self.get_params()["validation"]) if chooses else 0.0,
            sample_weight=sample_weight, data=Data(task=self.task), progress=False,
        )  # fmt: skip
        self._state = None
        return self

    def _partial_fit(
        self, X: pd.DataFrame, y: np.ndarray, sample_weight: np.ndarray | None, classes: int | None = None
    ) -> Self:
        """Train an epoch on rows that are checked."""
        if hasattr(self, "model_"):
            after = PartialFit(self.model_, self._state).go_on(X, y, sample_weight)
        else:
            after = begin(X, y, *self._settings(), classes, sample_weight)
        self.model_, self._state = after.model, after.state
        return self

    def _settings(self) -> tuple[Model, Train]:
        parameters = {name: _plain(value) for name, value in self.get_params().items()}
        of_model = {name: parameters[name] for name in Model.model_fields}
        of_train = {name: parameters[name] for name in Train.model_fields.keys() - BY_LABEL}
        with value_errors():
            caller = type(self).__name__
            return section_of(Model, of_model, caller), section_of(Train, of_train, caller)

    def _weights(self, sample_weight: ArrayLike | None, rows: int) -> np.ndarray | None:
        with value_errors():
            weights = None if sample_weight is None else checked_weights(sample_weight)
        if weights is not None and len(weights) != rows:
            raise ValueError(f"sample_weight must have a number for each of the {rows} rows of X; got {len(weights)}")
        return weights

    def _training_rows(self, X: Any, y: Any, reset: bool = True) -> tuple[pd.DataFrame, np.ndarray]:
        """Return rows and target as `fit` takes them.

        Args:
            reset: whether these are the first rows, whose columns are those of all others.

        Raises:
            ValueError: they are not what scikit-learn allows.
        """
        if _is_mixed(X):
            validate_data(self, X, y, reset=reset, skip_check_array=True)
            return self._named(X), y
        rules = {"y_numeric": self.task == "regression", "ensure_all_finite": "allow-nan"}
        checked, y = validate_data(self, X, y, reset=reset, ensure_min_samples=2 if reset else 1, **rules)
        return self._named(checked), y

    def _new_rows(self, X: Any) -> pd.DataFrame:
        """Return rows to predict for.

        Raises:
            ValueError: they have other columns than those of the training, or are not what scikit-learn allows.
        """
        check_is_fitted(self)
        if _is_mixed(X):
            validate_data(self, X, reset=False, skip_check_array=True)
            return self._named(X)
        return self._named(validate_data(self, X, reset=False, ensure_all_finite="allow-nan"))

    def _named(self, X: Any) -> pd.DataFrame:
        """Return rows under the names of the training's columns, which an array has not."""
        rows = pd.DataFrame(columns_of(X))
        return rows.set_axis(getattr(self, "feature_names_in_", rows.columns), axis="columns")


def _is_mixed(X: Any) -> bool:
    """Return whether this is a data frame in which a column holds something else than numbers."""
    if not (hasattr(X, "columns") or hasattr(X, "__arrow_c_stream__")):
        return False
    frame = columns_of(X)
    return isinstance(frame, pd.DataFrame) and not all(map(pd.api.types.is_numeric_dtype, frame.dtypes))


def _counted_once(
    X: pd.DataFrame, y: np.ndarray, sample_weight: np.ndarray | None
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray | None]:
    """Return rows that differ from each other, in a fixed order, and the sum of the weights of their copies.

    Gradient descent takes the mean over all rows at each step. Summed in this way, repeating a row gives the network
    that weighting it gives, to the last bit, whatever the order of the rows.
    """
    weights = pd.Series(1.0 if sample_weight is None else sample_weight, X.index)
    of_equal = weights.groupby([*(X[name] for name in X), y], dropna=False).sum()
    of_equal = of_equal[of_equal > 0]
    rows, counts = of_equal.index.to_frame(index=False), of_equal.to_numpy()
    features = rows.iloc[:, :-1].set_axis(X.columns, axis="columns")
    return features, rows.iloc[:, -1].to_numpy(), None if (counts == 1).all() else counts


def _plain(value: Any) -> Any:
    """Return numbers of NumPy, as the grid of a search holds them, as those of Python."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value


class MLPClassifier(ClassifierMixin, _MLP):
    """A multilayer perceptron for classes: the mean of the probabilities of `seeds` networks.

    The parameters are the settings of `pipeline.Model` and `pipeline.Train`, under their names there, and those below.

    Args:
        validation: the share of the rows that early stopping and the schedule `plateau` go by; without them all rows
            are trained on.
        class_weight: "balanced", a weight by class, or None; as everywhere in scikit-learn.

    Attributes:
        classes_: the labels, in the order of the probabilities.
    """

    task = "classification"
    __init__ = _init(DEFAULTS | {"class_weight": None})

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train on rows `[n, features]`, a data frame of any columns included, and their labels `[n]`."""
        X, y = self._training_rows(X, y)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_, indices = np.unique(y, return_inverse=True)
        weights = self._weights(sample_weight, len(indices))
        counted = indices if weights is None else indices[weights > 0]
        if len(np.unique(counted)) < 2:
            raise ValueError("MLPClassifier needs rows of two classes at least; got one class")
        if self.class_weight is not None:
            weights = (1.0 if weights is None else weights) * compute_sample_weight(self.class_weight, y)
        return self._fit(X, indices, weights)

    def partial_fit(
        self, X: Any, y: ArrayLike, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train an epoch on these rows, going on from the weights and the optimizer's state of the call before.

        The rows of the first call say how columns are scaled and which categories they have, and the parameters of the
        first call stay; after `fit`, those of `fit` do. Weights count relative to the others of the call. Calls with as
        many rows share a compiled graph.

        Args:
            classes: all labels that there will be; needed at the first call.

        Raises:
            ValueError: other columns than before, an unknown label, a parameter that needs validation rows or a last
                epoch (`early_stopping`, `swa`, the schedules `cosine` and `plateau`), or `class_weight="balanced"`.
        """
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight 'balanced' is not supported for partial_fit, which does not know the shares of the "
                "classes; pass weights by class, or sample_weight"
            )
        is_first = not hasattr(self, "model_")
        labels = self._labels(classes, is_first)
        X, y = self._training_rows(X, y, reset=is_first)
        rows = column_or_1d(y, warn=True)
        check_classification_targets(rows)
        if len(unknown := np.setdiff1d(rows, labels)):
            raise ValueError(f"y has labels {unknown.tolist()} that are not in classes, {labels.tolist()}")
        weights = self._weights(sample_weight, len(rows))
        if self.class_weight is not None:
            weights = (1.0 if weights is None else weights) * compute_sample_weight(self.class_weight, rows)
        self._partial_fit(X, np.searchsorted(labels, rows), weights, len(labels))
        self.classes_ = labels
        return self

    def _labels(self, classes: ArrayLike | None, is_first: bool) -> np.ndarray:
        """Return the labels that `partial_fit` knows, in order."""
        if classes is None:
            if is_first:
                raise ValueError("classes must be passed on the first call to partial_fit")
            return self.classes_
        labels = np.unique(np.asarray(classes))
        if not is_first and not np.array_equal(labels, self.classes_):
            raise ValueError(f"classes={labels} is not the same as on the call before, {self.classes_}")
        if len(labels) < 2:
            raise ValueError(f"classes must hold two labels at least; got {labels.tolist()}")
        return labels

    def predict(self, X: Any) -> np.ndarray:
        """Return the most likely label of each row."""
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, float32 `[n, classes]`, in the order of `classes_`."""
        check_is_fitted(self)
        probabilities = self.model_.predict_proba(self._new_rows(X))
        # A class all of whose rows have weight 0 is none of the network's.
        known = self.model_.classes
        whole = np.zeros((len(probabilities), len(self.classes_)), probabilities.dtype)
        whole[:, known] = probabilities
        return whole


class MLPRegressor(RegressorMixin, _MLP):
    """A multilayer perceptron for a number: the mean of the predictions of `seeds` networks.

    The parameters are the settings of `pipeline.Model` and `pipeline.Train`, under their names there, and those below.

    Args:
        validation: the share of the rows that early stopping and the schedule `plateau` go by; without them all rows
            are trained on.
    """

    task = "regression"
    __init__ = _init(DEFAULTS)

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train on rows `[n, features]`, a data frame of any columns included, and their numbers `[n]`."""
        X, y = self._training_rows(X, y)
        numbers = column_or_1d(y, warn=True)
        return self._fit(X, numbers, self._weights(sample_weight, len(numbers)))

    def partial_fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train an epoch on these rows, going on from the weights and the optimizer's state of the call before.

        The rows of the first call say how columns and the target are scaled and which categories columns have, and the
        parameters of the first call stay; after `fit`, those of `fit` do. Weights count relative to the others of the
        call. Calls with as many rows share a compiled graph.

        Raises:
            ValueError: other columns than before, or a parameter that needs validation rows or a last epoch
                (`early_stopping`, `swa`, the schedules `cosine` and `plateau`).
        """
        X, y = self._training_rows(X, y, reset=not hasattr(self, "model_"))
        numbers = column_or_1d(y, warn=True)
        assert_all_finite(numbers, input_name="y")
        return self._partial_fit(X, numbers, self._weights(sample_weight, len(numbers)))

    def predict(self, X: Any) -> np.ndarray:
        """Return the number predicted for each row, float32 as the network computes it; `model_` gives float64."""
        check_is_fitted(self)
        return self.model_.predict(self._new_rows(X)).astype(np.float32)
