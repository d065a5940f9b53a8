"""Peers: scikit-learn's own models on the rows of each seed, compared with the network row by row."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, root_mean_squared_error
from sklearn.preprocessing import StandardScaler

from experiments.study.further import with_further
from experiments.study.held_out import HeldOut
from experiments.study.on_test_set import score_outputs
from experiments.study.peers import fit_peer
from experiments.study.rows import Rows, pooled
from experiments.study.worth import ScoredPeer, peer_records
from pipeline.choices import Peer
from pipeline.data.examples import Problem, Split

SEEDS = list(range(1000, 1010))


def rows_and_test(task: str, weights: bool = False) -> tuple[Rows, Split]:
    """Return a study's rows and a test set of a bundled table."""
    load = load_breast_cancer if task == "classification" else load_diabetes
    x, y = load(return_X_y=True)
    x = StandardScaler().fit_transform(x).astype(np.float32)
    y = y.astype(np.int32) if task == "classification" else ((y - y.mean()) / y.std()).astype(np.float32)
    of_rows = np.random.default_rng(0).uniform(0.5, 2, len(y)).astype(np.float32) if weights else None
    parts = [
        Split(x[part], y[part], weights=None if of_rows is None else of_rows[part])
        for part in (slice(0, 200), slice(200, 300), slice(300, None))
    ]
    problem = Problem(task, x.shape[1], 2 if task == "classification" else 1)
    return pooled(parts[0], parts[1], SEEDS, problem), parts[2]


def scored(peer: Peer, rows: Rows, test: Split) -> ScoredPeer:
    outputs = fit_peer(peer, rows, SEEDS, test.x)
    nothing = rows.knowing_nothing()[:, None]
    return ScoredPeer.of(outputs, rows, np.ones(rows.ring.n, bool), score_outputs(rows, outputs.test, nothing, test))


@pytest.mark.parametrize("weights", [False, True])
def test_scores_of_a_seed_are_those_of_scikit_learn_on_its_rows(weights):
    rows, test = rows_and_test("classification", weights)
    peer, of = scored("linear", rows, test), rows.ring.weights
    trained, held_out = rows.train[3], np.concatenate([rows.ring.held_out(3, role) for role in range(2)])

    def weights_of(part):
        return None if of is None else of[part]

    model = LogisticRegression(max_iter=1000).fit(rows.x[trained], rows.y[trained], weights_of(trained))
    table = peer.table.iloc[3]
    for part, x, y, w in (
        ("train", rows.x[trained], rows.y[trained], weights_of(trained)),
        ("holdout", rows.x[held_out], rows.y[held_out], weights_of(held_out)),
        ("test", test.x, test.y, test.weights),
    ):
        p = model.predict_proba(x)
        assert table[f"{part}_cross_entropy"] == pytest.approx(log_loss(y, p, sample_weight=w), rel=1e-6)
        assert table[f"{part}_accuracy"] == pytest.approx(accuracy_score(y, p.argmax(axis=1), sample_weight=w))


def test_numbers_too():
    rows, test = rows_and_test("regression")
    peer = scored("gradient_boosting", rows, test)
    model = HistGradientBoostingRegressor(early_stopping=False, random_state=SEEDS[3])
    predicted = model.fit(rows.x[rows.train[3]], rows.y[rows.train[3]]).predict(test.x)
    assert peer.table["test_rmse"][3] == pytest.approx(root_mean_squared_error(test.y, predicted), rel=1e-6)


@pytest.mark.parametrize("peer", ["nearest_neighbors", "random_forest"])
def test_a_vote_without_a_class_gives_no_infinite_loss(peer):
    rows, test = rows_and_test("classification")
    losses = scored(peer, rows, test).held_out.loss_rows
    assert losses.max() < np.log(rows.train.shape[1] + 2) + 1e-9  # as one training row of the class would give


def test_a_network_that_is_a_peer_is_no_different_from_it_and_a_useless_one_is_worse():
    rows, test = rows_and_test("classification")
    peers = [scored(name, rows, test) for name in ("linear", "nearest_neighbors")]
    [same, _] = peer_records(peers, peers[0].held_out)
    assert {name: one.verdict for name, one in same.comparisons.items()} == dict.fromkeys(
        ("cross_entropy", "accuracy", "brier", "balanced_accuracy", "roc_auc"), "no detectable difference"
    )
    nothing = np.zeros((*rows.ring.judges.shape, 2))
    useless = with_further(HeldOut(rows, rows.floor, np.ones(rows.ring.n, bool)), nothing)
    for record in peer_records(peers, useless):
        by_loss, by_accuracy = record.comparisons["cross_entropy"], record.comparisons["accuracy"]
        assert (by_loss.verdict, by_accuracy.verdict) == ("better", "better")
        assert by_loss.difference.high < 0 < by_accuracy.difference.low  # lower is better, and higher is better
