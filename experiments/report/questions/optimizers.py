"""Sentences on the optimizer to use, and on the batch size."""

from experiments.records import Arm
from experiments.report.arms import method, reference_of, score_of, short_name
from experiments.report.evidence import Evidence
from experiments.report.language import N_, _
from experiments.report.numbers import listed
from experiments.report.recorded import shown

# Gradient descent, mini-batches and single examples are compared after equally many of each of these.
BUDGETS = {"epochs": N_("epochs"), "updates": N_("updates"), "time": N_("time")}


def describe(evidence: Evidence) -> list[str]:
    """Return the optimizer to use, and the effect of the batch size."""
    lead, detail = evidence.answers.optimizer()
    arms = evidence.study.section("optimizers")
    sentences = [lead + detail, *_at_defaults(evidence, arms)]
    if {"adam", "adamw"} & {short_name(arm) for arm in arms if arm.group in ("defaults", "tuned")}:
        sentences.append(_("With every regularizer off AdamW decays no weights and is Adam, so the two are one arm."))
    lowest: dict[str, list[str]] = {}
    for name, budget in _lowest_batches(evidence):
        lowest.setdefault(name, []).append(_(BUDGETS[budget]))
    parts = [
        _("{method} after equal {budgets}").format(method=shown(name), budgets=listed(budgets))
        for name, budgets in lowest.items()
    ]
    if parts:
        sentences.append(
            _(
                "Of gradient descent, mini-batches and single examples, the lowest mean loss is that of {methods}."
            ).format(methods=listed(parts))
        )
    return sentences + evidence.few_rows("optimizers")


def _at_defaults(evidence: Evidence, arms: list[Arm]) -> list[str]:
    """Return the verdicts at Keras' defaults, where the first sentence is about the tuned optimizers."""
    if not any(arm.group == "tuned" for arm in arms):
        return []
    defaults = [arm for arm in arms if arm.group == "defaults"]
    reference, others = reference_of(defaults), [arm for arm in defaults if arm.reference is not None]
    if reference is None or not others:
        return []
    return [
        _("At Keras' defaults, compared with {arm}: of {n}, {verdicts}.").format(
            arm=short_name(reference), n=len(others), verdicts=evidence.phrases.verdicts(others)
        )
    ]


def _lowest_batches(evidence: Evidence) -> list[tuple[str, str]]:
    losses: dict[str, dict[str, float | None]] = {}
    for group, budget in (("equal_epochs", "epochs"), ("equal_updates", "updates")):
        arms = [arm for arm in evidence.study.section("optimizers") if arm.group == group and arm.chosen]
        losses[budget] = {method(arm): score_of(arm, "holdout", evidence.numbers.loss).mean for arm in arms}
    if evidence.run.equal_time:
        losses["time"] = {name: loss.mean for name, loss in evidence.run.equal_time.losses.items()}
    lowest = [(_lowest(by_method), budget) for budget, by_method in losses.items()]
    return [(name, budget) for name, budget in lowest if name is not None]


def _lowest(losses: dict[str, float | None]) -> str | None:
    known = {name: loss for name, loss in losses.items() if loss is not None}
    return min(known, key=known.__getitem__, default=None)
