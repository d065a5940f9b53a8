"""Stage evaluate: all seeds on train, validation and, once, the test set; tables, figures, and the run in MLflow.

`python -m pipeline.evaluate --log-only` logs the files that are there once more, after a tracking server was lost.
"""

# ruff: noqa: E402 (the process is configured before anything imports TensorFlow)
from pipeline.training.fast.process import configure

configure()

import json
import sys

import pandas as pd

from pipeline.data.splits import SPLITS, Summary, read_split, read_summary
from pipeline.errors import InputError, run_stage
from pipeline.evaluation import (
    LABELS,
    actual_of,
    at_best_epoch,
    best_epochs,
    describe,
    errors_of,
    loss_curves,
    mean_curves,
    predict_split,
    score_seeds,
    summarize,
)
from pipeline.figures import run as figures
from pipeline.figures.style import save
from pipeline.files import write_json, written_whole
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
from pipeline.settings import Settings, flat, read_settings
from pipeline.statistics import scores
from pipeline.tracking import run as tracking
from pipeline.tracking.store import check_reachable
from pipeline.training.seeds import TrainedSeeds, read_seeds

LOG_AGAIN = "python -m pipeline.evaluate --log-only"
EXPERIMENT = "pipeline"


def draw(history: pd.DataFrame, trained: TrainedSeeds, errors: pd.DataFrame, split: str, summary: Summary) -> None:
    """Write the figures."""
    loss, score = scores.METRICS[summary.task]
    gaps = history[["seed", "epoch"]].copy()
    if {f"train_{loss}", f"val_{loss}"} <= set(history):
        gaps[f"gap_{loss}"] = scores.gap(loss, history[f"train_{loss}"], history[f"val_{loss}"])
    best = trained.best_epoch
    # Logarithmic: the training loss goes on falling towards 0 where the validation loss turns.
    save(figures.curves_figure(history, best, loss, LABELS[loss], scale="log"), FIGURES["loss"])
    save(figures.curves_figure(history, best, score, LABELS[score]), FIGURES["score"])
    save(figures.gap_figure(gaps, best, loss, LABELS[loss]), FIGURES["gap"])
    if summary.classes:
        save(figures.confusion_figure(errors, summary.classes, split), FIGURES["errors"])
    else:
        save(figures.agreement_figure(errors, split), FIGURES["errors"])


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


def _with_spread(name: str, mean: float | None, values: pd.Series) -> dict[str, float | None]:
    return {name: mean, f"{name}_sd": scores.spread(values)}


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
