"""Training from a notebook or a script: arrays or a data frame in, a fitted model of several seeds out.

No file is read or written, and the process stays as it is; the stages do the same step by step, with files between.
"""

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy.special import softmax
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import check_consistent_length

from pipeline import serving
from pipeline.data.examples import Examples, Problem
from pipeline.data.memory import column_of, columns_of, dataset_of, labels_of
from pipeline.data.prepare import prepare
from pipeline.data.splits import Summary
from pipeline.errors import value_errors
from pipeline.figures.run import curves_figure
from pipeline.files import UNEXPECTED, read_arrays, under, write_arrays, write_json
from pipeline.params import section_of
from pipeline.settings import Data, Model, Train, TrialSettings, seed_list
from pipeline.statistics import scores
from pipeline.training.checks import check_task
from pipeline.training.fast.process import quiet
from pipeline.training.fitted import Fitted, arrays_of, fitted_of
from pipeline.training.model import build_keras, set_weights
from pipeline.training.predict import predict
from pipeline.training.progress import ProgressLine
from pipeline.training.trainer import fit as train_seeds

SETTINGS, SUMMARY, PREPROCESSING = "settings.json", "summary.json", "preprocessing.json"
SEEDS = "seeds.npz"
HISTORY = "history/"  # before the names of its columns among the arrays


