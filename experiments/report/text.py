"""The sentences of the report's sections, which follow from the recorded numbers whichever way they point."""

from typing import NamedTuple

from experiments.records import Arm, Influence, Optimism, PowerLaw, RemedyGroup, SectionName, Study, StudyRun
from experiments.report.answers import Answers
from experiments.report.arms import (
    DETECTED,
    by_difference,
    by_loss,
    carried_by_few,
    compared_sizes,
    difference_of,
    full_name,
    is_compared,
    is_known,
    method,
    more_data,
    ranked,
    reference_of,
    remedies,
    score_of,
    short_name,
)
from experiments.report.language import N_, _, counted
from experiments.report.numbers import NO_BREAK, Numbers, clauses, epoch, listed, sentence
from experiments.report.phrases import Phrases
from experiments.report.recorded import shown
from pipeline.statistics.intervals import Interval

# Gradient descent, mini-batches and single examples are compared after equally many of each of these.
BUDGETS = {"epochs": N_("epochs"), "updates": N_("updates"), "time": N_("time")}


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


class Text:
    """The sentences of one study."""

    def __init__(self, study: Study, run: StudyRun, numbers: Numbers) -> None:
        self.study, self.run, self.numbers = study, run, numbers
        self.answers, self.phrases = Answers(study, numbers), Phrases(study, numbers)
        self.baseline = self.answers.baseline

    def overfitting_section(self) -> list[str]:
        """Return sentences on the gap, the rise, the kind of error that grows and the share of the gap closed."""
        lead, detail = self.answers.overfits()
        sentences = [lead + detail]
        if score_of(self.baseline, "holdout", self.numbers.loss).mean is not None:
            sentences += [self._rise(), self._confidence(), self._closed()]
        return list(filter(None, sentences))

    def _rise(self) -> str:
        overfits, name = self.study.overfits, self.phrases.on_new_rows
        rise, size = overfits.rise, self.numbers.losses(overfits.rise, True)
        change = _("from its best epoch to its last, the {loss} changes by {size}").format(loss=name, size=size)
        if not is_known(rise):
            return _("Whether training on makes new rows worse cannot be told from {seeds}: {change}.").format(
                seeds=self.phrases.seeds, change=change
            )
        if overfits.rises and overfits.onset_epoch is None:
            return _("Training on makes new rows worse: {change}.").format(change=change)
        if overfits.rises:
            return _("Training on makes new rows worse since epoch {onset}{onset_range}: {change}.").format(
                onset=epoch(overfits.onset_epoch), onset_range=self._onset_range(), change=change
            )
        if rise.low > 0:
            return _(
                "Training on to the end is unsteady rather than too long: {change}, but so does the training loss, by "
                "{train_rise}."
            ).format(change=change, train_rise=self.numbers.loss_text(overfits.train_rise, True))
        if rise.high < 0:
            return _("Training on makes new rows no worse but better: {change}.").format(change=change)
        return _("Training on does not detectably make new rows worse: {change}{detectable}.").format(
            change=change, detectable=self._detectable_rise()
        )

    def _detectable_rise(self) -> str:
        arms = [arm for arm in self.study.section("remedies") if arm.group == "best_epoch"]
        sizes = [arm.detectable for arm in arms if arm.detectable is not None]
        if not sizes:
            return ""
        return _(" (a rise of {size} would have been found in four of five such studies)").format(
            size=self.numbers.loss_text(sizes[0])
        )

    def _onset_range(self) -> str:
        onsets = self.study.overfits.onset_range
        if onsets is None or onsets[0] == onsets[1]:
            return ""
        return _(" (from {first} to {last}, by the seed)").format(first=epoch(onsets[0]), last=epoch(onsets[1]))

    def _confidence(self) -> str:
        """Return whether the network is only overconfident on new rows or also wrong more often."""
        overfits, numbers = self.study.overfits, self.numbers
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

    def _closed(self) -> str:
        """Return the share of the gap that the best remedy closes."""
        gap, best = self.study.overfits.gap[self.numbers.loss].mean, _best_remedy(self.study)
        if best is None or (change := difference_of(best).mean) is None or not gap or gap <= 0:
            return ""
        if change >= 0:
            return _("No remedy lowers the loss on new rows, so none closes any of the gap.")
        return _("The best remedy, {arm}, closes {share} of the gap: it changes the {loss} by {difference}.").format(
            arm=full_name(best),
            share=f"{-100 * change / gap:.0f}{NO_BREAK}%",
            loss=self.phrases.on_new_rows,
            difference=self.phrases.judged(best),
        )

    def remedies_section(self) -> list[str]:
        """Return how many remedies help, and whether all together do."""
        compared, phrases = remedies(self.study), self.phrases
        sentences = []
        if more := more_data(self.study):
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
        rest = clauses(["", *self._left_out()])
        sentences.append(
            _("All together against the baseline: {difference}{rest}.").format(
                difference=phrases.judged(together[0]), rest=rest
            )
        )
        return sentences + self.few_rows("remedies")

    def _left_out(self) -> list[str]:
        """Return what leaving out one of all remedies does, as a part of a sentence; nothing where there is nothing."""
        left_out = [arm for arm in self.study.section("remedies") if arm.group == "leave_one_out"]
        missed = [shown(arm.factor) for arm in left_out if arm.verdict == "hurts"]
        better = [shown(arm.factor) for arm in left_out if arm.verdict == "helps"]
        parts = [_("leaving out {remedies} hurts").format(remedies=listed(missed, "or"))] if missed else []
        parts += [_("leaving out {remedies} helps").format(remedies=listed(better, "or"))] if better else []
        if not parts and left_out and self.phrases.can_tell:
            parts = [_("of leaving out any one of them, {verdicts}").format(verdicts=self.phrases.verdicts(left_out))]
        return [listed(parts)] if parts else []

    def learning_curve_section(self) -> list[str]:
        """Return the predicted effect of twice the rows, without and with the remedy."""
        laws = self.study.power_law or {}
        remedy = shown(self.study.chosen_remedy) if self.study.chosen_remedy else _("the chosen remedy")
        names: dict[RemedyGroup, str] = {"without": _("the baseline"), "with": remedy}
        sentences = [self._twice(names[group], laws[group]) for group in names if group in laws]
        sentences = sentences or [_("No power law was fitted, so nothing is said of more rows.")]
        return sentences + self.few_rows("learning_curve")

    def _twice(self, name: str, law: PowerLaw) -> str:
        if law.change.mean is None:
            return _("With {arm}, the points do not determine a power law, so nothing is said of more rows.").format(
                arm=name
            )
        if not is_known(law.change):
            verdict = _("from {seeds} it cannot be told whether that helps").format(seeds=self.phrases.seeds)
        else:  # a power law never rises
            verdict = _("more data helps") if law.change.high < 0 else _("that may be no change")
        predicted = _(
            "With {arm}, twice the training rows ({twice:,} instead of {rows:,}) are predicted to change the {loss} by "
            "{change}: {verdict}."
        ).format(
            arm=name,
            twice=2 * law.rows,
            rows=law.rows,
            loss=self.phrases.on_new_rows,
            change=self.numbers.losses(law.change, True),
            verdict=verdict,
        )
        return f"{predicted}{self._back_test(law)}"

    def _back_test(self, law: PowerLaw) -> str:
        if law.predicted_before is None or law.seen is None:
            return ""
        return _(
            " How far to trust it: without the largest size the law would have predicted {predicted} there; it is "
            "{seen}."
        ).format(predicted=self.numbers.loss_text(law.predicted_before), seen=self.numbers.loss_text(law.seen))

    def capacity_section(self) -> list[str]:
        """Return the other sizes that help or hurt, without and with the remedy."""
        sentences = []
        for group, name in (("without", _("Without a remedy")), ("with", _("With the chosen remedy"))):
            arms = [arm for arm in self.study.section("capacity") if arm.group == group]
            scored = by_loss(arms, self.numbers.loss)
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
                    verdicts=self.phrases.verdicts(others),
                )
            )
        return (sentences or [_("No size was scored.")]) + self.few_rows("capacity")

    def optimizers_section(self) -> list[str]:
        """Return the optimizer to use, and the effect of the batch size."""
        lead, detail = self.answers.optimizer()
        arms = self.study.section("optimizers")
        sentences = [lead + detail, *self._at_defaults(arms)]
        if {"adam", "adamw"} & {short_name(arm) for arm in arms if arm.group in ("defaults", "tuned")}:
            sentences.append(
                _("With every regularizer off AdamW decays no weights and is Adam, so the two are one arm.")
            )
        lowest: dict[str, list[str]] = {}
        for name, budget in self._lowest_batches():
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
        return sentences + self.few_rows("optimizers")

    def _at_defaults(self, arms: list[Arm]) -> list[str]:
        """Return the verdicts at Keras' defaults, where the first sentence is about the tuned optimizers."""
        if not any(arm.group == "tuned" for arm in arms):
            return []
        defaults = [arm for arm in arms if arm.group == "defaults"]
        reference, others = reference_of(defaults), [arm for arm in defaults if arm.reference is not None]
        if reference is None or not others:
            return []
        return [
            _("At Keras' defaults, compared with {arm}: of {n}, {verdicts}.").format(
                arm=short_name(reference), n=len(others), verdicts=self.phrases.verdicts(others)
            )
        ]

    def _lowest_batches(self) -> list[tuple[str, str]]:
        losses: dict[str, dict[str, float | None]] = {}
        for group, budget in (("equal_epochs", "epochs"), ("equal_updates", "updates")):
            arms = [arm for arm in self.study.section("optimizers") if arm.group == group and arm.chosen]
            losses[budget] = {method(arm): score_of(arm, "holdout", self.numbers.loss).mean for arm in arms}
        if self.run.equal_time:
            losses["time"] = {name: loss.mean for name, loss in self.run.equal_time.losses.items()}
        lowest = [(_lowest(by_method), budget) for budget, by_method in losses.items()]
        return [(name, budget) for name, budget in lowest if name is not None]

    def activations_section(self) -> list[str]:
        """Return the verdicts on other activations and losses than the configured ones."""
        return [
            *self._choices("activation", ACTIVATIONS),
            *self._choices("loss", LOSSES),
            *self.few_rows("activations"),
        ]

    def _choices(self, group: str, messages: Choices) -> list[str]:
        arms = [arm for arm in self.study.section("activations") if arm.group == group]
        reference = reference_of(arms)
        others = [arm for arm in arms if arm is not reference]
        if reference is None:
            return [_(messages.no_other).format(arm=short_name(arm)) for arm in arms[:1]]
        against = short_name(reference)
        if len(others) == 1:
            [other] = others
            facts = {"Arm": sentence(short_name(other)), "arm": against, "difference": self.phrases.judged(other)}
            return [_(messages.one).format(**facts)]
        verdicts = self.phrases.verdicts(others)
        return [_(messages.several).format(n=len(others), arm=against, verdicts=verdicts)]

    def memorization_section(self) -> list[str]:
        """Return the scores with true and shuffled labels, which show how far training rows are learnt by heart."""
        metric, parts = self.numbers.score, []
        for arm in self.study.section("memorization"):
            train = self.numbers.scores(Interval(score_of(arm, "train", metric).mean))
            held_out = self.numbers.scores(score_of(arm, "holdout", metric))
            parts.append(
                _("{labels}: {train} on training rows and {held_out} on holdout rows").format(
                    labels=full_name(arm), train=train, held_out=held_out
                )
            )
        nothing = self.phrases.nothing(metric)
        chance = ""
        if nothing is not None:
            chance = _(" (knowing nothing: {score})").format(score=self.numbers.scores(Interval(nothing)))
        return [
            _("{Score} with {scores}{chance}.").format(
                Score=sentence(self.numbers.score_name), scores=_("; with ").join(parts), chance=chance
            ),
            _(
                "Shuffled labels have nothing to do with the features, so what is reached on their training rows and "
                "not on new ones is memory."
            ),
        ]

    def winner_section(self) -> list[str]:
        """Return the promised and the fresh losses of the search's winner, its verdict, and any settings at an edge."""
        optimism, numbers = self.study.optimism, self.numbers
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
            *self._cost(optimism),
            self._against_default(optimism),
            *self._at_edge(optimism),
            *self.few_rows("winner"),
        ]

    def _cost(self, optimism: Optimism) -> list[str]:
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
                return [message.format(rows=rows, size=self.numbers.loss_text(abs(cost)))]
        return []

    def _against_default(self, optimism: Optimism) -> str:
        if optimism.judged_on == "test" and optimism.test is None:
            return _("The search chose by all rows and there are no test rows, so nothing can judge its winner.")
        arm = next((arm for arm in self.study.section("winner") if arm.group == "winner"), None)
        if arm and is_compared(arm):
            verdict = self.phrases.judged(arm)
        else:
            verdict = shown(optimism.beats_default) if optimism.beats_default else _("not compared")
        message = (
            _(
                "Against the default that the search began with, on test rows that the search did not choose by: "
                "{verdict}."
            )
            if optimism.judged_on == "test"
            else _(
                "Against the default that the search began with, on holdout rows that the search did not choose by: "
                "{verdict}."
            )
        )
        return message.format(verdict=verdict)

    def _at_edge(self, optimism: Optimism) -> list[str]:
        if not optimism.at_edge:
            return []
        edges = clauses([shown(edge) for edge in optimism.at_edge])
        return [
            _("The search found its best at the edge of its space, so better may lie beyond: {edges}.").format(
                edges=edges
            )
        ]

    def few_rows(self, section: SectionName) -> list[str]:
        """Return the sentence about differences that a few rows carry; an empty list if there are none."""
        arms = carried(self.study, section)
        return [self.phrases.few_rows(arms)] if arms else []


def carried(study: Study, section: SectionName) -> list[tuple[Arm, Influence]]:
    """Return the arms of a section whose difference a few rows carry, of those with a finding and the best remedy."""
    arms = study.section(section)
    if section == "remedies":
        arms = ranked(study) + [arm for arm in arms if arm.group == "leave_one_out"]
    best = _best_remedy(study)
    arms = [arm for arm in arms if arm.verdict in DETECTED or arm is best]
    return [(arm, influence) for arm in arms if (influence := carried_by_few(arm))]


def _best_remedy(study: Study) -> Arm | None:
    return next(iter(by_difference(remedies(study))), None)


def _lowest(losses: dict[str, float | None]) -> str | None:
    known = {name: loss for name, loss in losses.items() if loss is not None}
    return min(known, key=known.__getitem__, default=None)


def _unsigned(text: str) -> str:
    return text.removeprefix("+")
