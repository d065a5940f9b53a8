"""The answers that the report begins with, which follow from the recorded numbers whichever way they point."""

from experiments.records import Arm, Study
from experiments.report.arms import (
    MORE_DATA,
    NO_DIFFERENCE,
    by_difference,
    by_loss,
    compared_sizes,
    difference_of,
    full_name,
    is_known,
    kind_of,
    ranked,
    remedy_name,
    score_of,
    short_name,
    short_reference,
)
from experiments.report.language import N_, _, counted, pgettext
from experiments.report.numbers import NO_BREAK, Numbers, joined, listed, sentence, with_interval
from experiments.report.peers import Peers
from experiments.report.phrases import Answer, Phrases
from experiments.report.recorded import shown
from pipeline.choices import NewRows
from pipeline.statistics.intervals import Interval

TUNED = N_("each at the best of ten settings around Keras' defaults (ten learning rates, or five with two momenta)")
WORTH_IT = N_("Is a network worth it here?")
DEFAULTS = N_("each at Keras' defaults")


class Answers:
    """The answers of one study."""

    def __init__(self, study: Study, numbers: Numbers) -> None:
        self.study, self.numbers = study, numbers
        self.phrases, self.peers = Phrases(study, numbers), Peers(study, numbers)
        self.baseline = study.section("remedies")[0]

    def in_order(self) -> list[tuple[str, Answer]]:
        """Return each question with its answer; a model that is worth nothing comes first."""
        worthless = self.worthless()
        return [
            *([(_("Is it worth anything?"), worthless)] if worthless else []),
            *([] if self.study.peers is None else [(_(WORTH_IT), self.peers.answer())]),
            (_("Does it overfit?"), self.overfits()),
            (_("What helps most?"), self.helps_most()),
            (_("Which optimizer?"), self.optimizer()),
            (_("What to expect?"), self.expected()),
            (_("Which settings?"), self.recommended()),
        ]

    def worthless(self) -> Answer | None:
        """Return an answer if the recommended model does not beat knowing nothing; None if it does or may do so."""
        recommendation, loss = self.study.recommendation, self.numbers.loss
        if recommendation.beats_nothing is not False:
            return None
        return Answer(
            _("The recommended model is worth nothing"),
            _(
                ": it is not found to beat a model that knows nothing of the features. Its {loss} is {of_model}, and "
                "knowing nothing gives {of_nothing} (difference {difference})."
            ).format(
                loss=self.phrases.on_new_rows,
                of_model=self.numbers.losses(recommendation.holdout.get(loss)),
                of_nothing=self.numbers.loss_text(self.phrases.nothing(loss)),
                difference=self.numbers.losses(recommendation.over_nothing, True),
            ),
        )

    def overfits(self) -> Answer:
        """Return whether the baseline does better on the rows it was trained on than on new ones."""
        overfits, gap = self.study.overfits, self.study.overfits.gap.get(self.numbers.loss)
        scores = self._trained_and_new()
        if scores is None:
            return Answer(_("It cannot be told"), _(": no seed was scored."))
        if overfits.answer is None or not is_known(gap):
            detail = _(" from {seeds}: {scores}.").format(seeds=self.phrases.seeds, scores=scores)
            return Answer(_("It cannot be told"), detail)
        if overfits.answer:
            return Answer(pgettext("overfits", "Yes"), _(": {scores}.").format(scores=scores))
        facts = {"scores": scores, "loss": self.numbers.loss_name, "gap": self.numbers.losses(gap, True)}
        if gap.high < 0:
            better = _(": {scores}. The gap in {loss} is {gap}, so it does better on new rows.")
            return Answer(pgettext("overfits", "No"), better.format(**facts))
        no_gap = _(": {scores}. The gap in {loss} is {gap}, which may be none.")
        return Answer(pgettext("overfits", "Not detectably"), no_gap.format(**facts))

    def _trained_and_new(self) -> str | None:
        """Return loss and score on the training rows and on new ones, with what knowing nothing gives."""
        numbers, phrases = self.numbers, self.phrases
        loss_train, loss_new = (score_of(self.baseline, split, numbers.loss) for split in ("train", "holdout"))
        score_train, score_new = (score_of(self.baseline, split, numbers.score) for split in ("train", "holdout"))
        if loss_new.mean is None:
            return None
        facts = {
            "loss": numbers.loss_name,
            "score": numbers.score_name,
            "loss_trained": numbers.loss_text(loss_train.mean),
            "loss_new": numbers.losses(loss_new),
            "loss_nothing": numbers.loss_text(phrases.nothing(numbers.loss)),
            "trained": numbers.scores(score_train).partition(" ")[0],
            "new": numbers.scores(score_new),
        }
        if numbers.score == "accuracy":
            return _(
                "{trained} of the rows it was trained on are right, {new} of new ones; {loss} {loss_trained} and "
                "{loss_new} (knowing nothing: {chance} right; {loss} {loss_nothing})"
            ).format(**facts, chance=f"{numbers.score_text(phrases.nothing(numbers.score))}{NO_BREAK}%")
        return _(
            "on the rows it was trained on and on new ones, {loss} {loss_trained} and {loss_new}; {score} {trained} "
            "and {new} (knowing nothing: {loss} {loss_nothing})"
        ).format(**facts)

    def helps_most(self) -> Answer:
        """Return the remedy that lowers the loss on new rows most: more data, less complexity or regularization."""
        arms, phrases = ranked(self.study), self.phrases
        if not arms:
            return Answer(_("Not studied"), _(": no remedy was compared with the baseline."))
        best, helping = arms[0], [arm for arm in arms if arm.verdict == "helps"]
        if not phrases.can_tell:
            detail = _(" from {seeds}; the lowest mean loss is that of {arm}, {difference}.").format(
                seeds=phrases.seeds, arm=remedy_name(best), difference=phrases.judged(best)
            )
            return Answer(_("It cannot be told"), detail)
        if not helping:
            compared = counted(
                ": of {n:,} arm compared, {verdicts}.",
                ": of {n:,} arms compared, {verdicts}.",
                len(arms),
                verdicts=phrases.verdicts(arms, remedy_name, most=3),
            )
            lead = _("Nothing") if all(arm.verdict == "hurts" for arm in arms) else _("Nothing detectably")
            return Answer(lead, f"{compared}{self._leading(arms)}")
        best, rest = helping[0], [arm for arm in arms if arm is not helping[0]]
        others = ""
        if rest:
            others = counted(
                " Of the other remedy, {verdicts}.",
                " Of {n} other remedies, {verdicts}.",
                len(rest),
                verdicts=phrases.verdicts(rest, remedy_name, most=3),
            )
        is_data = kind_of(best) == MORE_DATA
        lead = sentence(_(MORE_DATA) if is_data else full_name(best))
        sizes = compared_sizes(best) if is_data else ""
        lowers = _("{sizes} lowers the {loss} {by}.").format(
            sizes=_(" ({sizes})").format(sizes=sizes) if sizes else "",
            loss=phrases.on_new_rows,
            by=f"{phrases.lower(best)}{phrases.collapsed(best)}",
        )
        return Answer(lead, f"{lowers}{others}{self._leading(rest)}")

    def _leading(self, arms: list[Arm]) -> str:
        """Return a sentence on the largest fall that was not detected, and what would detect it."""
        arm = leading(arms)
        if arm is None:
            return ""
        facts = {"arm": remedy_name(arm), "difference": self.phrases.judged(arm)}
        if would_find := self.phrases.would_find(arm):
            fall = _(" The largest fall among these is that of {arm}, {difference}; {would_find}.")
            return fall.format(**facts, would_find=would_find)
        return _(" The largest fall among these is that of {arm}, {difference}.").format(**facts)

    def optimizer(self) -> Answer:
        """Return the optimizer to use."""
        arms, how = self.optimizers()
        scored, phrases = by_loss(arms, self.numbers.loss), self.phrases
        if not arms:
            return Answer(_("Not studied"), _(": the study has no arms with other optimizers."))
        if not scored:
            return Answer(_("It cannot be told"), _(": no seed was scored."))
        configured = self.baseline.settings["train"]["optimizer"]
        reference = next((arm for arm in arms if short_name(arm) == configured), None)
        helping = [arm for arm in scored if arm.verdict == "helps"]
        if helping:
            best, rest = helping[0], [short_name(arm) for arm in helping[1:]]
            against = short_reference(best)
            also = _(" Better than {arm} too: {others}.").format(arm=against, others=joined(rest)) if rest else ""
            lowers = _(", {how}: its {loss} is lower than that of {arm} {by}.").format(
                how=how, loss=phrases.on_new_rows, arm=against, by=phrases.lower(best)
            )
            return Answer(sentence(short_name(best)), f"{lowers}{also}")
        lowest = short_name(scored[0])
        if reference is None:
            detail = _(
                " has the lowest holdout loss of {n}, {how}; the configured optimizer is not among them, so there is "
                "no verdict."
            ).format(n=len(arms), how=how)
            return Answer(sentence(lowest), detail)
        if not phrases.can_tell:
            detail = _(" from {seeds}; {optimizer} has the lowest holdout loss, {how}.").format(
                seeds=phrases.seeds, optimizer=lowest, how=how
            )
            return Answer(_("It cannot be told"), detail)
        keep, others = _("Keep {optimizer}").format(optimizer=configured), [arm for arm in arms if arm is not reference]
        if not others:
            return Answer(keep, _(": no other was tried."))
        detail = counted(
            ": of {n:,} other, {how}, {verdicts}.",
            ": of {n:,} others, {how}, {verdicts}.",
            len(others),
            how=how,
            verdicts=phrases.verdicts(others, most=3),
        )
        return Answer(keep, detail)

    def optimizers(self) -> tuple[list[Arm], str]:
        """Return the arms of the optimizers that are compared with each other, and a text on how each was set."""
        arms = [arm for arm in self.study.section("optimizers") if arm.chosen]
        tuned = [arm for arm in arms if arm.group == "tuned"]
        if tuned:
            return tuned, _(TUNED)
        return [arm for arm in arms if arm.group == "defaults"], _(DEFAULTS)

    def expected(self) -> Answer:
        """Return the scores of the recommended model on new rows, with those of knowing nothing."""
        recommendation, about, numbers = self.study.recommendation, self.study.about, self.numbers
        split: NewRows = "test" if recommendation.test else "holdout"
        scores, ensemble = recommendation.test or recommendation.holdout, self.study.ensemble
        if split == "test":
            rows = _("{n:,} test rows, with intervals for other seeds and other rows of the kind")
            rows = rows.format(n=about.rows.get("test", 0))
        else:
            rows = _("the {n:,} rows held out in turn, since there are no test rows").format(n=about.rows["pool"])
        if ensemble and ensemble.serves and ensemble.test:
            loss_alone, scores = numbers.losses(scores.get(numbers.loss)), ensemble.test
            detail = _(
                ", by {members} seeds that predict together, on {rows}; one of them alone has {loss}. Knowing nothing "
                "gives {nothing}."
            ).format(members=ensemble.members, rows=rows, loss=loss_alone, nothing=self._of_nothing(split))
        else:
            detail = _(", means over {seeds} on {rows}. Knowing nothing gives {nothing}.").format(
                seeds=self.phrases.seeds, rows=rows, nothing=self._of_nothing(split)
            )
        lead = sentence(f"{numbers.score_name} {numbers.scores(scores.get(numbers.score))}")
        loss = _(" and {loss}").format(loss=f"{numbers.loss_name} {numbers.losses(scores.get(numbers.loss))}")
        return Answer(lead, f"{loss}{detail}{self._no_more_often_right(scores, split)}")

    def _of_nothing(self, split: NewRows) -> str:
        """Return the score and the loss of knowing nothing."""
        numbers, phrases = self.numbers, self.phrases
        loss = f"{numbers.loss_name} {numbers.loss_text(phrases.nothing(numbers.loss, split))}"
        if (chance := phrases.nothing(numbers.score, split)) is None:
            return loss
        percent_sign = f"{NO_BREAK}%" if numbers.score == "accuracy" else ""
        return listed([f"{numbers.score_name} {numbers.score_text(chance)}{percent_sign}", loss])

    def _no_more_often_right(self, scores: dict[str, Interval], split: NewRows) -> str:
        """Return a sentence if the model is not found to beat the accuracy of always saying the most frequent class."""
        score, chance = scores.get(self.numbers.score), self.phrases.nothing(self.numbers.score, split)
        if self.numbers.score != "accuracy" or not is_known(score) or chance is None or score.low > chance:
            return ""
        never = _(" So it is not found to be right more often than always saying the most frequent class.")
        return f"{never}{self._balanced_accuracy()}"

    def _balanced_accuracy(self) -> str:
        """Return a sentence on the balanced accuracy, which tells more where one class is much more frequent."""
        further, threshold = self.study.further, self.study.threshold
        if further is None:
            return ""
        balanced, chance = further.holdout["balanced_accuracy"], further.knowing_nothing["balanced_accuracy"]
        facts = {"balanced": with_interval(balanced, 3), "chance": f"{chance:.3f}"}
        if threshold is not None and threshold.helps:
            return _(
                " Its balanced accuracy on new rows is {balanced} (knowing nothing: {chance}), and {then} if {label} "
                "is said from a probability of {threshold:.2f} on."
            ).format(
                **facts,
                then=with_interval(threshold.balanced_accuracy, 3),
                label=threshold.of,
                threshold=threshold.threshold,
            )
        return _(" Its balanced accuracy on new rows is {balanced} (knowing nothing: {chance}).").format(**facts)

    def recommended(self) -> Answer:
        """Return where the settings to use come from: an arm that helps, or the baseline."""
        recommendation = self.study.recommendation
        if not recommendation.helps and not self.phrases.can_tell:
            detail = _(", since {seeds} cannot tell what helps; here below.").format(seeds=self.phrases.seeds)
            return Answer(_("The baseline's"), detail)
        if not recommendation.helps:
            return Answer(_("The baseline's"), _(", since no remedy helps detectably; here below."))
        lead = _("Those of “{arm}” of the search") if recommendation.section == "winner" else _("Those of “{arm}”")
        rest = _(", of the lowest holdout loss among the arms that help; here below.")
        return Answer(lead.format(arm=shown(recommendation.arm)), rest)


def leading(arms: list[Arm]) -> Arm | None:
    """Return the arm of no detectable difference whose loss falls most; None where none falls."""
    undetected = [arm for arm in arms if arm.verdict == NO_DIFFERENCE]
    return next((arm for arm in by_difference(undetected) if (difference_of(arm).mean or 0) < 0), None)
