"""Stage study: what helps against overfitting on this data, by how much, and how sure; every arm over many seeds.

`python -m experiments.study --log-only` tells MLflow of the finished study once more, after a server was lost.
"""

import signal
import sys
import time
from importlib.metadata import version
from typing import Any

import pandas as pd

from experiments import study_choose as choose
from experiments import study_record as record
from experiments.search_space import gives_equal_budgets
from experiments.study_arms import WITH, WITHOUT
from experiments.study_data import Rows, read_rows
from experiments.study_jobs import Job, context
from experiments.study_log import log_study
from experiments.study_scores import Scored, curves, records, seed_rows
from experiments.study_sections import Sections
from experiments.study_workers import Trainings
from pipeline import scores, store
from pipeline.errors import InputError, run_stage
from pipeline.files import read_json, written_whole
from pipeline.overfitting import overfits
from pipeline.params import Settings, flat, read_settings, seed_list
from pipeline.paths import CHAMPION_FILE, RESULTS
from pipeline.splits import Summary, read_split, read_summary
from pipeline.tracking_read import test_looks

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
FIRST_FRESH_SEED = 1000  # counted seeds of other stages begin at 0, so these have been used by none


def about(settings: Settings, summary: Summary, rows: Rows, seeds: list[int]) -> record.About:
    """What is studied, as it stands in `study.json`."""
    loss, metric = scores.METRICS[summary.task]
    parts = {"train": rows.train, "val": rows.val, "holdout": rows.holdout}
    return record.About(
        **summary.model_dump(
            include={"source", "task", "target", "features", "n_features", "image_shape", "classes", "warnings"}
        ),
        loss=loss,
        score=metric,
        rows={name: part.shape[1] for name, part in parts.items()} | {"test": summary.rows["test"]},
        digest=summary.digest,
        seeds=seeds,
        resplit=rows.is_resplit,
        epochs=settings.study.epochs or settings.train.epochs,
        versions={name: version(name) for name in ("keras", "tensorflow", "scikit-learn", "optuna", "mlflow")},
    )


def look_at_test(sections: Sections, recommended: Scored, summary: Summary) -> dict[str, scores.Interval] | None:
    """Score the baseline, the recommendation and the search's trials on the test set; nothing is chosen after it.

    Returns what to expect of the recommendation on other rows of the kind, by metric; None without test rows.
    """
    from experiments.study_test import on_new_rows, save_champion, score_test  # with TensorFlow

    save_champion(recommended, summary)
    test, scale = read_split("test"), summary.target_scale or 1.0
    if not len(test):
        return None
    looked_at = {id(each): each for each in (sections.base, recommended, *sections.scored.get("winner", []))}
    score_test(list(looked_at.values()), test, summary.problem, scale)
    return on_new_rows(recommended, test, summary.problem, scale)


def conclude(settings: Settings, summary: Summary, sections: Sections) -> record.Study:
    """Choose, look at the test set, and put the record together."""
    rows, base, scored = sections.rows, sections.base, sections.scored
    recommended, helps = choose.recommended(scored, base)
    new_rows = look_at_test(sections, recommended, summary)
    told = {name: records(each, base) for name, each in scored.items()}
    remedy, curve = choose.chosen_remedy(scored["remedies"]), scored.get("learning_curve")
    baseline = overfits(base.table, rows.overlap)
    return record.Study(
        about=about(settings, summary, rows, sections.seeds),
        arms=[arm for name in settings.study.sections for arm in told.get(name, [])],
        overfits=record.Overfits(**baseline),
        chosen_remedy=remedy and remedy.arm.name,
        power_law=choose.power_laws(curve, (WITHOUT, WITH)) if curve else None,
        recommendation=choose.recommendation(recommended, helps, new_rows),
        optimism=choose.optimism(scored.get("winner", []), told.get("winner", []), sections.search),
        overtuning=choose.overtuning(scored.get("winner", []), sections.search),
        equal_budgets=gives_equal_budgets(settings),
    )


def read_search(settings: Settings) -> dict[str, Any]:
    """What the stage search found; nothing where no section asks for it.

    Raises:
        InputError: it is missing or no JSON.
    """
    if not {"optimizers", "winner"} & set(settings.study.sections):
        return {}
    return read_json(RESULTS / "search.json")


