"""Sentences on whether a smaller or a larger network would help."""

from experiments.report.arms import by_loss, reference_of, short_name
from experiments.report.evidence import Evidence
from experiments.report.language import _, counted
from experiments.report.recorded import shown


def describe(evidence: Evidence) -> list[str]:
    """Return the other sizes that help or hurt, without and with the remedy."""
    sentences = []
    for group, name in (("without", _("Without a remedy")), ("with", _("With the chosen remedy"))):
        arms = [arm for arm in evidence.study.section("capacity") if arm.group == group]
        scored = by_loss(arms, evidence.numbers.loss)
        if not scored:
            continue
        reference = reference_of(arms)
        others = [arm for arm in arms if arm is not reference]
        configured = _(" (configured: {shape})").format(shape=short_name(reference)) if reference else ""
        shape = short_name(scored[0])
        network = _("network of {shape} units").format(shape=shape)
        if shape == shown("linear"):
            network = _("linear model")
        sentences.append(
            counted(
                "{group}, the lowest holdout loss has the {network}{configured}; of {n:,} other size, {verdicts}.",
                "{group}, the lowest holdout loss has the {network}{configured}; of {n:,} other sizes, {verdicts}.",
                len(others),
                group=name,
                network=network,
                configured=configured,
                verdicts=evidence.phrases.verdicts(others),
            )
        )
    return (sentences or [_("No size was scored.")]) + evidence.few_rows("capacity")
