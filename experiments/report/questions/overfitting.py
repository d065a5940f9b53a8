"""Sentences on whether the baseline overfits: the gap, the rise, and the kind of error that grows."""

from experiments.report.arms import difference_of, full_name, is_known, score_of
from experiments.report.evidence import Evidence, best_remedy
from experiments.report.language import _
from experiments.report.numbers import NO_BREAK, epoch


def describe(evidence: Evidence) -> list[str]:
    """Return sentences on the gap, the rise, the kind of error that grows and the share of the gap closed."""
    lead, detail = evidence.answers.overfits()
    sentences = [lead + detail]
    if score_of(evidence.baseline, "holdout", evidence.numbers.loss).mean is not None:
        sentences += [_rise(evidence), _confidence(evidence), _closed(evidence)]
    return list(filter(None, sentences))


def _rise(evidence: Evidence) -> str:
    overfits, name = evidence.study.overfits, evidence.phrases.on_new_rows
    rise, size = overfits.rise, evidence.numbers.losses(overfits.rise, True)
    change = _("from its best epoch to its last, the {loss} changes by {size}").format(loss=name, size=size)
    if not is_known(rise):
        return _("Whether training on makes new rows worse cannot be told from {seeds}: {change}.").format(
            seeds=evidence.phrases.seeds, change=change
        )
    if overfits.rises and overfits.onset_epoch is None:
        return _("Training on makes new rows worse: {change}.").format(change=change)
    if overfits.rises:
        return _("Training on makes new rows worse since epoch {onset}{onset_range}: {change}.").format(
            onset=epoch(overfits.onset_epoch), onset_range=_onset_range(evidence), change=change
        )
    if rise.low > 0:
        return _(
            "Training on to the end is unsteady rather than too long: {change}, but so does the training loss, by "
            "{train_rise}."
        ).format(change=change, train_rise=evidence.numbers.loss_text(overfits.train_rise, True))
    if rise.high < 0:
        return _("Training on makes new rows no worse but better: {change}.").format(change=change)
    return _("Training on does not detectably make new rows worse: {change}{detectable}.").format(
        change=change, detectable=_detectable_rise(evidence)
    )


def _detectable_rise(evidence: Evidence) -> str:
    arms = [arm for arm in evidence.study.section("remedies") if arm.group == "best_epoch"]
    sizes = [arm.detectable for arm in arms if arm.detectable is not None]
    if not sizes:
        return ""
    return _(" (a rise of {size} would have been found in four of five such studies)").format(
        size=evidence.numbers.loss_text(sizes[0])
    )


def _onset_range(evidence: Evidence) -> str:
    onsets = evidence.study.overfits.onset_range
    if onsets is None or onsets[0] == onsets[1]:
        return ""
    return _(" (from {first} to {last}, by the seed)").format(first=epoch(onsets[0]), last=epoch(onsets[1]))


def _confidence(evidence: Evidence) -> str:
    """Return whether the network is only overconfident on new rows or also wrong more often."""
    overfits, numbers = evidence.study.overfits, evidence.numbers
    if numbers.score != "accuracy":
        return ""
    gap, wrong = overfits.gap[numbers.loss], overfits.gap[numbers.score]
    if not is_known(gap) or not is_known(wrong) or gap.low <= 0:
        return ""
    facts = {
        "lower": _unsigned(numbers.score_differences(wrong)),
        "loss": numbers.loss_name,
        "gap": numbers.losses(gap),
    }
    if wrong.low > 0:
        meanwhile = _(
            "On new rows it is wrong more often, not only too confident: its accuracy is lower on new rows by "
            "{lower}, while the {loss} is higher by {gap}."
        ).format(**facts)
    else:
        meanwhile = _(
            "On new rows it is too confident rather than wrong more often: its accuracy is lower on new rows by "
            "{lower}, which may be none, while the {loss} is higher by {gap}."
        ).format(**facts)
    if not is_known(overfits.score_rise):
        return meanwhile
    if not overfits.rises:
        change = _(" From the best epoch to the last, the accuracy on new rows changes by {change}.")
    elif overfits.score_rise.low > 0:
        change = _(
            " Training on makes it wrong more often too: from the best epoch to the last, the accuracy on new rows "
            "changes by {change}."
        )
    else:
        change = _(
            " Training on makes it more confident, not detectably wrong more often: the accuracy on new rows "
            "changes by {change}."
        )
    return meanwhile + change.format(change=numbers.score_differences(overfits.score_rise.negated()))


def _closed(evidence: Evidence) -> str:
    """Return the share of the gap that the best remedy closes."""
    gap, best = evidence.study.overfits.gap[evidence.numbers.loss].mean, best_remedy(evidence.study)
    if best is None or (change := difference_of(best).mean) is None or not gap or gap <= 0:
        return ""
    if change >= 0:
        return _("No remedy lowers the loss on new rows, so none closes any of the gap.")
    return _("The best remedy, {arm}, closes {share} of the gap: it changes the {loss} by {difference}.").format(
        arm=full_name(best),
        share=f"{-100 * change / gap:.0f}{NO_BREAK}%",
        loss=evidence.phrases.on_new_rows,
        difference=evidence.phrases.judged(best),
    )


def _unsigned(text: str) -> str:
    return text.removeprefix("+")
