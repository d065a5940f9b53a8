"""Scores of trained seeds on every split, seed by seed and over all of them with intervals."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from pipeline.data.examples import Split
from pipeline.data.splits import SPLITS, Summary
from pipeline.settings import Model
from pipeline.statistics import scores
from pipeline.statistics.intervals import over_seeds
from pipeline.statistics.metrics import further_by_seed
from pipeline.statistics.weights import average
from pipeline.training.fitted import Fitted
from pipeline.training.predict import predict
from pipeline.wording import significant


def predict_split(fitted: Fitted, model: Model, summary: Summary, split: Split) -> np.ndarray:
    """Return logits `[R, n, classes]`, or numbers in the target's unit `[R, n]`."""
    outputs = predict(model, summary.problem, fitted.weights, split.x)
    return outputs if summary.classes else summary.problem.in_unit(outputs[..., 0])


def actual_of(split: Split, summary: Summary) -> np.ndarray:
    """Return class indices, or the target in its own unit, `[n]`."""
    return split.y if summary.classes else summary.problem.in_unit(split.y)


Weights = dict[str, np.ndarray | None]
Blocks = dict[str, np.ndarray | None]


def score_seeds(
    fitted: Fitted,
    predicted: dict[str, np.ndarray],
    actual: dict[str, np.ndarray],
    weights: Weights,
    task: scores.Task,
) -> pd.DataFrame:
    """Return a row per seed: every metric on every split that has rows, and its gap from training to validation."""
    table = pd.DataFrame({"seed": fitted.seeds, "best_epoch": fitted.best_epoch, "diverged": fitted.diverged})
    for split, outputs in predicted.items():
        for name in scores.METRICS[task]:
            by_seed = scores.score_seeds(name, task, outputs, actual[split], weights[split])
            table[f"{split}_{name}"] = np.where(fitted.sound, by_seed, np.nan)
        sound = outputs[fitted.sound]
        for name, values in (further_by_seed(task, sound, actual[split], weights[split]) if len(sound) else {}).items():
            table.loc[fitted.sound, f"{split}_{name}"] = average(values, weights[split])
    if "validation" in predicted:
        for name in scores.METRICS[task]:
            table[f"gap_{name}"] = scores.gap(name, table[f"train_{name}"], table[f"validation_{name}"])
    return table


def summarize(
    seeds: pd.DataFrame,
    predicted: dict[str, np.ndarray],
    actual: dict[str, np.ndarray],
    weights: Weights,
    blocks: Blocks,
    task: scores.Task,
) -> dict[str, Any]:
    """Summarize each split's metrics with 95 % intervals for other seeds and other rows, the gap's for other seeds.

    Args:
        seeds: the table of `score_seeds`.
        blocks: of rows that depend on each other; see `Split.blocks`.
    """
    summary: dict[str, Any] = {
        split: {
            name: asdict(interval)
            for name, interval in scores.intervals_on_rows(
                task, outputs, actual[split], weights[split], blocks[split]
            ).items()
        }
        for split, outputs in predicted.items()
    }
    if "validation" in predicted:
        summary["gap"] = {name: asdict(over_seeds(seeds[f"gap_{name}"])) for name in scores.METRICS[task]}
    return summary | {
        "best_epoch": asdict(over_seeds(best_epochs(seeds))),
        "seeds": len(seeds),
        "scored": int(seeds.filter(regex="^(train|validation|test)_").notna().any(axis=1).sum()),
        "diverged": int(seeds["diverged"].sum()),
    }


def best_epochs(seeds: pd.DataFrame) -> pd.Series:
    """Return each seed's best epoch, NaN where it has none: it diverged in the first."""
    return seeds["best_epoch"].where(seeds["best_epoch"] > 0)


def describe(evaluation: dict[str, Any]) -> str:
    """Return what `summarize` returns as a table of text, and a line that says what its numbers are."""
    rows: dict[str, dict[str, str]] = {}
    for group in (*SPLITS, "gap"):
        for metric, interval in evaluation.get(group, {}).items():
            rows.setdefault(metric, {})[group] = _interval_text(interval)
    of = "" if evaluation["scored"] == evaluation["seeds"] else f" of {evaluation['seeds']}"
    return (
        f"{pd.DataFrame(rows).T.to_string(na_rep='')}\n"
        f"means over {evaluation['scored']}{of} seeds [95 % intervals for other seeds and rows; gap: other seeds]"
    )


def _interval_text(interval: dict[str, float | None]) -> str:
    mean, low, high = interval["mean"], interval["low"], interval["high"]
    if mean is None:
        return "-"
    return significant(mean) + (
        f" [{significant(low)}, {significant(high)}]" if low is not None and high is not None else ""
    )
