"""What a study comes to: everything is chosen, then the test set is looked at, once, and the record is put together."""

from importlib.metadata import version

import pandas as pd

from experiments import records as record
from experiments.study import choices as choose
from experiments.study.arms import WITH, WITHOUT
from experiments.study.rows import Rows, knowing_nothing
from experiments.study.scored import Compared, Scored, records, seed_rows
from experiments.study.sections import Sections
from pipeline.data.examples import Split
from pipeline.data.splits import Summary, read_split
from pipeline.settings import Settings
from pipeline.statistics.intervals import Interval
from pipeline.statistics.scores import METRICS


def conclude(settings: Settings, summary: Summary, sections: Sections) -> tuple[record.Study, pd.DataFrame]:
    """Choose, look at the test set, and return the record of the study and the table of `study.csv`."""
    from experiments.study.test_scores import judged_on_test, save_champion, score_test  # with TensorFlow

    base, winner = sections.base, sections.scored.get("winner", [])
    compared = {name: Compared.of(arms) for name, arms in sections.scored.items()}
    best, by_others = choose.recommended(compared, base)
    save_champion(best, summary)
    # Everything is chosen; from here on the test set is looked at, once.
    test = read_split("test")
    tested = {_key(each): score_test(each, test) for each in (base, best, *winner)} if len(test) else {}
    if winner and tested and not winner[0].judging.any():
        compared["winner"].judged["winner"] = judged_on_test(tested["winner", "winner"], tested["winner", "default"])
    on_test = {name: _of_section({key: each.scores for key, each in tested.items()}, name) for name in sections.scored}
    return (
        record.Study(
            about=_about(settings, summary, sections.rows, sections.seeds, test),
            arms=[arm for name, each in _in_order(settings, compared) for arm in records(each, base, on_test[name])],
            **_answers(settings, sections, compared, on_test),
            recommendation=choose.recommendation(best, by_others, base, on_test[best.arm.section].get(best.arm.name)),
        ),
        seed_rows(
            (arm for _, each in _in_order(settings, compared) for arm in each.arms),
            {key: each.table for key, each in tested.items()},
        ),
    )


def _answers(
    settings: Settings,
    sections: Sections,
    compared: dict[str, Compared],
    on_test: dict[str, dict[str, dict[str, Interval]]],
) -> dict[str, object]:
    """Return the fields of the record that answer a question of their own."""
    remedies, search, winner = compared["remedies"], sections.search, sections.scored.get("winner", [])
    [at_best], remedy = remedies.choices("best_epoch"), choose.chosen_remedy(remedies)
    curve, tested = sections.scored.get("learning_curve"), on_test.get("winner", {})
    verdict = compared["winner"].judged.get("winner") if winner else None
    return {
        "overfits": choose.overfits(sections.base, at_best, remedies.judged[at_best.arm.name]),
        "chosen_remedy": remedy and remedy.arm.name,
        "power_law": choose.power_laws(curve, (WITHOUT, WITH)) if curve else None,
        "optimism": choose.optimism(winner, tested, verdict and verdict.verdict, search, settings),
        "overtuning": choose.incumbents(winner, tested, search),
    }


def _about(settings: Settings, summary: Summary, rows: Rows, seeds: list[int], test: Split) -> record.About:
    loss, metric = METRICS[summary.task]
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


def _key(each: Scored) -> tuple[str, str]:
    return each.arm.section, each.arm.name


def _of_section(scores: dict[tuple[str, str], dict[str, Interval]], section: str) -> dict[str, dict[str, Interval]]:
    return {name: each for (own, name), each in scores.items() if own == section}


def _in_order(settings: Settings, compared: dict[str, Compared]) -> list[tuple[str, Compared]]:
    return [(name, compared[name]) for name in settings.study.sections if name in compared]
