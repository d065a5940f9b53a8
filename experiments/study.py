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
from experiments.study_arms import WITH, WITHOUT
from experiments.study_cost import cost, equal_time
from experiments.study_data import Rows, knowing_nothing, read_rows
from experiments.study_jobs import context
from experiments.study_log import log_study
from experiments.study_scores import curves, judged, records, seed_rows
from experiments.study_sections import Sections
from experiments.study_workers import Trainings
from pipeline import store
from pipeline.errors import InputError, run_stage
from pipeline.examples import Split
from pipeline.files import read_json, written_whole
from pipeline.params import Settings, flat, read_settings, seed_list
from pipeline.paths import CHAMPION_FILE, RESULTS
from pipeline.scores import METRICS
from pipeline.splits import Summary, read_split, read_summary
from pipeline.tracking_read import test_looks

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
FIRST_FRESH_SEED = 1000  # counted seeds of other stages begin at 0, so these have been used by none


def about(settings: Settings, summary: Summary, rows: Rows, seeds: list[int], test: Split) -> record.About:
    """Return what is studied, as it stands in `study.json`."""
    task = summary.task
    loss, metric = METRICS[task]
    return record.About(
        **summary.model_dump(
            include={"source", "task", "target", "features", "n_features", "image_shape", "classes", "warnings"}
        ),
        loss=loss,
        score=metric,
        rows={"train": rows.train.shape[1], "pool": len(rows.y), "test": summary.rows["test"]},
        folds=rows.ring.folds,
        rings=len(rows.ring.fold),
        knowing_nothing=knowing_nothing(rows, test),
        digest=summary.digest,
        seeds=seeds,
        epochs=settings.study.epochs or settings.train.epochs,
        versions={name: version(name) for name in ("keras", "tensorflow", "scikit-learn", "optuna", "mlflow")},
    )


def conclude(settings: Settings, summary: Summary, sections: Sections) -> tuple[record.Study, pd.DataFrame]:
    """Choose, look at the test set, and put the record together; also the table of `study.csv`."""
    from experiments.study_test import judged_on_test, save_champion, score_test  # with TensorFlow

    rows, base, scored, search = sections.rows, sections.base, sections.scored, sections.search
    verdicts = {name: judged(choose.chosen(each)) for name, each in scored.items()}
    best, by_others = choose.recommended(scored, base, verdicts)
    save_champion(best, summary)
    # Everything is chosen; from here on the test set is looked at, once.
    test, winner = read_split("test"), scored.get("winner", [])
    looked_at = {(each.arm.section, each.arm.name): each for each in (base, best, *winner)} if len(test) else {}
    tested = {key: score_test(each, test) for key, each in looked_at.items()}
    if winner and not winner[0].judging.any() and tested:
        verdicts["winner"] = {"winner": judged_on_test(tested["winner", "winner"], tested["winner", "default"])}
    on_test_rows = {key: each.scores for key, each in tested.items()}
    of_winner = {name: each for (section, name), each in on_test_rows.items() if section == "winner"}
    winner_verdict = verdicts.get("winner", {}).get("winner")
    curve, remedy = scored.get("learning_curve"), choose.chosen_remedy(scored["remedies"])
    at_best = next(each for each in scored["remedies"] if each.arm.group == "best_epoch")
    arms = [
        arm
        for name in settings.study.sections
        for arm in records(
            scored.get(name, []),
            base,
            {arm: each for (section, arm), each in on_test_rows.items() if section == name},
            verdicts.get(name, {}),
        )
    ]
    study = record.Study(
        about=about(settings, summary, rows, sections.seeds, test),
        arms=arms,
        overfits=choose.overfits(base, at_best, verdicts["remedies"][at_best.arm.name]),
        chosen_remedy=remedy and remedy.arm.name,
        power_law=choose.power_laws(curve, (WITHOUT, WITH)) if curve else None,
        recommendation=choose.recommendation(
            best, by_others, base, on_test_rows.get((best.arm.section, best.arm.name))
        ),
        optimism=choose.optimism(winner, of_winner, winner_verdict and winner_verdict.verdict, search, settings),
        overtuning=choose.incumbents(winner, of_winner, search),
    )
    everything = [each for name in settings.study.sections for each in scored.get(name, [])]
    return study, seed_rows(everything, {key: each.table for key, each in tested.items()})


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
    began = time.monotonic()
    seeds, search = fresh_seeds(settings), read_search(settings)
    rows = read_rows(seeds, summary, cross_validated_search=bool(search.get("folds")))
    with Trainings(settings.study, seeds, context(seeds, summary)) as trainings:
        sections = Sections(settings, rows, seeds, search, trainings)
        sections.run()
    result, by_seed = conclude(settings, summary, sections)
    write_tables(by_seed, curves(each for of_section in sections.scored.values() for each in of_section))
    trainings.forget_others()
    seconds = time.monotonic() - began + trainings.seconds_before()
    batches = [each for each in sections.scored.get("optimizers", []) if each.arm.group == "equal_updates"]
    return result, cost(trainings.results, len(seeds), seconds), equal_time(batches)


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
    """Return what was done, in a line."""
    return f"{arms} arms: {spent.runs} trainings, {spent.seed_epochs:,} epochs, in {spent.seconds:.0f} s"


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
