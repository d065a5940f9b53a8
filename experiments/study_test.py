"""The study's one look at the test set, after everything is chosen."""

import numpy as np
import pandas as pd

from experiments.study_scores import Scored
from pipeline import scores
from pipeline.examples import Problem, Split
from pipeline.model import predict


def score_test(arms: list[Scored], test: Split, problem: Problem, target_scale: float) -> None:
    """Add the columns `test_<metric>` to the tables of these arms; NaN for seeds without sound weights."""
    for each in arms:
        outputs, actual = predict(each.arm.model, problem, each.result.weights, test.x), test.y
        if not problem.is_classification:
            # In the target's unit, as everywhere; its mean is the same for both and cancels out.
            outputs, actual = outputs[..., 0].astype(np.float64) * target_scale, actual * target_scale
        for name, metric in scores.METRICS[problem.task].items():
            found = np.where(
                np.isfinite(outputs).all(axis=tuple(range(1, outputs.ndim))), metric(outputs, actual), np.nan
            )
            each.table[f"test_{name}"] = pd.Series(found)
