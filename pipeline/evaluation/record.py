"""The MLflow run of an evaluation."""

import pandas as pd

from pipeline.data.splits import SPLITS, Summary
from pipeline.evaluation.results import Results
from pipeline.evaluation.scoring import best_epochs
from pipeline.paths import (
    CLASSES_FILE,
    ERRORS_FILE,
    EVALUATION_FILE,
    FIGURES,
    HISTORY_FILE,
    MODEL_FILE,
    RELIABILITY_FILE,
    SEED_SCORES_FILE,
    SIZE_FILE,
)
from pipeline.settings import Settings, flat
from pipeline.statistics import scores
from pipeline.tracking.entities import Dataset
from pipeline.tracking.run import EXPERIMENT, SETTINGS, RunRecord
from pipeline.training.checkpoint import training_identity


def run_record(results: Results, settings: Settings, summary: Summary) -> RunRecord:
    """Return the content of the MLflow run; the files it names must be there when it is logged."""
    hidden = "-".join(str(units) for units in settings.model.hidden_units) or "linear"
    scored = results.evaluation["scored"]
    return RunRecord(
        experiment=EXPERIMENT,
        name=f"{settings.data.source} {hidden} {settings.train.optimizer}, {scored} seeds",
        params={name: value for name, value in flat(settings).items() if name.startswith(SETTINGS)},
        tags={"dvc.stage": "evaluate", "task": summary.task, "data.findings": ", ".join(summary.findings) or "none"},
        curves=results.curves,
        scores=final_scores(results),
        datasets=[
            Dataset(f"{summary.source} {name}", summary.digest[name], summary.source, summary.rows[name], name)
            for name in SPLITS
            if summary.rows[name]
        ],
        figures=list(FIGURES.values()),
        files=[EVALUATION_FILE, SEED_SCORES_FILE, HISTORY_FILE, ERRORS_FILE, CLASSES_FILE, RELIABILITY_FILE, SIZE_FILE],
        model=MODEL_FILE,
        n_features=summary.n_features,
        n_outputs=len(summary.classes) if summary.classes else 1,
        identity=training_identity(settings, summary),
    )


def final_scores(results: Results) -> dict[str, float]:
    """Return means and standard deviations over the seeds by name, such as `test.accuracy` and `test.accuracy_sd`."""
    evaluation, seeds = results.evaluation, results.seeds
    final: dict[str, float | None] = {}
    for group in (*SPLITS, "gap"):
        for metric, interval in evaluation.get(group, {}).items():
            final |= _with_spread(f"{group}.{metric}", interval["mean"], seeds[f"{group}_{metric}"])
    final |= _with_spread("best_epoch", evaluation["best_epoch"]["mean"], best_epochs(seeds))
    for name, values in at_best_epoch(results.history, seeds).items():
        final |= _with_spread(f"best_epoch.{name}", values.mean(), values)
    return {name: value for name, value in final.items() if value is not None}


def at_best_epoch(history: pd.DataFrame, seeds: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of each seed's best epoch, as columns of the history."""
    at_best = history.merge(seeds[["seed", "best_epoch"]], left_on=["seed", "epoch"], right_on=["seed", "best_epoch"])
    return at_best[[name for name in history.columns if name.startswith(("train_", "validation_"))]]


def _with_spread(name: str, mean: float | None, values: pd.Series) -> dict[str, float | None]:
    return {name: mean, f"{name}_sd": scores.spread(values)}
