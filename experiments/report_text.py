"""The report's sentences. Each follows from the numbers of the record, whichever way they point."""

from experiments.report_numbers import Numbers, count, epoch, listed, p_value, percent, score_of
from experiments.report_tables import method
from experiments.study_record import Arm, Interval, Study, StudyRun

NO_DIFFERENCE = "no detectable difference"
SINGLE = ("single", "together")
OF_BASELINE = "the baseline's"


def known(interval: Interval | None) -> bool:
    """Whether an interval has all of its numbers."""
    return interval is not None and None not in (interval.mean, interval.low, interval.high)


def below_zero(interval: Interval | None) -> str:
    """The verdict on a change of a loss by its interval alone."""
    if not known(interval):
        return "cannot be told"
    return "helps" if interval.high < 0 else "hurts" if interval.low > 0 else NO_DIFFERENCE


class Text:
    """The sentences of one study."""

    def __init__(self, study: Study, run: StudyRun, numbers: Numbers) -> None:
        self.study, self.run, self.numbers = study, run, numbers
        self.baseline = study.section("remedies")[0]
        self.seeds = count(len(study.about.seeds), "seed")

    # The answer.

    def overfits(self) -> str:
        """Does the baseline overfit, and since which epoch?"""
        found = self.study.overfits
        change = f"from its best epoch to its last its holdout {self.numbers.loss_name} changes by {self._rise()}"
        if found.answer:
            return f"Yes{self._since()}: {change.replace('changes by +', 'rises by ')}."
        if not known(found.rise):
            return f"It cannot be told from {self.seeds}: {change}."
        return f"No: {change}, {NO_DIFFERENCE}{_p(found.p)}."

    def _since(self) -> str:
        found = self.study.overfits
        if found.onset_epoch is None:
            return ""
        between = ""
        if found.onset_range and found.onset_range[0] < found.onset_range[1]:
            between = f" (between {epoch(found.onset_range[0])} and {epoch(found.onset_range[1])} by the seed)"
        return f", since epoch {epoch(found.onset_epoch)}{between}"

    def _rise(self) -> str:
        return self.numbers.losses(self.study.overfits.rise, sign=True)

    def helps_most(self) -> str:
        """Which remedy helps most, by how much, and how sure that is."""
        arms = self.compared_remedies()
        helping = [arm for arm in arms if arm.verdict == "helps"]
        if not helping:
            return f"Nothing: {self._of_none(arms)}."
        best = self._chosen(helping)
        others = len(helping) - 1
        also = f" {count(others, 'other remedy').replace('remedys', 'remedies')} helped too." if others else ""
        return f"{sentence(best.name)}: {self.difference(best, OF_BASELINE)}.{also}"

    def _of_none(self, arms: list[Arm]) -> str:
        if not arms:
            return "no remedy was compared with the baseline"
        hurting = [arm.name for arm in arms if arm.verdict == "hurts"]
        rest = [arm for arm in arms if arm.verdict == NO_DIFFERENCE]
        parts = [f"{len(rest)} of {count(len(arms), 'comparison')} with the baseline gave {NO_DIFFERENCE}"]
        if hurting:
            parts.append(f"{listed(hurting)} {'hurts' if len(hurting) == 1 else 'hurt'}")
        return ", ".join(parts) if rest or hurting else f"it cannot be told from {self.seeds}"

    def _chosen(self, helping: list[Arm]) -> Arm:
        """The chosen remedy where it helps; else of those that help the one that validation rows prefer."""
        for arm in helping:
            if self.study.chosen_remedy == arm.name:
                return arm
        return min(helping, key=self.validation)

    def difference(self, arm: Arm, than: str) -> str:
        """By how much an arm's holdout loss differs from another's, and how sure that is."""
        gap = arm.difference
        size = Interval(
            mean=abs(gap.mean),
            low=gap.low if gap.low is None else min(abs(gap.low), abs(gap.high)),
            high=gap.high if gap.high is None else max(abs(gap.low), abs(gap.high)),
        )
        one_side = not known(gap) or gap.low * gap.high > 0
        amount = f"{self.numbers.losses(size if one_side else gap, sign=not one_side)}"
        direction = "lower" if gap.mean < 0 else "higher"
        told = f"{direction} than {than} by {amount}" if one_side else f"{than} {amount}"
        share = f"; with the same seed it is better in {percent(arm.probability_better)} of cases"
        return f"its holdout {self.numbers.loss_name} is {told}{share if arm.probability_better else ''}"

    def optimizer(self) -> str:
        """Which optimizer to take."""
        arms = [arm for arm in self.study.section("optimizers") if arm.group in ("tuned", "defaults")]
        tuned = [arm for arm in arms if arm.group == "tuned"]
        arms, how = (tuned, "each tuned with the same budget") if tuned else (arms, "each at Keras' defaults")
        if not arms:
            return "Not studied."
        own = next((arm for arm in arms if arm.reference is None), None)
        helping = sorted((arm for arm in arms if arm.verdict == "helps"), key=self.validation)
        if helping:
            also = f"; {listed([optimizer_of(arm) for arm in helping[1:]])} too" if helping[1:] else ""
            of_own = f"{(helping[0].reference or '').partition(',')[0]}'s"
            return f"{sentence(optimizer_of(helping[0]))} ({how}): {self.difference(helping[0], of_own)}{also}."
        best = min(arms, key=self.validation)
        if own is None:
            return f"{sentence(optimizer_of(best))} has the lowest validation loss of {len(arms)}, {how}."
        if len(arms) == 1:
            return f"{sentence(optimizer_of(own))}: no other was studied."
        if all(arm.verdict is None for arm in arms):
            return f"It cannot be told from {self.seeds}: {optimizer_of(best)} has the lowest validation loss."
        worse = [arm for arm in arms if arm.verdict == "hurts"]
        equal = len(arms) - 1 - len(worse)
        told = [f"{count(equal, 'other')} made {NO_DIFFERENCE}"] if equal else []
        told += [f"{listed([optimizer_of(arm) for arm in worse])} did worse"] if worse else []
        return f"Keep {optimizer_of(own)}: {', '.join(told)} ({how})."

    def recommended(self) -> str:
        """Which settings to use."""
        found = self.study.recommendation
        if not found.helps:
            return f"The baseline's settings: no arm was found that helps. They are {found.arm}'s, below."
        where = {"remedies": "the remedies", "winner": "the search"}.get(
            found.section, f"the section {found.section.replace('_', ' ')}"
        )
        return f"Those of “{found.arm}” among {where}, chosen on validation rows among the arms that help; see below."

    def expected(self) -> str:
        """The score on new data."""
        found = self.study.recommendation
        score, loss = self.numbers.score, self.numbers.loss
        rows = self.study.about.rows
        where, scores = (
            ("the test rows", found.test)
            if found.test
            else ("the holdout rows, since there are no test rows", found.holdout)
        )
        n = rows.get("test" if found.test else "holdout")
        told = f"{n:,} {where.removeprefix('the ')}" if n else where
        parts = [f"{self.numbers.score_name} {self.numbers.scores(scores[score])}"] if score in scores else []
        parts += [f"{self.numbers.loss_name} {self.numbers.losses(scores[loss])}"] if loss in scores else []
        return f"{sentence(' and '.join(parts))}, the mean over {self.seeds}, on {told}."

    # A section for each question: sentences.

    def overfitting_section(self) -> list[str]:
        """Two sentences: the answer, and the gap."""
        at_best, at_end = (
            self.numbers.losses(self.baseline.gap_at_best, True),
            self.numbers.losses(self.baseline.gap_at_end, True),
        )
        best = epoch(self.baseline.best_epoch.mean)
        return [
            self.overfits(),
            f"At the best epoch ({best} on average) the validation {self.numbers.loss_name} lies {at_best} from the "
            f"training one, at the last epoch {at_end}; above 0 is worse on new rows.",
        ]

    def remedies_section(self) -> list[str]:
        """How many remedies help, and whether all together do."""
        single = [arm for arm in self.compared_remedies() if arm.group == "single"]
        together = [arm for arm in self.compared_remedies() if arm.group == "together"]
        left_out = [arm for arm in self.study.section("remedies") if arm.group == "leave_one_out" and arm.verdict]
        told = f"Of {count(len(single), 'remedy').replace('remedys', 'remedies')} tried alone, {self.verdicts(single)}."
        if not together:
            return [told, "Fewer than two remedies were tried, so there is no arm with all of them."]
        missed = [arm.factor for arm in left_out if arm.verdict == "hurts"]
        better = [arm.factor for arm in left_out if arm.verdict == "helps"]
        parts = [f"leaving out {listed(missed, 'or')} hurts"] if missed else []
        parts += [f"leaving out {listed(better, 'or')} helps"] if better else []
        parts = parts or ([f"leaving any one of them out makes {NO_DIFFERENCE}"] if left_out else [])
        rest = f"; {' and '.join(parts)}" if parts else ""
        return [told, f"All together against the baseline: {self.judged(together[0])}{rest}."]

    def learning_curve_section(self) -> list[str]:
        """What twice the rows would change, without and with the remedy."""
        laws = self.study.power_law or {}
        names = {"without": "the baseline", "with": f"{self.study.chosen_remedy or 'the chosen remedy'}"}
        told = []
        for group, name in names.items():
            law = laws.get(group)
            if law is None:
                continue
            verdict = below_zero(law.change)
            if law.predicted_twice is None or law.change.mean is None:
                told.append(f"For {name} the points do not determine a power law.")
                continue
            word = {NO_DIFFERENCE: f"{NO_DIFFERENCE} from 0", "cannot be told": "without an interval"}.get(
                verdict, f"twice the data {verdict}"
            )
            told.append(
                f"With {name}, {2 * law.rows:,} training rows instead of {law.rows:,} are predicted to change the "
                f"holdout {self.numbers.loss_name} by {self.numbers.losses(law.change, True)}: {word}."
            )
        return told or ["No power law was fitted, so nothing is predicted for more rows."]

    def capacity_section(self) -> list[str]:
        """Which other sizes help or hurt, without and with the remedy."""
        told = []
        for group, name in (("without", "Without a remedy"), ("with", "With the chosen remedy")):
            arms = [arm for arm in self.study.section("capacity") if arm.group == group]
            own = next((arm for arm in arms if arm.reference is None), None)
            others = [arm for arm in arms if arm.reference is not None]
            if not arms:
                continue
            best = min(arms, key=self.validation)
            told.append(
                f"{name}, {size_of(best)} has the lowest validation loss"
                + (f" (configured: {size_of(own)})" if own is not None else "")
                + (
                    f"; of {count(len(others), 'other size')}, {self.verdicts(others, size_of)}."
                    if others
                    else "; no other size was tried."
                )
            )
        return told

    def optimizers_section(self) -> list[str]:
        """Which optimizer, and what the size of a batch does."""
        told = [self.optimizer()]
        parts = []
        for group in ("equal_epochs", "equal_updates"):
            arms = [arm for arm in self.study.section("optimizers") if arm.group == group and arm.chosen]
            arms = [arm for arm in arms if score_of(arm, "holdout", self.numbers.loss).mean is not None]
            if arms:
                best = min(arms, key=lambda arm: score_of(arm, "holdout", self.numbers.loss).mean)
                parts.append((group.replace("_", " "), method(best)))
        if self.run.equal_time:
            losses = {name: loss.mean for name, loss in self.run.equal_time.losses.items() if loss.mean is not None}
            if losses:
                parts.append(("equal time", min(losses, key=losses.get)))
        if parts:
            told.append(
                "Of gradient descent, mini-batches and single examples the lowest mean loss has "
                + listed([f"{name} after {after}" for after, name in parts])
                + "."
            )
        return told

    def activations_section(self) -> list[str]:
        """Which activations and losses differ from the configured ones."""
        told = []
        for group, noun in (("activation", "activation"), ("loss", "loss")):
            arms = [arm for arm in self.study.section("activations") if arm.group == group]
            own = next((arm for arm in arms if arm.reference is None), None)
            others = [arm for arm in arms if arm.reference is not None]
            if own is None:
                continue
            name = choice_of(own)
            if not others:
                told.append(f"No other {noun} than {name} was tried.")
            elif len(others) == 1:
                told.append(
                    f"{sentence(choice_of(others[0]))} instead of {name} as the {noun}: {self.judged(others[0])}."
                )
            else:
                told.append(
                    f"Of {len(others)} other {noun}s, compared with {name}, {self.verdicts(others, choice_of)}."
                )
        return told

    def memorization_section(self) -> list[str]:
        """How far the training rows are learnt by heart where there is nothing to learn."""
        metric, name, told = self.numbers.score, self.numbers.score_name, []
        for arm in self.study.section("memorization"):
            train, holdout = score_of(arm, "train", metric), score_of(arm, "holdout", metric)
            validation = score_of(arm, "val", metric)
            new = holdout if holdout.mean is not None else validation
            told.append(
                f"with {arm.name} {self.numbers.scores(train)} on training and {self.numbers.scores(new)} on new rows"
            )
        classes = self.study.about.classes
        guess = f" (guessing among {len(classes)} classes gives about {1 / len(classes):.2f})" if classes else ""
        told_all = f"{sentence(name)} reached {'; '.join(told)}{guess}."
        return [told_all, "Shuffled labels have nothing to do with the features, so what is reached on their training "
                "rows and not on new ones is memory."]  # fmt: skip

    def winner_section(self) -> list[str]:
        """What the search's winner promised and what came of it."""
        found = self.study.optimism
        if found is None:
            return ["The search left no winner to be judged."]
        loss = self.numbers.loss_text
        told = f"Trial {found.trial}, the best of {found.trials}, promised {loss(found.promised)} {self.numbers.unit}; "
        told += f"fresh seeds gave {self.numbers.losses(found.fresh)}"
        if found.optimism_fresh is not None:
            told += f", so that being selected made it look better by {loss(found.optimism_fresh)}"
        if found.test is not None:
            told += f", and the test rows {self.numbers.losses(found.test)}"
        arm = next((arm for arm in self.study.section("winner") if arm.group == "winner"), None)
        verdict = found.beats_default or "cannot be told"
        more = f": {self.judged(arm)}" if arm and arm.difference else f": {verdict}"
        return [f"{told}.", f"The winner against the default that the search began with{more}."]

    # Parts of sentences.

    def compared_remedies(self) -> list[Arm]:
        """Remedies, alone and together, that were compared with the baseline."""
        return [
            arm
            for arm in self.study.section("remedies")
            if arm.group in SINGLE and arm.difference is not None and arm.difference.mean is not None
        ]

    def validation(self, arm: Arm) -> float:
        """What arms are chosen by; an arm without a score comes last."""
        mean = score_of(arm, "val", self.numbers.loss).mean
        return float("inf") if mean is None else mean

    def judged(self, arm: Arm) -> str:
        """The difference, its interval and the verdict."""
        if arm.difference is None or arm.difference.mean is None:
            return "cannot be told"
        verdict = arm.verdict or f"cannot be told from {self.seeds}"
        return f"{self.numbers.losses(arm.difference, True)}{_p(arm.p_adjusted)}, {verdict}"

    def verdicts(self, arms: list[Arm], name=lambda arm: arm.name) -> str:
        """How many arms help, hurt, or neither, the first two by name."""
        by_verdict = {verdict: [arm for arm in arms if arm.verdict == verdict] for verdict in ("helps", "hurts")}
        none = [arm for arm in arms if arm.verdict == NO_DIFFERENCE]
        parts = []
        for verdict, own in by_verdict.items():
            if own:
                word = verdict if len(own) == 1 else verdict.removesuffix("s")
                parts.append(f"{len(own)} {word} ({', '.join(name(arm) for arm in own)})")
        if none:
            parts.append(f"{len(none)} made {NO_DIFFERENCE}")
        untold = len(arms) - len(none) - sum(map(len, by_verdict.values()))
        if untold:
            parts.append(f"{untold} cannot be told")
        return listed(parts) or "none was compared"

    def diverged(self, arms: list[Arm]) -> str | None:
        """A note on arms of which seeds diverged."""
        found = [f"{arm.name} ({arm.diverged} of {len(self.study.about.seeds)})" for arm in arms if arm.diverged]
        if not found:
            return None
        return (
            f"Seeds diverged in: {', '.join(found)}. They are left out of the means; in the differences each counts as "
            "a model that knows nothing."
        )


def sentence(text: str) -> str:
    """With a capital, as a sentence begins."""
    return text[:1].upper() + text[1:]


def optimizer_of(arm: Arm) -> str:
    """An optimizer's name."""
    return arm.name.partition(",")[0]


def size_of(arm: Arm) -> str:
    """A network's shape, such as 64-64."""
    return arm.name.partition(",")[0]


def choice_of(arm: Arm) -> str:
    """An activation's or a loss's name."""
    return arm.name.removeprefix(f"{arm.factor} ")


def _p(value: float | None) -> str:
    if value is None:
        return ""
    text = p_value(value)
    return f" (p {text if text.startswith('<') else f'= {text}'})"
