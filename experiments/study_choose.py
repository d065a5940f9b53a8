"""What a study concludes before it looks at the test set: what to recommend, and what the search's winner is worth."""

from typing import Any

import numpy as np

from experiments import study_record as record
from experiments.study_scores import Scored, best, chosen, judged, metrics
from pipeline import scores
from pipeline.learning_curve import what_twice_the_data_brings

# Which arms may be recommended, by section and group.
CANDIDATES = {"remedies": ("single", "together"), "winner": ("winner",)}


def chosen_remedy(remedies: list[Scored]) -> Scored | None:
    """The remedy, alone or all together, with the lowest validation loss; None where there is no remedy."""
    found = [each for each in chosen(remedies) if each.arm.group in CANDIDATES["remedies"]]
    return best(found) if found else None


def recommended(sections: dict[str, list[Scored]], base: Scored) -> tuple[Scored, bool]:
    """The arm to use, and whether it helps: of the baseline and those that help, by the verdicts of their sections, the
    one with the lowest validation loss.

    Candidates are the remedies, alone and all together, against the baseline, and the search's winner, against the
    default that the search began with.
    """
    helping = []
    for section, groups in CANDIDATES.items():
        arms = sections.get(section, [])
        helps = {name for name, (_, told) in judged(arms).items() if told.verdict == "helps"}
        helping += [each for each in arms if each.arm.group in groups and each.arm.name in helps]
    found = best([base, *helping])
    return found, found is not base


def recommendation(arm: Scored, helps: bool, new_rows: dict[str, scores.Interval] | None) -> record.Recommendation:
    """The recommended arm as it stands in `study.json`."""
    return record.Recommendation(
        section=arm.arm.section,
        arm=arm.arm.name,
        helps=helps,
        settings={"model": arm.arm.model.model_dump(), "train": arm.arm.train.model_dump()},
        holdout=metrics(arm, "holdout"),
        test=metrics(arm, "test") or None,
        new_rows=new_rows,
    )


def optimism(winner: list[Scored], told: list[record.Arm], search: dict[str, Any]) -> record.Optimism | None:
    """What the search promised of its winner, and what became of it."""
    found = next((each for each in winner if each.arm.group == "winner"), None)
    if found is None:
        return None
    promised, fresh = search["best"]["values"][0], found.interval(f"holdout_{found.loss}")
    test = metrics(found, "test").get(found.loss)
    return record.Optimism(
        trial=search["best"]["trial"],
        trials=sum(search["counts"].get(state, 0) for state in ("complete", "pruned")),
        promised=promised,
        fresh=fresh,
        test=test,
        optimism_fresh=_less(fresh.mean, promised),
        optimism_test=_less(test and test.mean, promised),
        beats_default=next(arm.verdict for arm in told if arm.name == found.arm.name),
    )


def _less(score: float | None, promised: float) -> float | None:
    return None if score is None else score - promised


def overtuning(winner: list[Scored], search: dict[str, Any]) -> list[record.Incumbent] | None:
    """How the best-so-far trial's test loss went along the search (Schneider et al. 2025)."""
    if not winner:
        return None
    promised = {trial["trial"]: trial["values"][0] for trial in search["incumbents"]}
    return [
        record.Incumbent(
            trial=int(each.arm.x), promised=promised[int(each.arm.x)], test=metrics(each, "test").get(each.loss)
        )
        for each in winner
        if each.arm.group == "incumbent"
    ]


def power_laws(curve: list[Scored], groups: tuple[str, ...]) -> dict[str, record.PowerLaw]:
    """What twice the rows would bring, for the arms of each group of the learning curve."""
    laws = {}
    for group in groups:
        arms = [each for each in curve if each.arm.group == group]
        if not arms:
            continue
        sizes = np.array([each.train_rows for each in arms])
        found = what_twice_the_data_brings(
            sizes, np.stack([each.holdout for each in arms], axis=1), int(sizes.max()), arms[0].overlap
        )
        laws[group] = record.PowerLaw(**found)
    return laws
