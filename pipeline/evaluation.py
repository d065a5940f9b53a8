"""How well trained seeds do: scores by seed with intervals, curves over the epochs, errors by class."""

from dataclasses import asdict

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from pipeline.data.examples import Split
from pipeline.data.splits import SPLITS, Summary
from pipeline.settings import Settings
from pipeline.statistics import scores
from pipeline.statistics.intervals import over_seeds
from pipeline.training.model import predict
from pipeline.training.seeds import TrainedSeeds

LABELS = {"cross_entropy": "cross-entropy (nats)", "accuracy": "accuracy", "rmse": "RMSE", "r2": "R²"}


def predict_split(trained: TrainedSeeds, settings: Settings, summary: Summary, split: Split) -> np.ndarray:
    """Logits `[R, n, classes]`, or numbers in the target's unit `[R, n]`."""
    outputs = predict(settings.model, summary.problem, trained.weights, split.x)
    return outputs if summary.classes else in_target_unit(outputs[..., 0], summary)


def in_target_unit(standardized: np.ndarray, summary: Summary) -> np.ndarray:
    """A regression's standardized targets or predictions in the target's own unit."""
    return standardized.astype(np.float64) * summary.target_scale + summary.target_mean


def actual_of(split: Split, summary: Summary) -> np.ndarray:
    """Class indices, or the target in its own unit, `[n]`."""
    return split.y if summary.classes else in_target_unit(split.y, summary)


def score_seeds(
    trained: TrainedSeeds, predicted: dict[str, np.ndarray], actual: dict[str, np.ndarray], task: str
) -> pd.DataFrame:
    """A row per seed: every metric on every split that has rows, and its gap from training to validation."""
    table = pd.DataFrame({"seed": trained.seeds, "best_epoch": trained.best_epoch, "diverged": trained.diverged})
    for split, outputs in predicted.items():
        for name in scores.METRICS[task]:
            by_seed = scores.score_seeds(name, task, outputs, actual[split])
            table[f"{split}_{name}"] = np.where(trained.sound, by_seed, np.nan)
    if "validation" in predicted:
        for name in scores.METRICS[task]:
            table[f"gap_{name}"] = scores.gap(name, table[f"train_{name}"], table[f"validation_{name}"])
    return table


def summarize(
    table: pd.DataFrame, predicted: dict[str, np.ndarray], actual: dict[str, np.ndarray], task: str
) -> dict[str, object]:
    """Summarize each split's metrics with 95 % intervals for other seeds and other rows, the gap's for other seeds."""
    summary: dict[str, object] = {
        split: {
            name: asdict(scores.interval_on_rows(name, task, outputs, actual[split])) for name in scores.METRICS[task]
        }
        for split, outputs in predicted.items()
    }
    if "validation" in predicted:
        summary["gap"] = {name: asdict(over_seeds(table[f"gap_{name}"])) for name in scores.METRICS[task]}
    return summary | {
        "best_epoch": asdict(over_seeds(best_epochs(table))),
        "seeds": len(table),
        "scored": int(table.filter(regex="^(train|validation|test)_").notna().any(axis=1).sum()),
        "diverged": int(table["diverged"].sum()),
    }


def best_epochs(table: pd.DataFrame) -> pd.Series:
    """Each seed's best epoch, NaN where it has none: it diverged in the first."""
    return table["best_epoch"].where(table["best_epoch"] > 0)


def mean_curves(history: pd.DataFrame) -> pd.DataFrame:
    """Means over the seeds that still train, by epoch, and how many they are."""
    by_epoch = history.drop(columns="seed").groupby("epoch")
    return by_epoch.mean().assign(seeds_training=by_epoch.size())


def loss_curves(curves: pd.DataFrame, summary: Summary) -> pd.DataFrame:
    """The curves of cross-entropy or RMSE under names that every task has, for `dvc plots`.

    They end with the first seed: a mean over ever fewer seeds would jump where one drops out.
    """
    loss, _ = scores.METRICS[summary.task]
    curves = curves[curves["seeds_training"] == curves["seeds_training"].max()]
    return pd.DataFrame(
        {"epoch": curves["epoch"], "train": curves.get(f"train_{loss}"), "validation": curves.get(f"val_{loss}")}
    )


def errors_of(outputs: np.ndarray, actual: np.ndarray, summary: Summary) -> pd.DataFrame:
    """Where the seeds err: counts of actual and predicted class over all of them; or each row's mean prediction."""
    if not summary.classes:
        return pd.DataFrame({"actual": actual, "predicted": outputs.mean(axis=0)})
    labels = np.arange(len(summary.classes))
    counts = sum(confusion_matrix(actual, predicted, labels=labels) for predicted in outputs.argmax(axis=-1))
    table = pd.DataFrame(counts, index=summary.classes, columns=summary.classes)
    long = table.rename_axis("actual").reset_index().melt("actual", var_name="predicted", value_name="count")
    return long.sort_values(["actual", "predicted"], kind="stable", ignore_index=True)


def at_best_epoch(history: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Each seed's row of the history at its best epoch, scores alone."""
    at_best = history.merge(table[["seed", "best_epoch"]], left_on=["seed", "epoch"], right_on=["seed", "best_epoch"])
    return at_best[[name for name in history if name.startswith(("train_", "val_"))]]


def describe(evaluation: dict[str, object]) -> str:
    """The evaluation as a table of text, with its 95 % intervals."""
    rows = {}
    for group in (*SPLITS, "gap"):
        for metric, interval in evaluation.get(group, {}).items():
            rows.setdefault(metric, {})[group] = _shown(interval)
    return pd.DataFrame(rows).T.to_string(na_rep="")


def _shown(interval: dict[str, float | None]) -> str:
    mean, low, high = interval["mean"], interval["low"], interval["high"]
    if mean is None:
        return "-"
    return f"{mean:.4f}" if low is None else f"{mean:.4f} [{low:.4f}, {high:.4f}]"
