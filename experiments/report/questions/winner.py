"""Sentences on the winner of the search."""

from experiments.records import Optimism
from experiments.report.arms import is_compared
from experiments.report.evidence import Evidence
from experiments.report.language import _
from experiments.report.numbers import clauses, listed
from experiments.report.recorded import shown


def describe(evidence: Evidence) -> list[str]:
    """Return the promised and the fresh losses of the search's winner, its verdict, and any settings at an edge."""
    optimism, numbers = evidence.study.optimism, evidence.numbers
    if optimism is None:
        return [_("The search left no winner to be judged.")]
    parts = [
        _("{loss} on {rows}").format(loss=numbers.losses(score), rows=rows)
        for score, rows in (
            (optimism.same_rows, _("the rows that the search chose by")),
            (optimism.fresh, _("rows that chose nothing")),
            (optimism.test, _("test rows")),
        )
        if score is not None
    ]
    facts = {
        "trial": optimism.trial,
        "trials": optimism.trials,
        "promised": f"{numbers.loss_text(optimism.promised)}{numbers.unit}",
    }
    promise = _("Trial {trial}, the best of {trials:,}, promised {promised}.").format(**facts)
    if parts:
        promise = _(
            "Trial {trial}, the best of {trials:,}, promised {promised}; with fresh seeds it has {losses}."
        ).format(**facts, losses=listed(parts))
    return [
        promise,
        *_cost(evidence, optimism),
        _against_default(evidence, optimism),
        *_at_edge(optimism),
        *evidence.few_rows("winner"),
    ]


def _cost(evidence: Evidence, optimism: Optimism) -> list[str]:
    """Return what the search promised too much."""
    for cost, rows in (
        (optimism.optimism_fresh, _("rows that chose nothing")),
        (optimism.optimism_test, _("test rows")),
    ):
        if cost is not None:
            message = (
                _("On {rows} that is {size} worse than promised.")
                if cost > 0
                else _("On {rows} that is {size} better than promised.")
            )
            return [message.format(rows=rows, size=evidence.numbers.loss_text(abs(cost)))]
    return []


def _against_default(evidence: Evidence, optimism: Optimism) -> str:
    if optimism.judged_on == "test" and optimism.test is None:
        return _("The search chose by all rows and there are no test rows, so nothing can judge its winner.")
    arm = next((arm for arm in evidence.study.section("winner") if arm.group == "winner"), None)
    if arm and is_compared(arm):
        verdict = evidence.phrases.judged(arm)
    else:
        verdict = shown(optimism.beats_default) if optimism.beats_default else _("not compared")
    message = (
        _("Against the default that the search began with, on test rows that the search did not choose by: {verdict}.")
        if optimism.judged_on == "test"
        else _(
            "Against the default that the search began with, on holdout rows that the search did not choose by: "
            "{verdict}."
        )
    )
    return message.format(verdict=verdict)


def _at_edge(optimism: Optimism) -> list[str]:
    if not optimism.at_edge:
        return []
    edges = clauses([shown(edge) for edge in optimism.at_edge])
    return [
        _("The search found its best at the edge of its space, so better may lie beyond: {edges}.").format(edges=edges)
    ]
