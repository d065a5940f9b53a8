"""The sentences of the report's sections, which follow from the recorded numbers whichever way they point."""

from experiments.records import Arm, Influence, PowerLaw, SectionName, Study, StudyRun
from experiments.report.answers import Answers
from experiments.report.arms import (
    DETECTED,
    by_difference,
    by_loss,
    carried_by_few,
    difference_of,
    is_compared,
    is_known,
    method,
    more_data,
    ranked,
    reference_of,
    remedies,
    remedy_name,
    score_of,
    short_name,
)
from experiments.report.numbers import NO_BREAK, Numbers, count, epoch, listed, sentence
from experiments.report.phrases import FOUND_IN, Phrases
from pipeline.statistics.intervals import Interval


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
        change = f"from its best epoch to its last, the {name} changes by {size}"
        if not is_known(rise):
            return f"Whether training on makes new rows worse cannot be told from {self.phrases.seeds}: {change}."
        if overfits.rises:
            onset = overfits.onset_epoch
            since = "" if onset is None else f" since epoch {epoch(onset)}{self._onset_range()}"
            return f"Training on makes new rows worse{since}: {change}."
        if rise.low > 0:
            also = f"so does the training loss, by {self.numbers.loss_text(overfits.train_rise, True)}"
            return f"Training on to the end is unsteady rather than too long: {change}, but {also}."
        if rise.high < 0:
            return f"Training on makes new rows no worse but better: {change}."
        return f"Training on does not detectably make new rows worse: {change}{self._detectable_rise()}."

    def _detectable_rise(self) -> str:
        arms = [arm for arm in self.study.section("remedies") if arm.group == "best_epoch"]
        sizes = [arm.detectable for arm in arms if arm.detectable is not None]
        return f" (a rise of {self.numbers.loss_text(sizes[0])} {FOUND_IN})" if sizes else ""

    def _onset_range(self) -> str:
        onsets = self.study.overfits.onset_range
        if onsets is None or onsets[0] == onsets[1]:
            return ""
        return f" (from {epoch(onsets[0])} to {epoch(onsets[1])}, by the seed)"

    def _confidence(self) -> str:
        """Return whether the network is only overconfident on new rows or also wrong more often."""
        overfits, numbers = self.study.overfits, self.numbers
        if numbers.score != "accuracy":
            return ""
        gap, wrong = overfits.gap[numbers.loss], overfits.gap[numbers.score]
        if not is_known(gap) or not is_known(wrong) or gap.low <= 0:
            return ""
        lower = f"its accuracy is lower on new rows by {_unsigned(numbers.score_differences(wrong))}"
        if wrong.low > 0:
            kind = f"On new rows it is wrong more often, not only too confident: {lower}"
        else:
            kind = f"On new rows it is too confident rather than wrong more often: {lower}, which may be none"
        meanwhile = f"{kind}, while the {numbers.loss_name} is higher by {numbers.losses(gap)}."
        if not is_known(overfits.score_rise):
            return meanwhile
        change = f"the accuracy on new rows changes by {numbers.score_differences(overfits.score_rise.negated())}"
        if not overfits.rises:
            return f"{meanwhile} From the best epoch to the last, {change}."
        if overfits.score_rise.low > 0:
            return f"{meanwhile} Training on makes it wrong more often too: from the best epoch to the last, {change}."
        return f"{meanwhile} Training on makes it more confident, not detectably wrong more often: {change}."

    def _closed(self) -> str:
        """Return the share of the gap that the best remedy closes."""
        gap, best = self.study.overfits.gap[self.numbers.loss].mean, _best_remedy(self.study)
        if best is None or (change := difference_of(best).mean) is None or not gap or gap <= 0:
            return ""
        if change >= 0:
            return "No remedy lowers the loss on new rows, so none closes any of the gap."
        share = f"{-100 * change / gap:.0f}{NO_BREAK}%"
        return (
            f"The best remedy, {best.name}, closes {share} of the gap: it changes the {self.phrases.on_new_rows} by "
            f"{self.phrases.judged(best)}."
        )

    def remedies_section(self) -> list[str]:
        """Return how many remedies help, and whether all together do."""
        compared, phrases = remedies(self.study), self.phrases
        more = more_data(self.study)
        sentences = [f"More data, {remedy_name(more).partition('(')[2].rstrip(')')}: {phrases.judged(more)}."
                     ] if more else []  # fmt: skip
        single = [arm for arm in compared if arm.group == "single"]
        together = [arm for arm in compared if arm.group == "together"]
        sentences.append(f"Of {_remedies(len(single))} tried alone, {phrases.verdicts(single)}.")
        if not together:
            sentences.append("There is no arm with all of them, which needs two remedies at least.")
            return sentences
        left_out = [arm for arm in self.study.section("remedies") if arm.group == "leave_one_out"]
        missed = [arm.factor for arm in left_out if arm.verdict == "hurts"]
        better = [arm.factor for arm in left_out if arm.verdict == "helps"]
        parts = [f"leaving out {listed(missed, 'or')} hurts"] if missed else []
        parts += [f"leaving out {listed(better, 'or')} helps"] if better else []
        if not parts and left_out and phrases.can_tell:
            parts = [f"of leaving out any one of them, {phrases.verdicts(left_out)}"]
        rest = f"; {' and '.join(parts)}" if parts else ""
        sentences.append(f"All together against the baseline: {phrases.judged(together[0])}{rest}.")
        return sentences + self.few_rows("remedies")

    def learning_curve_section(self) -> list[str]:
        """Return the predicted effect of twice the rows, without and with the remedy."""
        laws = self.study.power_law or {}
        names = {"without": "the baseline", "with": self.study.chosen_remedy or "the chosen remedy"}
        sentences = [self._twice(names[group], laws[group]) for group in names if group in laws]
        sentences = sentences or ["No power law was fitted, so nothing is said of more rows."]
        return sentences + self.few_rows("learning_curve")

    def _twice(self, name: str, law: PowerLaw) -> str:
        if law.change.mean is None:
            return f"With {name}, the points do not determine a power law, so nothing is said of more rows."
        if not is_known(law.change):
            verdict = f"from {self.phrases.seeds} it cannot be told whether that helps"
        else:  # a power law never rises
            verdict = "more data helps" if law.change.high < 0 else "that may be no change"
        return (
            f"With {name}, twice the training rows ({2 * law.rows:,} instead of {law.rows:,}) are predicted to change "
            f"the {self.phrases.on_new_rows} by {self.numbers.losses(law.change, True)}: {verdict}."
            f"{self._back_test(law)}"
        )

    def _back_test(self, law: PowerLaw) -> str:
        if law.predicted_before is None or law.seen is None:
            return ""
        predicted, seen = self.numbers.loss_text(law.predicted_before), self.numbers.loss_text(law.seen)
        return (
            f" How far to trust it: without the largest size the law would have predicted {predicted} there; it is "
            f"{seen}."
        )

    def capacity_section(self) -> list[str]:
        """Return the other sizes that help or hurt, without and with the remedy."""
        sentences = []
        for group, name in (("without", "Without a remedy"), ("with", "With the chosen remedy")):
            arms = [arm for arm in self.study.section("capacity") if arm.group == group]
            scored = by_loss(arms, self.numbers.loss)
            if not scored:
                continue
            reference = reference_of(arms)
            others = [arm for arm in arms if arm is not reference]
            configured = f" (configured: {short_name(reference)})" if reference else ""
            shape = short_name(scored[0])
            network = "linear model" if shape == "linear" else f"network of {shape} units"
            lowest = f"{name}, the lowest holdout loss has the {network}{configured}"
            sentences.append(f"{lowest}; of {count(len(others), 'other size')}, {self.phrases.verdicts(others)}.")
        return (sentences or ["No size was scored."]) + self.few_rows("capacity")

    def optimizers_section(self) -> list[str]:
        """Return the optimizer to use, and the effect of the batch size."""
        lead, detail = self.answers.optimizer()
        arms = self.study.section("optimizers")
        sentences = [lead + detail, *self._at_defaults(arms)]
        if {"adam", "adamw"} & {short_name(arm) for arm in arms if arm.group in ("defaults", "tuned")}:
            sentences.append("With every regularizer off AdamW decays no weights and is Adam, so the two are one arm.")
        lowest: dict[str, list[str]] = {}
        for name, budget in self._lowest_batches():
            lowest.setdefault(name, []).append(budget)
        parts = [f"{name} after equal {listed(budgets)}" for name, budgets in lowest.items()]
        if parts:
            methods = "gradient descent, mini-batches and single examples"
            sentences.append(f"Of {methods}, the lowest mean loss is that of {listed(parts)}.")
        return sentences + self.few_rows("optimizers")

    def _at_defaults(self, arms: list[Arm]) -> list[str]:
        """Return the verdicts at Keras' defaults, where the first sentence is about the tuned optimizers."""
        if not any(arm.group == "tuned" for arm in arms):
            return []
        defaults = [arm for arm in arms if arm.group == "defaults"]
        reference, others = reference_of(defaults), [arm for arm in defaults if arm.reference is not None]
        if reference is None or not others:
            return []
        verdicts = self.phrases.verdicts(others)
        return [f"At Keras' defaults, compared with {short_name(reference)}: of {len(others)}, {verdicts}."]

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
        sentences = []
        for group in ("activation", "loss"):
            arms = [arm for arm in self.study.section("activations") if arm.group == group]
            reference = reference_of(arms)
            others = [arm for arm in arms if arm is not reference]
            if reference is None:
                sentences += [f"No other {group} than {short_name(arm)} was tried." for arm in arms[:1]]
            elif len(others) == 1:
                sentences.append(
                    f"{sentence(short_name(others[0]))} in place of {short_name(reference)} as the {group}: "
                    f"{self.phrases.judged(others[0])}."
                )
            else:
                verdicts = self.phrases.verdicts(others)
                sentences.append(f"Of {len(others)} other {group}s, compared with {short_name(reference)}, {verdicts}.")
        return sentences + self.few_rows("activations")

    def memorization_section(self) -> list[str]:
        """Return the scores with true and shuffled labels, which show how far training rows are learnt by heart."""
        metric, parts = self.numbers.score, []
        for arm in self.study.section("memorization"):
            train = self.numbers.scores(Interval(score_of(arm, "train", metric).mean))
            held_out = self.numbers.scores(score_of(arm, "holdout", metric))
            parts.append(f"{arm.name}: {train} on training rows and {held_out} on holdout rows")
        nothing = self.phrases.nothing(metric)
        chance = "" if nothing is None else f" (knowing nothing: {self.numbers.scores(Interval(nothing))})"
        return [
            f"{sentence(self.numbers.score_name)} with {'; with '.join(parts)}{chance}.",
            "Shuffled labels have nothing to do with the features, so what is reached on their training rows and not "
            "on new ones is memory.",
        ]

    def winner_section(self) -> list[str]:
        """Return the promised and the fresh losses of the search's winner, its verdict, and any settings at an edge."""
        optimism, numbers = self.study.optimism, self.numbers
        if optimism is None:
            return ["The search left no winner to be judged."]
        parts = [
            f"{numbers.losses(score)} on {rows}"
            for score, rows in (
                (optimism.same_rows, "the rows that the search chose by"),
                (optimism.fresh, "rows that chose nothing"),
                (optimism.test, "test rows"),
            )
            if score is not None
        ]
        promise = f"Trial {optimism.trial}, the best of {optimism.trials:,}, promised "
        promise += f"{numbers.loss_text(optimism.promised)} {numbers.unit}"
        sentences = [f"{promise}; with fresh seeds it has {listed(parts)}." if parts else f"{promise}."]
        for cost, rows in ((optimism.optimism_fresh, "rows that chose nothing"), (optimism.optimism_test, "test rows")):
            if cost is not None:
                way = "worse" if cost > 0 else "better"
                sentences.append(f"On {rows} that is {numbers.loss_text(abs(cost))} {way} than promised.")
                break
        arm = next((arm for arm in self.study.section("winner") if arm.group == "winner"), None)
        verdict = self.phrases.judged(arm) if arm and is_compared(arm) else optimism.beats_default or "not compared"
        if optimism.judged_on == "test" and optimism.test is None:
            sentences.append(
                "The search chose by all rows and there are no test rows, so nothing can judge its winner."
            )
        else:
            sentences.append(
                f"Against the default that the search began with, on {optimism.judged_on} rows that the search did not "
                f"choose by: {verdict}."
            )
        if optimism.at_edge:
            sentences.append(
                f"The search found its best at the edge of its space, so better may lie beyond: "
                f"{'; '.join(optimism.at_edge)}."
            )
        return sentences + self.few_rows("winner")

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


def _remedies(number: int) -> str:
    return f"{number} {'remedy' if number == 1 else 'remedies'}"


def _lowest(losses: dict[str, float | None]) -> str | None:
    known = {name: loss for name, loss in losses.items() if loss is not None}
    return min(known, key=known.__getitem__, default=None)


def _unsigned(text: str) -> str:
    return text.removeprefix("+")
