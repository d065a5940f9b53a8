"""Sentences on what helps: more data, each remedy alone, and all of them together."""

from experiments.report.arms import compared_sizes, more_data, remedies
from experiments.report.evidence import Evidence
from experiments.report.language import _, counted
from experiments.report.numbers import clauses, listed
from experiments.report.recorded import shown


def describe(evidence: Evidence) -> list[str]:
    """Return how many remedies help, and whether all together do."""
    compared, phrases = remedies(evidence.study), evidence.phrases
    sentences = []
    if more := more_data(evidence.study):
        facts = {"sizes": compared_sizes(more), "difference": phrases.judged(more)}
        sentences.append(_("More data, {sizes}: {difference}.").format(**facts))
    single = [arm for arm in compared if arm.group == "single"]
    together = [arm for arm in compared if arm.group == "together"]
    sentences.append(
        counted(
            "Of {n} remedy tried alone, {verdicts}.",
            "Of {n} remedies tried alone, {verdicts}.",
            len(single),
            verdicts=phrases.verdicts(single),
        )
    )
    if not together:
        sentences.append(_("There is no arm with all of them, which needs two remedies at least."))
        return sentences
    rest = clauses(["", *_left_out(evidence)])
    sentences.append(
        _("All together against the baseline: {difference}{rest}.").format(
            difference=phrases.judged(together[0]), rest=rest
        )
    )
    return sentences + evidence.few_rows("remedies")


def _left_out(evidence: Evidence) -> list[str]:
    """Return what leaving out one of all remedies does, as a part of a sentence; nothing where there is nothing."""
    left_out = [arm for arm in evidence.study.section("remedies") if arm.group == "leave_one_out"]
    missed = [shown(arm.factor) for arm in left_out if arm.verdict == "hurts"]
    better = [shown(arm.factor) for arm in left_out if arm.verdict == "helps"]
    parts = [_("leaving out {remedies} hurts").format(remedies=listed(missed, "or"))] if missed else []
    parts += [_("leaving out {remedies} helps").format(remedies=listed(better, "or"))] if better else []
    if not parts and left_out and evidence.phrases.can_tell:
        parts = [_("of leaving out any one of them, {verdicts}").format(verdicts=evidence.phrases.verdicts(left_out))]
    return [listed(parts)] if parts else []