def fresh_seeds(settings: Settings) -> list[int]:
    """The study's seeds: as listed, or as many as asked for that no other stage uses."""
    seeds = settings.study.seeds
    return [FIRST_FRESH_SEED + seed for seed in seed_list(seeds)] if isinstance(seeds, int) else seeds


def study(settings: Settings, summary: Summary) -> tuple[record.Study, record.Cost, record.EqualTime | None]:
    """Train, choose, test and write the tables."""
    from experiments.study_cost import cost, equal_time

    began = time.monotonic()
    seeds, search = fresh_seeds(settings), read_search(settings)
    rows = read_rows(settings.study, seeds, summary)
    with Trainings(settings.study, seeds, context(settings.study, seeds, summary)) as trainings:
        sections = Sections(settings, rows, seeds, search, trainings)
        sections.run()
    found = conclude(settings, summary, sections)
    everything = [each for name in settings.study.sections for each in sections.scored.get(name, [])]
    write_tables(seed_rows(everything), curves(everything))
    trainings.forget_others()
    seconds = time.monotonic() - began + trainings.seconds_before()
    spent = cost(trainings.results, rows, Job.of(sections.base.arm), len(seeds), seconds)
    batches = [each for each in sections.scored.get("optimizers", []) if each.arm.group == "equal_updates"]
    return found, spent, equal_time(batches)


def write_tables(by_seed: pd.DataFrame, by_epoch: pd.DataFrame) -> None:
    """Write `study.csv` and `study_curves.csv`."""
    for path, table in {record.STUDY_SEEDS_FILE: by_seed, record.STUDY_CURVES_FILE: by_epoch}.items():
        with written_whole(path) as beside:
            table.to_csv(beside, index=False, float_format="%.7g")


def looks_at_test(settings: Settings, summary: Summary) -> record.TestLooks:
    """How often MLflow knows the test set to have been looked at, this look included."""
    if not summary.rows["test"]:
        return record.TestLooks(looks=0, settings_changed_after_a_look=False)
    known = test_looks(summary.digest["test"], flat(settings))
    return record.TestLooks(
        looks=known and known.looks + 1, settings_changed_after_a_look=bool(known and known.settings_changed)
    )


def log(settings: Settings, summary: Summary) -> None:
    """Tell MLflow of the study whose files are there, and keep the runs' ids."""
    found, run = record.read_study(), record.read_study_run()
    curves, seeds = (pd.read_csv(path) for path in (record.STUDY_CURVES_FILE, record.STUDY_SEEDS_FILE))
    parent, runs = log_study(found, run, curves, seeds, settings, summary, CHAMPION_FILE)
    record.write_study(found, run.model_copy(update={"parent_run": parent, "runs": runs}))


def interrupt(*_: object) -> None:
    """End the study; a second Ctrl-C finds it ending already."""
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def told(spent: record.Cost, arms: int) -> str:
    """What was done, in two lines."""
    return (
        f"{arms} arms: {spent.runs} trainings, {spent.seed_epochs:,} epochs, in {spent.seconds:.0f} s\n"
        f"stock Model.fit would take about {spent.model_fit_seconds:,.0f} s, "
        f"{spent.model_fit_seconds / spent.seconds:.0f} times as long ({spent.model_fit_sample})"
    )


def main() -> None:
    """Run the stage."""
    settings, summary = read_settings(), read_summary()
    if sys.argv[1:] not in ([], ["--log-only"]):
        raise InputError(f"unknown argument {sys.argv[1]!r}; the only one is --log-only")
    store.check_reachable()
    if sys.argv[1:]:
        log(settings, summary)
        print("`dvc commit study` tells DVC that this is no change")
        return
    for number in INTERRUPTS:
        signal.signal(number, interrupt)
    try:
        found, spent, timed = study(settings, summary)
    except KeyboardInterrupt:
        print("interrupted; what is trained is kept, and `dvc repro` goes on from there", file=sys.stderr)
        sys.exit(130)
    looks = looks_at_test(settings, summary)
    record.write_study(found, record.StudyRun(parent_run=None, runs={}, cost=spent, equal_time=timed, test_looks=looks))
    print(told(spent, len(found.arms)))
    log(settings, summary)


if __name__ == "__main__":
    run_stage(main)
