"""The results of an evaluation as values, and the files that hold them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.data.examples import Split
from pipeline.data.splits import SPLITS, SplitName, Summary
from pipeline.evaluation.recorded import STAGE, read_curves, read_evaluation, read_seed_scores
from pipeline.evaluation.scoring import actual_of, predict_split, score_seeds, summarize
from pipeline.evaluation.tables import (
    CLASS_NUMBERS,
    CLASS_TEXTS,
    classes_of,
    errors_of,
    loss_curves,
    reliability_of,
)
from pipeline.files import read_table, write_json, written_whole
from pipeline.paths import (
    CLASSES_FILE,
    CURVES_FILE,
    ERRORS_FILE,
    EVALUATION_FILE,
    LOSS_FILE,
    RELIABILITY_FILE,
    SEED_SCORES_FILE,
)
from pipeline.settings import Model
from pipeline.training.fitted import Fitted, read_history
from pipeline.training.history import DIGITS, mean_curves, rounded


@dataclass(frozen=True, eq=False)
class Results:
    """Every number of an evaluation, with the digits that its file has.

    Attributes:
        evaluation: the content of `evaluation.json`: means with their intervals by split and metric, and the gap's.
        seeds: a row per seed with its scores.
        history: of the training, a row per seed and epoch.
        curves: means over the seeds, a row per epoch.
        loss: the curves that `dvc plots` shows.
        errors: on the rows of `errors_split`.
        reliability: on the same rows; see `tables.reliability_of`.
        classes: see `tables.classes_of`.
    """

    evaluation: dict[str, Any]
    seeds: pd.DataFrame
    history: pd.DataFrame
    curves: pd.DataFrame
    loss: pd.DataFrame
    errors: pd.DataFrame
    reliability: pd.DataFrame
    classes: pd.DataFrame


def evaluate(fitted: Fitted, model: Model, summary: Summary, splits: Mapping[SplitName, Split]) -> Results:
    """Score trained seeds once on every split that has rows."""
    with_rows: dict[str, Split] = {name: split for name, split in splits.items() if len(split)}
    predicted = {name: predict_split(fitted, model, summary, split) for name, split in with_rows.items()}
    actual = {name: actual_of(split, summary) for name, split in with_rows.items()}
    weights = {name: split.weights for name, split in with_rows.items()}
    blocks = {name: split.blocks for name, split in with_rows.items()}
    seeds = score_seeds(fitted, predicted, actual, weights, summary.task)
    shown = errors_split(summary)
    of_sound_seeds = fitted.history["seed"].isin(np.array(fitted.seeds)[fitted.sound])
    return Results(
        evaluation=summarize(seeds, predicted, actual, weights, blocks, summary.task),
        seeds=rounded(seeds),
        history=fitted.history,
        curves=rounded(mean_curves(fitted.history)),
        loss=rounded(loss_curves(mean_curves(fitted.history[of_sound_seeds]), summary)),
        # Not rounded: large targets, such as times in seconds, may differ in their last digits alone.
        errors=errors_of(predicted[shown][fitted.sound], actual[shown], summary),
        reliability=rounded(reliability_of(predicted[shown][fitted.sound], actual[shown], summary)),
        classes=rounded(
            classes_of(
                {name: outputs[fitted.sound] for name, outputs in predicted.items()}, actual, weights, blocks, summary
            )
        ),
    )


def errors_split(summary: Summary) -> str:
    """Return the split whose errors are shown: the test set, or without one what comes before it."""
    return [name for name in SPLITS if summary.rows[name]][-1]


def write_results(results: Results) -> None:
    """Write the results, but for the history, which the stage train has written."""
    tables = {
        SEED_SCORES_FILE: (results.seeds, DIGITS),
        ERRORS_FILE: (results.errors, None),
        RELIABILITY_FILE: (results.reliability, DIGITS),
        CLASSES_FILE: (results.classes, DIGITS),
        CURVES_FILE: (results.curves.reset_index(), DIGITS),
        LOSS_FILE: (results.loss.reset_index(), DIGITS),
    }
    for path, (table, digits) in tables.items():
        with written_whole(path) as beside:
            table.to_csv(beside, index=False, float_format=digits)
    write_json(EVALUATION_FILE, results.evaluation)


def read_results() -> Results:
    """Read the results of an earlier run of the stage.

    Raises:
        InputError: one of them is missing or not what the stage writes.
    """
    evaluation = read_evaluation()
    return Results(
        evaluation=evaluation,
        seeds=read_seed_scores(evaluation),
        history=read_history(),
        curves=read_curves(),
        loss=read_table(STAGE, LOSS_FILE, ["epoch"]).set_index("epoch"),
        errors=read_table(STAGE, ERRORS_FILE, [], ["actual", "predicted"]),
        reliability=read_table(STAGE, RELIABILITY_FILE, ["level", "observed", "seed", "bin"]),
        classes=read_table(STAGE, CLASSES_FILE, CLASS_NUMBERS, CLASS_TEXTS, may_be_empty=True),
    )
