"""The comparison of the recommended network with models that are no networks, on the same rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from experiments import records as record
from experiments.study.compared import loss_factor
from experiments.study.further import with_further
from experiments.study.held_out import HeldOut
from experiments.study.on_test_set import Tested
from experiments.study.peers import PeerOutputs
from experiments.study.rows import Rows
from pipeline.choices import Peer
from pipeline.statistics import scores
from pipeline.statistics.comparisons import Finding, Verdict, estimates, judge
from pipeline.statistics.intervals import Estimate, Interval
from pipeline.statistics.metrics import FURTHER
from pipeline.statistics.weights import average

NAMES: dict[Peer, str] = {
    "linear": "linear model",
    "nearest_neighbors": "nearest neighbours",
    "random_forest": "random forest",
    "gradient_boosting": "gradient boosting",
    "gradient_boosting_stopped": "gradient boosting (stopped early)",
}
# Each peer is compared with the network by these metrics. R2 is left out, since it orders models as RMSE does.
COMPARED: dict[scores.Task, tuple[str, ...]] = {
    "classification": ("cross_entropy", "accuracy", "brier", "balanced_accuracy", "roc_auc"),
    "regression": ("rmse", "mae"),
}
FINDINGS: dict[Finding, record.PeerFinding] = {
    "helps": "better",
    "hurts": "worse",
    "no detectable difference": "no detectable difference",
    "neither beats knowing nothing": "neither beats knowing nothing",
}


@dataclass(frozen=True, eq=False)
class ScoredPeer:
    """A peer with its scores.

    Attributes:
        train: row scores on the training rows, `[R, k]` by name.
        test: its scores on the test set; None without test rows.
    """

    outputs: PeerOutputs
    held_out: HeldOut
    train: dict[str, np.ndarray]
    test: Tested | None

    @property
    def name(self) -> str:
        """Return the peer's name."""
        return NAMES[self.outputs.peer]

    @classmethod
    def of(cls, outputs: PeerOutputs, rows: Rows, judging: np.ndarray, test: Tested | None) -> "ScoredPeer":
        """Score a peer on the rows that judge, bool `[n]`."""
        held_out = with_further(HeldOut(rows, rows.score_held_out(outputs.held_out), judging), outputs.held_out)
        return cls(outputs, held_out, rows.score(outputs.train, rows.train), test)

    def seed_rows(self, seeds: Sequence[int]) -> pd.DataFrame:
        """Return its rows of `study.csv`, one per seed."""
        whose = {"section": "peers", "arm": self.name, "seed": list(seeds), "diverged": False}
        return pd.concat([pd.DataFrame(whose), self.table], axis=1)

    @cached_property
    def table(self) -> pd.DataFrame:
        """Return `<split>_<metric>`, a row per seed."""
        rows, table = self.held_out.rows, pd.DataFrame()
        weights = None if rows.ring.weights is None else rows.ring.weights[rows.train]
        for name in scores.METRICS[rows.problem.task]:
            row_score = scores.row_score_of(name)
            of_train = average(self.train[row_score], weights)
            of_held_out = rows.ring.by_seed(self.held_out.judged_rows(name))
            table[f"train_{name}"] = scores.from_mean(name, of_train, rows.variance)
            table[f"holdout_{name}"] = scores.from_mean(name, of_held_out, rows.variance)
        return table if self.test is None else pd.concat([table, self.test.table], axis=1)


def peer_records(peers: Sequence[ScoredPeer], network: HeldOut) -> list[record.Peer]:
    """Return the peers as they stand in `study.json`, each compared with the network."""
    task = network.rows.problem.task
    comparisons: list[dict[str, record.PeerComparison]] = [{} for _ in peers]
    for name in COMPARED[task]:
        if all(np.isfinite(scored.judged_rows(name)).any() for scored in (network, *(peer.held_out for peer in peers))):
            for of_peer, comparison in zip(comparisons, _compared(peers, network, name), strict=True):
                of_peer[name] = comparison
    return [
        record.Peer(name=peer.name, estimator=peer.outputs.estimator, scores=_scores(peer), comparisons=of_peer)
        for peer, of_peer in zip(peers, comparisons, strict=True)
    ]


def _scores(peer: ScoredPeer) -> dict[str, dict[str, Interval]]:
    rows = peer.held_out.rows
    names = scores.METRICS[rows.problem.task]
    holdout_names = (*names, *FURTHER[rows.problem.task])
    train = {name: scores.interval_over_seeds(name, peer.table[f"train_{name}"], rows.train.shape[1]) for name in names}
    by_split = {"train": train, "holdout": {name: peer.held_out.metric(name) for name in holdout_names}}
    return by_split if peer.test is None else by_split | {"test": peer.test.scores}


def _compared(peers: Sequence[ScoredPeer], network: HeldOut, metric: str) -> list[record.PeerComparison]:
    """Compare each peer with the network by one metric; the p-values are adjusted for the number of peers."""
    ring, sign = network.rows.ring, -1 if metric in scores.HIGHER_IS_BETTER else 1
    of_network = network.judged_rows(metric)
    of_peers = [peer.held_out.judged_rows(metric) for peer in peers]
    differences = estimates([sign * (of_peer - of_network) for of_peer in of_peers], ring)
    better = [
        of_peer if difference.mean < 0 else of_network
        for of_peer, difference in zip(of_peers, differences, strict=True)
    ]
    over_nothing: Sequence[Estimate | None] = [None] * len(peers)
    if scores.row_score_of(metric) in network.rows.floor:
        floor = network.floor_rows(metric)
        over_nothing = estimates([sign * (values - floor) for values in better], ring)
    verdicts = judge(differences, over_nothing)
    means = [peer.held_out.mean(metric) for peer in peers]
    return [
        _comparison(verdict.scaled(loss_factor(metric, mean, network.mean(metric))), sign)
        for verdict, mean in zip(verdicts, means, strict=True)
    ]


def _comparison(verdict: Verdict, sign: int) -> record.PeerComparison:
    difference = verdict.difference
    return record.PeerComparison(
        difference=difference if sign > 0 else difference.negated(),
        p=verdict.p,
        p_adjusted=verdict.p_adjusted,
        detectable=verdict.detectable,
        verdict=verdict.finding and FINDINGS[verdict.finding],
    )
