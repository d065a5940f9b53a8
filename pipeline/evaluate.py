"""Stage evaluate: all seeds on train, validation and, once, the test set; tables, figures, and the run in MLflow.

`python -m pipeline.evaluate --log-only` logs the files that are there once more, after a tracking server was lost.
"""

import json
import sys
from dataclasses import asdict

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from pipeline import figures, scores, tracking
from pipeline.errors import InputError, run_stage
from pipeline.examples import Split
from pipeline.files import write_json, written_whole
from pipeline.intervals import over_seeds
from pipeline.model import predict
from pipeline.params import Settings, flat, read_settings
from pipeline.paths import (
    CURVES_FILE,
    ERRORS_FILE,
    EVALUATE_RUN_FILE,
    EVALUATION_FILE,
    FIGURES,
    HISTORY_FILE,
    LOSS_FILE,
    MODEL_FILE,
    SEED_SCORES_FILE,
    SIZE_FILE,
)
from pipeline.seeds import TrainedSeeds, read_seeds
from pipeline.splits import SPLITS, Summary, read_split, read_summary
from pipeline.store import check_reachable

LOG_AGAIN = "python -m pipeline.evaluate --log-only"
EXPERIMENT = "pipeline"
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


def draw(history: pd.DataFrame, trained: TrainedSeeds, errors: pd.DataFrame, split: str, summary: Summary) -> None:
    """Write the figures."""
    loss, score = scores.METRICS[summary.task]
    gaps = history[["seed", "epoch"]].copy()
    if {f"train_{loss}", f"val_{loss}"} <= set(history):
        gaps[f"gap_{loss}"] = scores.gap(loss, history[f"train_{loss}"], history[f"val_{loss}"])
    best = trained.best_epoch
    # Logarithmic: the training loss goes on falling towards 0 where the validation loss turns.
    figures.save(figures.curves_figure(history, best, loss, LABELS[loss], scale="log"), FIGURES["loss"])
    figures.save(figures.curves_figure(history, best, score, LABELS[score]), FIGURES["score"])
    figures.save(figures.gap_figure(gaps, best, loss, LABELS[loss]), FIGURES["gap"])
    if summary.classes:
        figures.save(figures.confusion_figure(errors, summary.classes, split), FIGURES["errors"])
    else:
        figures.save(figures.agreement_figure(errors, split), FIGURES["errors"])


def evaluate(settings: Settings, summary: Summary, trained: TrainedSeeds) -> dict[str, object]:
    """Score everything once and write the stage's files; returns what is in `evaluation.json`."""
    splits = {name: split for name in SPLITS if len(split := read_split(name))}
    predicted = {name: predict_split(trained, settings, summary, split) for name, split in splits.items()}
    actual = {name: actual_of(split, summary) for name, split in splits.items()}
    table = score_seeds(trained, predicted, actual, summary.task)
    evaluation = summarize(table, predicted, actual, summary.task)

    shown = "test" if "test" in splits else list(splits)[-1]
    errors = errors_of(predicted[shown][trained.sound], actual[shown], summary)
    history = pd.read_csv(HISTORY_FILE)
    curves = mean_curves(history).reset_index()
    sound = history["seed"].isin(trained.seeds[trained.sound])
    loss = loss_curves(mean_curves(history[sound]).reset_index(), summary)
    for path, rows in {SEED_SCORES_FILE: table, ERRORS_FILE: errors, CURVES_FILE: curves, LOSS_FILE: loss}.items():
        with written_whole(path) as beside:
            # Predictions may differ in their last digits alone; scores have no more than these.
            rows.to_csv(beside, index=False, float_format=None if path == ERRORS_FILE else "%.7g")
    draw(history, trained, errors, shown, summary)
    write_json(EVALUATION_FILE, evaluation)
    return evaluation


def run_record(settings: Settings, summary: Summary) -> tracking.RunRecord:
    """What MLflow is told, read from the result files, so that a number there and here is the same number."""
    evaluation = json.loads(EVALUATION_FILE.read_text(encoding="utf-8"))
    table, history = pd.read_csv(SEED_SCORES_FILE), pd.read_csv(HISTORY_FILE)
    final = {}
    for group in (*SPLITS, "gap"):
        for metric, interval in evaluation.get(group, {}).items():
            final |= _with_spread(f"{group}.{metric}", interval["mean"], table[f"{group}_{metric}"])
    final |= _with_spread("best_epoch", evaluation["best_epoch"]["mean"], best_epochs(table))
    for name, values in at_best_epoch(history, table).items():
        final |= _with_spread(f"best_epoch.{name}", values.mean(), values)
    classes = len(summary.classes) if summary.classes else 1
    hidden = "-".join(str(units) for units in settings.model.hidden_units) or "linear"
    return tracking.RunRecord(
        experiment=EXPERIMENT,
        name=f"{settings.data.source} {hidden} {settings.train.optimizer}, {evaluation['scored']} seeds",
        params={name: value for name, value in flat(settings).items() if name.startswith(tracking.SETTINGS)},
        tags={"dvc.stage": "evaluate", "task": summary.task},
        curves=pd.read_csv(CURVES_FILE, index_col="epoch"),
        scores={name: value for name, value in final.items() if value is not None},
        datasets=[
            tracking.Dataset(f"{summary.source} {name}", summary.digest[name], summary.source, summary.rows[name], name)
            for name in SPLITS
            if summary.rows[name]
        ],
        figures=list(FIGURES.values()),
        files=[EVALUATION_FILE, SEED_SCORES_FILE, HISTORY_FILE, ERRORS_FILE, SIZE_FILE],
        model=MODEL_FILE,
        n_features=summary.n_features,
        n_outputs=classes,
    )


def at_best_epoch(history: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Each seed's row of the history at its best epoch, scores alone."""
    at_best = history.merge(table[["seed", "best_epoch"]], left_on=["seed", "epoch"], right_on=["seed", "best_epoch"])
    return at_best[[name for name in history if name.startswith(("train_", "val_"))]]


def _with_spread(name: str, mean: float | None, values: pd.Series) -> dict[str, float | None]:
    return {name: mean, f"{name}_sd": scores.spread(values)}


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


def log(settings: Settings, summary: Summary) -> str | None:
    """Log the result files as one MLflow run, and say how to see it; its id, None if the store was lost.

    Raises:
        InputError: one of them is missing.
    """
    try:
        run_id = tracking.log_run_or_say(run_record(settings, summary), LOG_AGAIN)
    except FileNotFoundError as error:
        raise InputError(f"{error.filename} is missing; run `dvc repro`") from None
    if run_id:
        print(f"MLflow run {run_id}; `make ui` shows it")
    return run_id


def main() -> None:
    """Run the stage."""
    settings, summary = read_settings(), read_summary()
    if sys.argv[1:] not in ([], ["--log-only"]):
        raise InputError(f"unknown argument {sys.argv[1]!r}; the only one is --log-only")
    check_reachable()
    if sys.argv[1:]:
        log(settings, summary)
        return
    evaluation = evaluate(settings, summary, read_seeds())
    print(describe(evaluation))
    of = "" if evaluation["scored"] == evaluation["seeds"] else f" of {evaluation['seeds']}"
    print(f"means over {evaluation['scored']}{of} seeds [95 % intervals for other seeds and rows; gap: other seeds]")
    write_json(EVALUATE_RUN_FILE, {"run_id": log(settings, summary)})


if __name__ == "__main__":
    run_stage(main)
