"""The report's sentences. Each follows from the numbers of the record, whichever way they point."""

import math
from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple

from experiments.report_arms import is_known, method, own_of, score_of, short_name, short_reference
from experiments.report_numbers import (
    NO_BREAK,
    Numbers,
    count,
    epoch,
    listed,
    p_value,
    percent,
    sentence,
    some,
    with_interval,
)
from experiments.study_record import Arm, Interval, Overfits, PowerLaw, Study, StudyRun

NO_DIFFERENCE = "no detectable difference"
MOST_NAMES = 6


class Answer(NamedTuple):
    """An answer in a word or two, and what it rests on."""

    lead: str
    detail: str


class Text:
    """The sentences of one study."""

    def __init__(self, study: Study, run: StudyRun, numbers: Numbers) -> None:
        self.study, self.run, self.numbers = study, run, numbers
        self.baseline = study.section("remedies")[0]
        self.seeds = count(len(study.about.seeds), "seed")
        self.can_tell = len(study.about.seeds) > 1

    # The answer.

    def overfits(self) -> Answer:
        """Does the baseline overfit, and since which epoch?"""
        found = self.study.overfits
        if not is_known(found.rise):
            return Answer("It cannot be told", f" from {self.seeds}: {self._rise()}.")
        if not found.answer and (found.rise.low or 0) > 0:
            also = f"but so does the training loss, by {self.numbers.loss_text(found.train_rise)}"
            return Answer("Not as overfitting", f": {self._rise()}, {also}: training is unsteady.")
        if not found.answer:
            return Answer("Not detectably", f": {self._rise()}{_p(_two_sided(found))}.")
        since = "" if found.onset_epoch is None else f", since epoch {epoch(found.onset_epoch)}"
        return Answer(f"Yes{since}", f"{self._onset_range()}: {self._rise()}.")

    def _onset_range(self) -> str:
        found = self.study.overfits.onset_range
        if found is None or found[0] == found[1]:
            return ""
        return f" (from {epoch(found[0])} to {epoch(found[1])}, by the seed)"

    def _rise(self) -> str:
        rise = self.study.overfits.rise
        rises = self.study.overfits.answer and (rise.mean or 0) > 0
        amount = f"rises by {self.numbers.losses(rise)}" if rises else f"changes by {self.numbers.losses(rise, True)}"
        return f"from its best epoch to its last, the baseline's holdout {self.numbers.loss_name} {amount}"

    def helps_most(self) -> Answer:
        """Which remedy helps most, by how much, and how sure that is."""
        arms = self.compared_remedies()
        if not arms:
            return Answer("Not studied", ": no remedy was compared with the baseline.")
        helping = sorted((arm for arm in arms if arm.verdict == "helps"), key=attrgetter("validation"))
        if helping:
            others = len(helping) - 1
            also = f" {count(others, 'other')} {'helps' if others == 1 else 'help'} as well." if others else ""
            best = helping[0]
            return Answer(sentence(best.name), f": {self.difference(best, OF_BASELINE)}.{also}")
        best = min(arms, key=attrgetter("validation"))
        nearest = f"best by validation rows is {best.name}, {self.numbers.losses(best.difference, True)}"
        if not self.can_tell:
            return Answer("It cannot be told", f" from {self.seeds}; {nearest}.")
        return Answer(
            "Nothing detectably", f": of {count(len(arms), 'arm')} compared, {self.verdicts(arms, most=3)}; {nearest}."
        )

    def optimizer(self) -> Answer:
        """Which optimizer to take."""
        arms, how = self._optimizers()
        if not arms:
            return Answer("Not studied", ": the study has no arms with other optimizers.")
        configured = self.baseline.settings["train"]["optimizer"]
        own = next((arm for arm in arms if short_name(arm) == configured), None)
        best = min(arms, key=attrgetter("validation"))
        helping = sorted((arm for arm in arms if arm.verdict == "helps"), key=attrgetter("validation"))
        if helping:
            best, others = helping[0], [short_name(arm) for arm in helping[1:]]
            also = f" Better than {short_reference(best)} too: {', '.join(others)}." if others else ""
            lead = sentence(short_name(best))
            return Answer(lead, f", {how}: {self.difference(best, f'that of {short_reference(best)}')}.{also}")
        if own is None:
            lead, detail = sentence(short_name(best)), f" has the lowest validation loss of {len(arms)}, {how}"
            return Answer(lead, f"{detail}; the configured optimizer is not among them, so there is no verdict.")
        if not self.can_tell:
            lowest = f"the lowest validation loss has {short_name(best)}, {how}"
            return Answer("It cannot be told", f" from {self.seeds}; {lowest}.")
        others = [arm for arm in arms if arm is not own]
        detail = f": of {count(len(others), 'other')}, {how}, {self.verdicts(others, most=3)}."
        return Answer(f"Keep {short_name(own)}", detail if others else ": no other was tried.")

    def _optimizers(self) -> tuple[list[Arm], str]:
        arms = self.study.section("optimizers")
        tuned = [arm for arm in arms if arm.group == "tuned"]
        if len(tuned) > 1:  # a search that does not vary the optimizer has one, compared with nothing
            return tuned, "each tuned with the same budget" if self.study.equal_budgets else "each tuned by the search"
        return [arm for arm in arms if arm.group == "defaults"], "each at Keras' defaults"

    def expected(self) -> Answer:
        """The score on new data."""
        found, rows = self.study.recommendation, self.study.about.rows
        split = "test" if found.test else "holdout"
        scores = found.new_rows or found.holdout
        score = scores.get(self.numbers.score)
        where = f"{rows[split]:,} {split} rows" if rows.get(split) else f"{split} rows"
        rest = ", with intervals for other seeds and other rows of the kind"
        if not found.test:
            rest = "; there are no test rows, so this may be somewhat too good"
        told = f"{self.numbers.loss_name} {self.numbers.losses(scores.get(self.numbers.loss))}"
        lead = sentence(f"{self.numbers.score_name} {self.numbers.scores(score)}")
        return Answer(lead, f" and {told}, means over {self.seeds} on {where}{rest}.")

    def recommended(self) -> Answer:
        """Which settings to use."""
        found = self.study.recommendation
        if not found.helps:
            return Answer("The baseline's", ", since nothing helps detectably; here below.")
        of = " of the search" if found.section == "winner" else ""
        rest = ", chosen on validation rows among the arms that help; here below."
        return Answer(f"Those of “{found.arm}”{of}", rest)

    # A section for each question.

    def overfitting_section(self) -> list[str]:
        """The rise and its onset, and the gap."""
        answer, arm = self.overfits(), self.baseline
        decimals = self.numbers.loss_decimals
        at_best, at_end = (with_interval(gap, decimals, True) for gap in (arm.gap_at_best, arm.gap_at_end))
        return [
            answer.lead + answer.detail,
            f"The gap, validation minus training {self.numbers.loss_label}, is {at_best} at the best epoch "
            f"({epoch(arm.best_epoch.mean)} on average) and {at_end} at the last; above 0 is worse on new rows.",
        ]

    def remedies_section(self) -> list[str]:
        """How many remedies help, and whether all together do."""
        compared = self.compared_remedies()
        single = [arm for arm in compared if arm.group == "single"]
        together = [arm for arm in compared if arm.group == "together"]
        told = f"Of {_remedies(len(single))} tried alone, {self.verdicts(single)}."
        if not together:
            return [told, "There is no arm with all of them, which needs two remedies at least."]
        left_out = [arm for arm in self.study.section("remedies") if arm.group == "leave_one_out"]
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
        names = {"without": "the baseline", "with": self.study.chosen_remedy or "the chosen remedy"}
        told = [self._twice(names[group], laws[group]) for group in names if group in laws]
        return told or ["No power law was fitted, so nothing is said of more rows."]

    def _twice(self, name: str, law: PowerLaw) -> str:
        if law.change.mean is None:
            return f"With {name}, the points do not determine a power law, so nothing is said of more rows."
        if not is_known(law.change):
            verdict = f"from {self.seeds} it cannot be told whether that helps"
        else:  # a power law never rises
            verdict = "more data helps" if law.change.high < 0 else NO_DIFFERENCE
        return (
            f"With {name}, twice the training rows ({2 * law.rows:,} instead of {law.rows:,}) are predicted to change "
            f"the holdout {self.numbers.loss_name} by {self.numbers.losses(law.change, True)}: {verdict}."
        )

    def capacity_section(self) -> list[str]:
        """Which other sizes help or hurt, without and with the remedy."""
        told = []
        for group, name in (("without", "Without a remedy"), ("with", "With the chosen remedy")):
            arms = [arm for arm in self.study.section("capacity") if arm.group == group]
            if not arms:
                continue
            own, best = own_of(arms), min(arms, key=attrgetter("validation"))
            others = [arm for arm in arms if arm is not own]
            configured = f" (configured: {short_name(own)})" if own else ""
            shape = short_name(best)
            network = "linear model" if shape == "linear" else f"network of {shape} units"
            lowest = f"{name}, the lowest validation loss has the {network}{configured}"
            told.append(f"{lowest}; of {count(len(others), 'other size')}, {self.verdicts(others)}.")
        return told

    def optimizers_section(self) -> list[str]:
        """Which optimizer, and what the size of a batch does."""
        answer = self.optimizer()
        told = [answer.lead + answer.detail]
        lowest: dict[str, list[str]] = {}
        for name, after in self._lowest_batches():
            lowest.setdefault(name, []).append(after)
        parts = [f"{name} after equal {listed(after)}" for name, after in lowest.items()]
        if parts:
            methods = "gradient descent, mini-batches and single examples"
            told.append(f"Of {methods}, the lowest mean loss is that of {listed(parts)}.")
        return told

    def _lowest_batches(self) -> list[tuple[str, str]]:
        losses: dict[str, dict[str, float | None]] = {}
        for group, what in (("equal_epochs", "epochs"), ("equal_updates", "updates")):
            arms = [arm for arm in self.study.section("optimizers") if arm.group == group and arm.chosen]
            losses[what] = {method(arm): score_of(arm, "holdout", self.numbers.loss).mean for arm in arms}
        if self.run.equal_time:
            losses["time"] = {name: loss.mean for name, loss in self.run.equal_time.losses.items()}
        found = [(_lowest(by_method), what) for what, by_method in losses.items()]
        return [(name, what) for name, what in found if name is not None]

    def activations_section(self) -> list[str]:
        """Which activations and losses differ from the configured ones."""
        told = []
        for group in ("activation", "loss"):
            arms = [arm for arm in self.study.section("activations") if arm.group == group]
            own = own_of(arms)
            others = [arm for arm in arms if arm is not own]
            if own is None:
                told += [f"No other {group} than {short_name(arm)} was tried." for arm in arms[:1]]
            elif len(others) == 1:
                told.append(
                    f"{sentence(short_name(others[0]))} in place of {short_name(own)} as the {group}: "
                    f"{self.judged(others[0])}."
                )
            else:
                told.append(
                    f"Of {len(others)} other {group}s, compared with {short_name(own)}, {self.verdicts(others)}."
                )
        return told

    def memorization_section(self) -> list[str]:
        """How far the training rows are learnt by heart where there is nothing to learn."""
        metric, told = self.numbers.score, []
        for arm in self.study.section("memorization"):
            train, new = (self.numbers.scores(score_of(arm, split, metric)) for split in ("train", "holdout"))
            told.append(f"{arm.name}: {train} on training rows and {new} on holdout rows")
        classes = len(self.study.about.classes or [])
        # Two digits of 1 / 300 too, and no fewer than two decimals.
        decimals = max(2, 1 - math.floor(math.log10(1 / classes))) if classes else 0
        guess = f" (guessing among {classes} classes: about {1 / classes:.{decimals}f})" if classes else ""
        return [
            f"{sentence(self.numbers.score_name)} with {'; with '.join(told)}{guess}.",
            "Shuffled labels have nothing to do with the features, so what is reached on their training rows and not "
            "on new ones is memory.",
        ]

    def winner_section(self) -> list[str]:
        """What the search's winner promised and what came of it."""
        found = self.study.optimism
        if found is None:
            return ["The search left no winner to be judged."]
        loss = self.numbers.loss_text
        told = f"Trial {found.trial}, the best of {found.trials}, promised {loss(found.promised)} {self.numbers.unit}; "
        told += f"fresh seeds gave {self.numbers.losses(found.fresh)}"
        if found.optimism_fresh is not None:
            told += f", {loss(abs(found.optimism_fresh))} {'worse' if found.optimism_fresh > 0 else 'better'} than that"
        if found.test is not None:
            told += f", and the test rows {self.numbers.losses(found.test)}"
        arm = next((arm for arm in self.study.section("winner") if arm.group == "winner"), None)
        verdict = self.judged(arm) if arm and arm.difference else found.beats_default or "not compared"
        return [f"{told}.", f"Against the default that the search began with: {verdict}."]

    # Parts of sentences.

    def compared_remedies(self) -> list[Arm]:
        """Remedies, alone and together, that were compared with the baseline."""
        return [
            arm
            for arm in self.study.section("remedies")
            if arm.group in ("single", "together") and arm.difference is not None and arm.difference.mean is not None
        ]

    def difference(self, arm: Arm, than: str) -> str:
        """By how much the holdout loss of an arm that helps is lower, and how sure that is."""
        gap = arm.difference
        size = gap if not is_known(gap) else Interval(mean=-gap.mean, low=-gap.high, high=-gap.low)
        share = arm.probability_better
        better = f"; seed by seed it is better in {percent(share)} of cases" if share else ""
        return f"its holdout {self.numbers.loss_name} is lower than {than} by {self.numbers.losses(size)}{better}"

    def judged(self, arm: Arm) -> str:
        """The difference, its interval and the verdict."""
        if arm.difference is None or arm.difference.mean is None:
            return "not compared"
        told = f"{self.numbers.losses(arm.difference, True)}{_p(arm.p_adjusted)}"
        return f"{told}, {arm.verdict if arm.verdict and self.can_tell else f'which {self.seeds} cannot judge'}"

    def verdicts(self, arms: list[Arm], name: Callable[[Arm], str] = short_name, most: int = 99) -> str:
        """How many arms help, hurt, or neither; the first two by name, `most` at most."""
        if not arms:
            return "none was compared"
        if not self.can_tell:
            return f"{self.seeds} cannot tell which help"
        parts = []
        for verdict in ("helps", "hurts"):
            own = [name(arm) for arm in arms if arm.verdict == verdict]
            if own:
                word = verdict if len(own) == 1 else verdict.removesuffix("s")
                parts.append(f"{_of(own, arms)} {word} ({some(own, most)})")
        none = [arm for arm in arms if arm.verdict == NO_DIFFERENCE]
        if none:
            parts.append(f"{_of(none, arms)} made {NO_DIFFERENCE}")
        untold = [arm for arm in arms if arm.verdict is None]
        if untold:
            parts.append(f"{_of(untold, arms)} could not be compared")
        return listed(parts)

    def diverged(self, arms: list[Arm]) -> str | None:
        """A note on arms of which seeds diverged."""
        found = [f"{arm.name} ({arm.diverged} of {len(self.study.about.seeds)})" for arm in arms if arm.diverged]
        if not found:
            return None
        return (
            f"Seeds diverged in {some(found, MOST_NAMES)}. They are left out of the means; in the differences each "
            "counts as a model that knows nothing."
        )


OF_BASELINE = "the baseline's"


def _remedies(number: int) -> str:
    return f"{number} {'remedy' if number == 1 else 'remedies'}"


def _of(some: list, all_of: list) -> str:
    """How many of how many."""
    if len(some) < len(all_of):
        return str(len(some))
    return f"all {len(some)}" if len(some) > 2 else {1: "it", 2: "both"}[len(some)]


def _lowest(losses: dict[str, float | None]) -> str | None:
    known = {name: loss for name, loss in losses.items() if loss is not None}
    return min(known, key=known.__getitem__, default=None)


def _two_sided(found: Overfits) -> float | None:
    """The p of no change, as the interval tells it; the record has that of no rise, which is one-sided."""
    if found.p is None or found.rise.mean is None:
        return None
    if found.rise.mean == 0:  # without an error its one-sided p is 1
        return 1.0
    return min(1.0, 2 * (found.p if found.rise.mean > 0 else 1 - found.p))


def _p(value: float | None) -> str:
    if value is None:
        return ""
    text = p_value(value)
    return (
        f" (p{NO_BREAK}{text[0]}{NO_BREAK}{text[1:]})" if text.startswith("<") else f" (p{NO_BREAK}={NO_BREAK}{text})"
    )
