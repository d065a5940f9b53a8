"""How far the recommended networks are too confident, and whether one temperature mends it."""

from dataclasses import dataclass

import numpy as np

from experiments import records as record
from experiments.study.held_out import HeldOut
from experiments.study.rows import Rows
from pipeline.statistics.calibration import temperature
from pipeline.statistics.comparisons import estimates
from pipeline.statistics.intervals import SIGNIFICANCE


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Outputs on held-out rows, each fold's divided by the temperature that the rows of the other folds have chosen.

    Attributes:
        outputs: `[rings, 2, n, classes]`.
        temperature: that all rows choose.
    """

    outputs: np.ndarray
    temperature: float

    @classmethod
    def of(cls, rows: Rows, outputs: np.ndarray) -> "Calibrated":
        """Fit the temperatures to outputs of `Rows.held_out_outputs`; in time to those of earlier folds."""
        ring, scaled = rows.ring, outputs.copy()
        for number, fold in enumerate(ring.fold):
            for k in np.unique(fold):
                others = fold > k if ring.is_in_time else fold != k
                scaled[number][:, fold == k] /= _temperature(rows, outputs[number], others)
        return cls(scaled, _temperature(rows, outputs[0], np.ones(ring.n, bool)))

    def to_record(self, before: HeldOut, after: HeldOut) -> record.Calibration:
        """Return what `study.json` says of the calibration.

        Args:
            before, after: the scores of the outputs as they are and as they are here; see `further.with_further`.
        """
        [estimate] = estimates([before.loss_rows - after.loss_rows], before.rows.ring)
        return record.Calibration(
            temperature=self.temperature,
            overconfidence=estimate.interval(),
            helps=None if estimate.p is None else bool(estimate.mean > 0 and estimate.p < SIGNIFICANCE),
            error=before.metric("calibration_error"),
            error_after=after.metric("calibration_error"),
        )


def _temperature(rows: Rows, outputs: np.ndarray, among: np.ndarray) -> float:
    """Return the temperature that some rows choose, bool `[n]`; 1 where there are none.

    Args:
        outputs: of both roles, `[2, n, classes]`.
    """
    logits, y, weights = rows.of_both_roles(outputs, among)
    return temperature(logits, y, weights) if len(y) else 1.0
