"""Sentences on the activation and the loss to use."""

from typing import NamedTuple

from experiments.report.arms import reference_of, short_name
from experiments.report.evidence import Evidence
from experiments.report.language import N_, _
from experiments.report.numbers import sentence


class Choices(NamedTuple):
    """The messages on activations, or on losses: no other was tried, one was, and several were."""

    no_other: str
    one: str
    several: str


ACTIVATIONS = Choices(
    N_("No other activation than {arm} was tried."),
    N_("{Arm} in place of {arm} as the activation: {difference}."),
    N_("Of {n} other activations, compared with {arm}, {verdicts}."),
)
LOSSES = Choices(
    N_("No other loss than {arm} was tried."),
    N_("{Arm} in place of {arm} as the loss: {difference}."),
    N_("Of {n} other losses, compared with {arm}, {verdicts}."),
)


def describe(evidence: Evidence) -> list[str]:
    """Return the verdicts on other activations and losses than the configured ones."""
    return [
        *_choices(evidence, "activation", ACTIVATIONS),
        *_choices(evidence, "loss", LOSSES),
        *evidence.few_rows("activations"),
    ]


def _choices(evidence: Evidence, group: str, messages: Choices) -> list[str]:
    arms = [arm for arm in evidence.study.section("activations") if arm.group == group]
    reference = reference_of(arms)
    others = [arm for arm in arms if arm is not reference]
    if reference is None:
        return [_(messages.no_other).format(arm=short_name(arm)) for arm in arms[:1]]
    against = short_name(reference)
    if len(others) == 1:
        [other] = others
        facts = {"Arm": sentence(short_name(other)), "arm": against, "difference": evidence.phrases.judged(other)}
        return [_(messages.one).format(**facts)]
    verdicts = evidence.phrases.verdicts(others)
    return [_(messages.several).format(n=len(others), arm=against, verdicts=verdicts)]