@dataclass(frozen=True, eq=False, repr=False)
class FittedModel:
    """A network trained on several seeds, which predict together: the mean of their probabilities, or of their numbers.

    Attributes:
        model, train: the settings.
        summary: what the data holds, and what the check-up finds in it.
        preprocessing: from raw columns to what the network sees, as plain data; see `pipeline.serving.apply`.
        classes: the labels as they are in `y`, in the order of the probabilities; None for regression.
        fitted: the weights of every seed, and its scores after each epoch.
        notes: what was decided of the data, such as text that is read as numbers, and which seeds diverged.
    """

    model: Model
    train: Train
    summary: Summary
    preprocessing: dict[str, Any]
    classes: np.ndarray | None
    fitted: Fitted
    notes: list[str]

    def __repr__(self) -> str:
        return f"FittedModel({self.summary.task}: {self.summary.n_features} features, {len(self.seeds)} seeds)"

    @property
    def seeds(self) -> list[int]:
        """Return the seeds in the order of their predictions."""
        return self.fitted.seeds

    @property
    def history(self) -> pd.DataFrame:
        """Return a row per seed and epoch with the training and validation scores."""
        return self.fitted.history

    def predict(self, X: Any) -> np.ndarray:
        """Return the most likely class of each row, or its number in the target's unit, `[n]`."""
        if self.classes is None:
            return self._outputs(X)[self.fitted.sound].mean(axis=0)
        return self.classes[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the mean over the seeds of each class's probability, `[n, classes]`.

        Raises:
            AttributeError: the target is a number.
        """
        return self.predict_by_seed(X, probabilities=True)[self.fitted.sound].mean(axis=0)

    def predict_by_seed(self, X: Any, probabilities: bool = False) -> np.ndarray:
        """Return what each seed predicts, `[R, n]`, or the probabilities, `[R, n, classes]`.

        A seed that diverged, and has no epoch before that to fall back on, predicts NaN, or None in place of a class.

        Raises:
            AttributeError: probabilities are asked for, and the target is a number.
        """
        outputs = self._outputs(X)
        if self.classes is None:
            if probabilities:
                raise AttributeError("predict_proba is for classes, and the target is a number")
            return outputs
        by_class = softmax(outputs, axis=-1)
        if probabilities:
            return by_class
        labels = self.classes[by_class.argmax(axis=-1)]
        if not self.fitted.sound.all():
            labels = labels.astype(object)
            labels[~self.fitted.sound] = None
        return labels

    def score(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy, or R2 for a regression."""
        score = r2_score if self.classes is None else accuracy_score
        return float(score(y, self.predict(X), sample_weight=sample_weight))

    def scores(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> pd.DataFrame:
        """Return each score of one seed on rows with its 95 % interval for other seeds and other rows of the kind.

        The index is the name: cross_entropy, accuracy, balanced_accuracy, f1, roc_auc, average_precision, brier and
        calibration_error; or rmse, r2 and mae. The columns are mean, low and high.

        Args:
            groups: rows of one value depend on each other, `[n]`, such as those of a patient, or of a month where rows
                follow each other in time; the groups then are the sample. None for independent rows.

        Raises:
            ValueError: the lengths differ, or a class in `y` was not trained on.
        """
        with value_errors():
            task, actual = self.summary.task, column_of(y).to_numpy()
        outputs = self._outputs(X)
        check_consistent_length(outputs[0], actual, sample_weight, groups)
        if self.classes is not None:
            places = pd.Index(self.classes).get_indexer(pd.Index(actual))
            if (places < 0).any():
                raise ValueError(
                    f"y holds {actual[places < 0][0]!r}, which is none of the classes {self.classes.tolist()}"
                )
            actual = places
        weights = None if sample_weight is None else np.asarray(sample_weight, float)
        blocks = None if groups is None else pd.factorize(np.asarray(groups))[0]
        known = scores.intervals_on_rows(task, outputs, actual, weights, blocks)
        return pd.DataFrame({name: vars(interval) for name, interval in known.items()}).T

    def keras(self, seed: int | None = None) -> keras.Model:
        """Return one seed's network as a Keras model of prepared rows; see `prepared`.

        Args:
            seed: one of `seeds`; None for the first that did not diverge.

        Raises:
            ValueError: there is no such seed, or all have diverged.
        """
        plain = build_keras(self.model, self._problem, self._problem.target_mean, self._problem.target_scale)
        with value_errors():
            weights = self.fitted.first_sound
        if seed is not None:
            if seed not in self.seeds:
                raise ValueError(f"seed must be one of {self.seeds}; got {seed}")
            weights = {path: value[self.seeds.index(seed)] for path, value in self.fitted.weights.items()}
        set_weights(plain, weights)
        return plain

    def prepared(self, X: Any) -> np.ndarray:
        """Return rows as the network sees them, float32 `[n, features]`.

        Raises:
            ValueError: a column is missing or has a value that is not of its kind; images of another size.
        """
        with value_errors():
            raw = columns_of(X)
        if isinstance(raw, np.ndarray) and list(raw.shape[1:]) != self.summary.image_shape:
            raise ValueError(f"images must have the shape {self.summary.image_shape}; got {list(raw.shape[1:])}")
        return serving.apply(self.preprocessing, raw)

    def plot(self) -> Figure:
        """Return a picture of the training and validation loss over the epochs, seed by seed."""
        loss = scores.METRICS[self.summary.task][0]
        return curves_figure(self.history, self.fitted.best_epoch, loss, loss.replace("_", "-"), scale="log")

    def save(self, folder: str | Path) -> None:
        """Write all of it into a folder, as JSON and arrays of numbers and text; nothing is pickled."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        settings = TrialSettings(model=self.model, train=self.train).model_dump(mode="json")
        write_json(folder / SETTINGS, settings | {"notes": self.notes})
        write_json(folder / SUMMARY, self.summary.model_dump())
        write_json(folder / PREPROCESSING, self.preprocessing)
        arrays = arrays_of(self.fitted) | {
            f"{HISTORY}{name}": column.to_numpy() for name, column in self.history.items()
        }
        if self.classes is not None:
            arrays["classes"] = self.classes.astype("U") if self.classes.dtype == object else self.classes
        write_arrays(folder / SEEDS, arrays)

    @classmethod
    def load(cls, folder: str | Path) -> "FittedModel":
        """Read what `save` has written.

        Raises:
            ValueError: a file is missing, or not what `save` writes.
        """
        folder = Path(folder)
        try:
            settings, summary, preprocessing = (
                json.loads((folder / name).read_bytes()) for name in (SETTINGS, SUMMARY, PREPROCESSING)
            )
            arrays, notes = read_arrays(folder / SEEDS), settings.pop("notes")
            trial, fitted = TrialSettings(**settings), fitted_of(arrays, pd.DataFrame(under(HISTORY, arrays)))
            model = cls(
                trial.model, trial.train, Summary(**summary), preprocessing, arrays.get("classes"), fitted, notes
            )
        except (OSError, *UNEXPECTED) as error:
            raise ValueError(f"{folder} holds no model that `save` has written: {error!r}") from None
        return model

    @cached_property
    def _problem(self) -> Problem:
        return self.summary.problem

    def _outputs(self, X: Any) -> np.ndarray:
        """Return logits `[R, n, classes]`, or numbers in the target's unit `[R, n]`."""
        outputs = predict(self.model, self._problem, self.fitted.weights, self.prepared(X))
        return outputs if self.classes is not None else self._problem.in_unit(outputs[..., 0])


def fit(
    X: Any,
    y: ArrayLike,
    model: Model | Mapping[str, Any] | None = None,
    train: Train | Mapping[str, Any] | None = None,
    *,
    seeds: int | list[int] | None = None,
    validation: float = 0.2,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    data: Data | Mapping[str, Any] | None = None,
    progress: bool = True,
) -> FittedModel:
    """Train one configuration on several seeds side by side, on rows that are prepared as the stage prepare does it.

    Args:
        X: a data frame of pandas or another library with Arrow data, with columns of numbers, text, booleans and dates;
            an array `[n, features]`; or images `[n, height, width]` or `[n, height, width, channels]`.
        y: classes or numbers, `[n]`.
        model, train: the settings, or a dict of some; None for the textbook's, see `Model` and `Train`.
        seeds: a number or a list, in place of `train.seeds`.
        validation: the share of the rows that early stopping goes by and that `history` scores; 0 for none.
        sample_weight: how much each row counts in the loss and in the scores, `[n]`.
        groups: rows of one value are either trained on or validate, `[n]`.
        data: further settings of the data, such as `Data(kinds={"zip": "category"})`.
        progress: whether to show a bar.

    Raises:
        ValueError: data that no network can learn from, or settings that do not go with it.
    """
    if not 0 <= validation < 1:
        raise ValueError(f"validation must be at least 0 and below 1; got {validation}")
    with value_errors({"data.val_fraction": "validation"}):
        model, train = section_of(Model, model, "fit"), section_of(Train, train, "fit", seeds=seeds)
        data = section_of(Data, data, "fit", source="X", test_fraction=0.0, val_fraction=validation)
        prepared = prepare(dataset_of(X, y, data, sample_weight, groups), data)
        problem = prepared.summary.problem
        check_task(train, problem)
        examples = Examples.of_splits(problem, prepared.splits["train"], prepared.splits["validation"])
        with quiet(), ProgressLine(train.epochs) if progress else nullcontext() as bar:
            callbacks = [] if bar is None else [bar]
            fitted = train_seeds(examples, model, train, seed_list(train.seeds), callbacks)
        fitted.first_sound  # noqa: B018 (raises where every seed has diverged)
    classes = labels_of(prepared, column_of(y).to_numpy())
    notes = [*prepared.notes, *prepared.summary.warnings, *fitted.warnings]
    return FittedModel(model, train, prepared.summary, prepared.preprocessing, classes, fitted, notes)
