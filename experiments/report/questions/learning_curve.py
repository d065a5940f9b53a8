"""Sentences on whether more data would help."""

from experiments.records import PowerLaw, RemedyGroup
from experiments.report.arms import is_known
from experiments.report.evidence import Evidence
from experiments.report.language import _
from experiments.report.recorded import shown


def describe(evidence: Evidence) -> list[str]:
    """Return the predicted effect of twice the rows, without and with the remedy."""
    laws = evidence.study.power_law or {}
    remedy = shown(evidence.study.chosen_remedy) if evidence.study.chosen_remedy else _("the chosen remedy")
    names: dict[RemedyGroup, str] = {"without": _("the baseline"), "with": remedy}
    sentences = [_twice(evidence, names[group], laws[group]) for group in names if group in laws]
    sentences = sentences or [_("No power law was fitted, so nothing is said of more rows.")]
    return sentences + evidence.few_rows("learning_curve")


def _twice(evidence: Evidence, name: str, law: PowerLaw) -> str:
    if law.change.mean is None:
        return _("With {arm}, the points do not determine a power law, so nothing is said of more rows.").format(
            arm=name
        )
    if not is_known(law.change):
        verdict = _("from {seeds} it cannot be told whether that helps").format(seeds=evidence.phrases.seeds)
    else:  # a power law never rises
        verdict = _("more data helps") if law.change.high < 0 else _("that may be no change")
    predicted = _(
        "With {arm}, twice the training rows ({twice:,} instead of {rows:,}) are predicted to change the {loss} by "
        "{change}: {verdict}."
    ).format(
        arm=name,
        twice=2 * law.rows,
        rows=law.rows,
        loss=evidence.phrases.on_new_rows,
        change=evidence.numbers.losses(law.change, True),
        verdict=verdict,
    )
    return f"{predicted}{_back_test(evidence, law)}"


def _back_test(evidence: Evidence, law: PowerLaw) -> str:
    if law.predicted_before is None or law.seen is None:
        return ""
    return _(
        " How far to trust it: without the largest size the law would have predicted {predicted} there; it is {seen}."
    ).format(predicted=evidence.numbers.loss_text(law.predicted_before), seen=evidence.numbers.loss_text(law.seen))
