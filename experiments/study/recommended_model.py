"""The study's look into the networks that it recommends: calibration, scores, threshold, columns, labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.study.calibration import Calibrated
from experiments.study.classes import class_scores
from experiments.study.ensemble import Members
from experiments.study.further import further_on_test, further_scores, threshold, with_further
from experiments.study.held_out import HeldOut
from experiments.study.importance import importance
from experiments.study.labels import doubtful_labels
from experiments.study.outputs import held_out_outputs
from experiments.study.scored import Scored
from pipeline.data.examples import Split


@dataclass(frozen=True, eq=False)
class RecommendedModel:
    """The recommended networks, looked into.

    Attributes:
        held_out: their scores on held-out rows, the further ones too.
        about: their part of `study.json`, by the names of its fields.
    """

    held_out: HeldOut
    about: dict[str, Any]

    def beside(self, chosen: HeldOut) -> HeldOut:
        """Return the scores of the choice, by rows that had no say in it, with the further scores of these networks."""
        row_scores = (self.held_out.row_scores or {}) | (chosen.row_scores or {})
        return HeldOut(chosen.rows, row_scores, chosen.judging)


def look_into(
    arm: Scored, preprocessing: Mapping[str, Any], classes: list[str] | None, test: Split, of_test: np.ndarray
) -> RecommendedModel:
    """Look into the recommended networks: their calibration first, since they are served calibrated.

    Args:
        preprocessing: the content of `preprocessing.json`.
        classes: their names; None for numbers.
        of_test: see `outputs_on_test`.
    """
    rows, model, fitted = arm.rows, arm.configuration.model, arm.result.fitted
    outputs = held_out_outputs(model, rows, fitted)
    plain = with_further(HeldOut(rows, rows.score_held_out(outputs), arm.judging), outputs)
    if not fitted.sound.any():  # there is nothing to be served
        return RecommendedModel(plain, {})
    of_test = of_test[fitted.sound]
    calibration, served, served_outputs = None, plain, outputs
    if classes:
        calibrated = Calibrated.of(rows, outputs)
        scored = HeldOut(rows, rows.score_held_out(calibrated.outputs), arm.judging)
        scored = with_further(scored, calibrated.outputs)
        calibration = calibrated.to_record(plain, scored)
        if calibration.helps:
            served, served_outputs, of_test = scored, calibrated.outputs, of_test / np.float32(calibrated.temperature)
    members = Members(rows, served_outputs, of_test)
    ensemble = members.to_record(test)
    tested = None
    if len(test):
        predicted = members.all_together()[None] if ensemble.serves else of_test
        tested = further_on_test(rows, predicted, test)
    about = {
        "ensemble": ensemble,
        "calibration": calibration,
        "further": further_scores(served, tested),
        "classes": class_scores(served, served_outputs, classes) if classes else None,
        "threshold": threshold(served, served_outputs, classes) if classes else None,
        "importance": importance(arm, preprocessing),
        "doubtful_labels": doubtful_labels(rows, outputs, classes) if classes else None,
    }
    return RecommendedModel(plain, about)
