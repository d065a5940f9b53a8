"""Models that are no networks, trained on the very rows of each seed: what the network is worth beside them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import threadpool_limits

from experiments.study.rows import Rows
from pipeline.choices import Peer

ROWS_FOR_THREADS = 10_000
NEIGHBOURS = 5  # scikit-learn's default
# Logistic regression in scikit-learn's default of 100 steps often ends before it has converged, with a warning.
MOST_STEPS = 1000
# The estimators of each peer for classes and for numbers, with scikit-learn's defaults.
ESTIMATORS: dict[Peer, tuple[Callable[..., BaseEstimator], Callable[..., BaseEstimator]]] = {
    "linear": (
        lambda seed, n: LogisticRegression(max_iter=MOST_STEPS),
        lambda seed, n: Ridge(),
    ),
    "nearest_neighbors": (
        lambda seed, n: KNeighborsClassifier(min(NEIGHBOURS, n)),
        lambda seed, n: KNeighborsRegressor(min(NEIGHBOURS, n)),
    ),
    "random_forest": (
        lambda seed, n: RandomForestClassifier(random_state=seed),
        lambda seed, n: RandomForestRegressor(random_state=seed),
    ),
    "gradient_boosting": (
        lambda seed, n: HistGradientBoostingClassifier(early_stopping=False, random_state=seed),
        lambda seed, n: HistGradientBoostingRegressor(early_stopping=False, random_state=seed),
    ),
    "gradient_boosting_stopped": (
        lambda seed, n: HistGradientBoostingClassifier(early_stopping=True, random_state=seed),
        lambda seed, n: HistGradientBoostingRegressor(early_stopping=True, random_state=seed),
    ),
}


@dataclass(frozen=True, eq=False)
class PeerOutputs:
    """The outputs of one peer, as those of a network: logarithms of probabilities, or standardized numbers.

    Attributes:
        estimator: scikit-learn's text of the estimator, with the settings that are not its defaults.
        train: on the training rows of each seed, `[R, k, n_outputs]`.
        held_out: of every row by the seeds that hold it out, `[rings, 2, n, n_outputs]`; NaN where none does.
        test: on the test rows, `[R, n_test, n_outputs]`.
        seconds: that the training of all seeds took.
    """

    peer: Peer
    estimator: str
    train: np.ndarray
    held_out: np.ndarray
    test: np.ndarray
    seconds: float


def fit_peer(peer: Peer, rows: Rows, seeds: Sequence[int], x_test: np.ndarray) -> PeerOutputs:
    """Train a peer on the rows that each seed trains on, and return its outputs.

    It chooses nothing by the rows that a seed holds out, so both of the seed's folds judge one and the same model.
    """
    began = time.perf_counter()
    # The threads of gradient boosting wait for each other at every step, which takes long on few rows and busy cores.
    with threadpool_limits(1 if rows.train.shape[1] < ROWS_FOR_THREADS else None):
        fitted = [_fitted(peer, rows, place, seed) for place, seed in enumerate(seeds)]
    seconds = time.perf_counter() - began

    def predicted(_: int, x: np.ndarray) -> np.ndarray:
        return np.stack([_outputs(one, rows, of_seed) for one, of_seed in zip(fitted, x, strict=True)])

    return PeerOutputs(
        peer=peer,
        estimator=str(_estimator(peer, rows, None)),
        train=predicted(0, rows.x[rows.train]),
        held_out=rows.held_out_outputs(predicted),
        test=predicted(0, np.broadcast_to(x_test, (len(seeds), *x_test.shape))),
        seconds=seconds,
    )


def _estimator(peer: Peer, rows: Rows, seed: int | None) -> BaseEstimator:
    return ESTIMATORS[peer][0 if rows.problem.is_classification else 1](seed, rows.train.shape[1])


def _fitted(peer: Peer, rows: Rows, place: int, seed: int) -> BaseEstimator:
    estimator, trained = _estimator(peer, rows, seed), rows.train[place]
    weights = rows.ring.weights
    if weights is None or not has_fit_parameter(estimator, "sample_weight"):
        return estimator.fit(rows.x[trained], rows.y[trained])
    return estimator.fit(rows.x[trained], rows.y[trained], sample_weight=weights[trained])


def _outputs(estimator: BaseEstimator, rows: Rows, x: np.ndarray) -> np.ndarray:
    """Return the outputs for some rows, `[k, n_outputs]`.

    Where a class has the probability 0, as in a vote of few neighbours, one right answer would make the cross-entropy
    infinite. There each class counts one training row more (Laplace's rule), as in knowing nothing.
    """
    if not len(x):
        return np.empty((0, rows.problem.n_outputs))
    if not rows.problem.is_classification:
        return estimator.predict(x)[:, None]
    probabilities = np.zeros((len(x), rows.problem.n_outputs))
    probabilities[:, estimator.classes_] = estimator.predict_proba(x)
    if not probabilities.all():
        n = rows.train.shape[1]
        probabilities = (n * probabilities + 1) / (n + rows.problem.n_outputs)
    return np.log(probabilities)
