"""The end of a study: everything is chosen, then the test set is looked at, once, and the record is put together."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import pandas as pd

from experiments import records as record
from experiments.study import choices as choose
from experiments.study.arm_records import records
from experiments.study.arms import WITH, WITHOUT
from experiments.study.compared import Compared
from experiments.study.held_out import HeldOut
from experiments.study.on_test_set import Tested, judged_on_test, outputs_on_test, score_outputs, score_test
from experiments.study.peers import fit_peer
from experiments.study.recommended_model import look_into
from experiments.study.rows import knowing_nothing
from experiments.study.scored import Scored
from experiments.study.sections import Sections
from experiments.study.tables import Tables, curves, seed_rows
from experiments.study.worth import ScoredPeer, peer_records
from pipeline.data.examples import Split
from pipeline.data.splits import Summary
from pipeline.progress import Bar
from pipeline.settings import ArmSection
from pipeline.statistics.intervals import Interval

BySection = Mapping[ArmSection, Compared]
ByArm = Mapping[tuple[str, str], Tested]  # by section and name


class Conclusions(NamedTuple):
    """The conclusions of a study; `seconds` are those of `record.StudyRun`."""

    study: record.Study
    tables: Tables
    recommended: Scored
    seconds: dict[str, float]


def conclude(
    sections: Sections,
    compared: BySection,
    summary: Summary,
    preprocessing: Mapping[str, Any],
    read_test: Callable[[], Split],
) -> Conclusions:
    """Choose, look at the test set, and conclude."""
    base = compared["remedies"].arms[0]
    recommended, by_others = choose.recommended(compared, base)
    by_other_scores = choose.by_other_scores(compared, choose.candidates(compared, base), by_others)
    # Everything is chosen; from here on the test set is looked at, once.
    test = read_test()
    of_search = compared["winner"].arms if "winner" in compared else []
    looked_at = {_key(arm): arm for arm in (base, recommended, *of_search)}
    outputs = {key: outputs_on_test(arm, test) for key, arm in looked_at.items()}
    tested = {key: score_test(arm, outputs[key], test) for key, arm in looked_at.items()} if len(test) else {}
    compared = with_winner_on_test(compared, tested)
    model = look_into(recommended, preprocessing, summary.classes, test, outputs[_key(recommended)])
    peers = _peers(sections, by_others, test)
    remedies, curve, winner = compared["remedies"], compared.get("learning_curve"), compared.get("winner")
    remedy = choose.chosen_remedy(remedies)
    on_test = {name: _scores_of_section(tested, name) for name in compared}
    in_order = [name for name in sections.settings.study.sections if name != "peers" and name in compared]
    study = record.Study(
        about=_about(sections, summary, test),
        arms=[arm for name in in_order for arm in records(compared[name], base, on_test[name])],
        **model.about,
        peers=None if peers is None else peer_records(peers, model.beside(by_others)),
        recommendation=choose.recommendation(
            recommended, by_others, base, on_test[recommended.section].get(recommended.name)
        ),
        by_other_scores=by_other_scores,
        overfits=choose.overfits(remedies),
        chosen_remedy=remedy.name if remedy else None,
        power_law=choose.power_laws(curve, (WITHOUT, WITH)) if curve else None,
        optimism=choose.optimism(winner, on_test.get("winner", {}), sections.search, sections.settings),
        overtuning=choose.incumbents(winner, on_test.get("winner", {}), sections.search),
    )
    by_seed = seed_rows(
        (arm for name in in_order for arm in compared[name].arms), {key: arm.table for key, arm in tested.items()}
    )
    by_seed = pd.concat([by_seed, *(peer.seed_rows(sections.seeds) for peer in peers or [])], ignore_index=True)
    tables = Tables(by_seed, curves(arm for section in compared.values() for arm in section.arms))
    return Conclusions(study, tables, recommended, _seconds(compared, peers or []))


def _seconds(compared: BySection, peers: Iterable[ScoredPeer]) -> dict[str, float]:
    arms = {f"{arm.section}/{arm.name}": arm.result.seconds for section in compared.values() for arm in section.arms}
    return arms | {f"peers/{peer.name}": peer.outputs.seconds for peer in peers}


def _peers(sections: Sections, network: HeldOut, test: Split) -> list[ScoredPeer] | None:
    """Train and score the peers of the recommended network; None where the study does not ask for them."""
    study, rows = sections.settings.study, sections.rows
    if "peers" not in study.sections:
        return None
    outputs = []
    with Bar("peers", len(study.peers), sections.trainings.console) as bar:
        for number, peer in enumerate(study.peers, start=1):
            outputs.append(fit_peer(peer, rows, sections.seeds, test.x))
            bar.show(number, "", partial("peers: {} of {}".format, number, len(study.peers)))
    nothing = rows.knowing_nothing()[:, None]
    return [
        ScoredPeer.of(peer, rows, network.judging, score_outputs(rows, peer.test, nothing, test) if len(test) else None)
        for peer in outputs
    ]


def with_winner_on_test(compared: BySection, tested: ByArm) -> BySection:
    """Return the sections with the search's winner judged on the test set where no other row is left to judge it."""
    if "winner" not in compared or not tested or compared["winner"].arms[0].judging.any():
        return compared
    comparison = judged_on_test(tested["winner", "winner"], tested["winner", "default"])
    return {**compared, "winner": compared["winner"].with_judged("winner", comparison)}


def _about(sections: Sections, summary: Summary, test: Split) -> record.About:
    settings, rows = sections.settings, sections.rows
    return record.About(
        **summary.model_dump(
            include={"source", "task", "target", "features", "n_features", "image_shape", "classes", "digest"}
            | {"weight", "time"}
        ),
        loss="cross_entropy" if summary.problem.is_classification else "rmse",
        score="accuracy" if summary.problem.is_classification else "r2",
        rows={"train": rows.train.shape[1], "pool": len(rows.y), "test": summary.rows["test"]},
        folds=rows.ring.seeds_per_ring,
        rings=len(rows.ring.fold),
        knowing_nothing=knowing_nothing(rows, test),
        seeds=sections.seeds,
        epochs=settings.study.epochs or settings.train.epochs,
        versions=dict(_versions()),
        warnings=summary.warnings,
    )


def _versions() -> Iterator[tuple[str, str]]:
    for name in ("keras", "tensorflow", "scikit-learn", "optuna", "mlflow"):
        with suppress(PackageNotFoundError):  # a study from Python needs neither Optuna nor MLflow
            yield name, version(name)


def _key(arm: Scored) -> tuple[str, str]:
    return arm.section, arm.name


def _scores_of_section(tested: ByArm, section: ArmSection) -> dict[str, dict[str, Interval]]:
    return {name: arm.scores for (of_section, name), arm in tested.items() if of_section == section}
