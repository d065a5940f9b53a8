"""Stage study: what helps against overfitting on this data, by how much, and how sure; every arm over many seeds.

`python -m experiments.study --log-only` tells MLflow of the finished study once more, after a server was lost.
"""

# ruff: noqa: E402 (interrupts are told in a line from here on)
from pipeline.interrupts import listen

listen(__name__)

import sys
import time
from functools import partial
from typing import Any

from experiments import records as record
from experiments.study import searched
from experiments.study.cost import cost, equal_time
from experiments.study.jobs import context
from experiments.study.log import log_study
from experiments.study.rows import read_rows
from experiments.study.sections import Sections
from experiments.study.seeds import fresh_seeds
from experiments.study.tables import Tables
from experiments.study.trainings import Trainings
from pipeline.alone import alone
from pipeline.data.constants import read_preprocessing
from pipeline.data.splits import Summary, read_split, read_summary
from pipeline.errors import InputError, run_stage
from pipeline.files import write_json
from pipeline.params import settings_in_use
from pipeline.paths import CHAMPION_FILE, STUDY_RUN_FILE
from pipeline.settings import Settings, flat
from pipeline.tracking import store
from pipeline.tracking.read import count_test_looks
from pipeline.training.fast.process import configure


def read_search(settings: Settings) -> dict[str, Any]:
    """Return the content of `search.json`; nothing where no section asks for it.

    Raises:
        InputError: it is missing or not what the stage search writes.
    """
    return searched.read_search() if "winner" in settings.study.sections else {}


def study(settings: Settings, summary: Summary) -> tuple[record.Study, record.StudyRun, Tables]:
    """Train, choose and test; write the recommended model, and return the results.

    Raises:
        InputError: a setting that no study can have, or too few rows.
    """
    if settings.train.train_score_rows == 0:
        raise InputError("the study compares new rows with training rows: set train.train_score_rows above 0")
    began, preprocessing = time.monotonic(), read_preprocessing(summary)
    seeds, search = fresh_seeds(settings), read_search(settings)
    rows = read_rows(seeds, summary, cross_validated_search=bool(search.get("folds")))
    load = partial(read_rows, seeds, summary)
    with Trainings(settings, seeds, load, context(seeds, summary)) as trainings:
        sections = Sections(settings, rows, seeds, search, trainings)
        compared = sections.run()
    configure()
    # These import Keras, which would delay the workers' start.
    from experiments.study.conclusions import conclude
    from experiments.study.on_test_set import save_champion

    result, tables, recommended, by_arm = conclude(
        sections, compared, summary, preprocessing, partial(read_split, "test")
    )
    is_ensemble = result.ensemble is not None and result.ensemble.serves
    temperature = result.calibration.temperature if result.calibration and result.calibration.helps else None
    save_champion(recommended, summary, is_ensemble, temperature)
    trainings.forget_others()
    seconds = time.monotonic() - began + trainings.seconds_before()
    run = record.StudyRun(
        parent_run=None,
        runs={},
        cost=cost(trainings.results, len(seeds), seconds),
        seconds=by_arm,
        equal_time=equal_time(compared.get("optimizers")),
        test_looks=looks_at_test(settings, summary),
    )
    return result, run, tables


def looks_at_test(settings: Settings, summary: Summary) -> record.TestLooks:
    """Return how often MLflow knows the test set to have been looked at, this look included."""
    if not summary.rows["test"]:
        return record.TestLooks(looks=0, settings_changed_after_a_look=False)
    known = count_test_looks(summary.digest["test"], flat(settings))
    return record.TestLooks(
        looks=known.looks + 1 if known else None,
        settings_changed_after_a_look=known.settings_changed if known else False,
    )


def log(settings: Settings, summary: Summary, result: record.Study, run: record.StudyRun, tables: Tables) -> None:
    """Tell MLflow of a study whose files are written, and write down the ids of its runs."""
    parent, runs = log_study(result, run, tables, settings, summary, CHAMPION_FILE)
    write_json(STUDY_RUN_FILE, run.model_copy(update={"parent_run": parent, "runs": runs}).model_dump(mode="json"))


def in_a_line(spent: record.Cost, arms: int) -> str:
    """Return what was done, in a line."""
    return f"{arms} arms: {spent.runs:,} trainings, {spent.seed_epochs:,} epochs, in {spent.seconds:.0f} s"


def main() -> None:
    """Run the stage."""
    with alone("study"), settings_in_use("data", "model", "train", "search", "study") as settings:
        summary = read_summary()
        if sys.argv[1:] not in ([], ["--log-only"]):
            raise InputError(f"unknown argument {sys.argv[1]!r}; the only one is --log-only")
        store.check_reachable()
        if sys.argv[1:]:
            result, tables = record.read_study(), Tables.read()
            tables.check_arms(result)
            log(settings, summary, result, record.read_study_run(), tables)
            print("`dvc commit study` tells DVC that this is no change")
            return
        result, run, tables = study(settings, summary)
        # Written before anything is logged, so that a lost MLflow store loses no result.
        tables.write()
        record.write_study(result, run)
        print(in_a_line(run.cost, len(result.arms)))
        log(settings, summary, result, run, tables)


if __name__ == "__main__":
    run_stage(main)
