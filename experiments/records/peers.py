"""The records of models that are no networks."""

from typing import Literal

from experiments.records.record import Record
from pipeline.statistics.intervals import Interval

PeerFinding = Literal["better", "worse", "no detectable difference", "neither beats knowing nothing"]


class PeerComparison(Record):
    """A peer compared with the recommended network by one metric, row by row.

    Attributes:
        difference: the peer's metric less the network's; the intervals of all peers hold together.
        p_adjusted: the p-value, adjusted by Holm's method over the peers.
        detectable: the difference that four of five such studies would have found.
        verdict: on the peer.
    """

    difference: Interval
    p: float | None
    p_adjusted: float | None
    detectable: float | None
    verdict: PeerFinding | None


class Peer(Record):
    """A model that is no network, trained and judged on the same rows as the recommended network.

    Attributes:
        estimator: scikit-learn's text of it, with the settings that are not scikit-learn's defaults.
        scores: by split (train, holdout, test) and metric, as those of an arm.
        comparisons: by metric: loss, accuracy and Brier score, or RMSE.
    """

    name: str
    estimator: str
    scores: dict[str, dict[str, Interval]]
    comparisons: dict[str, PeerComparison]
