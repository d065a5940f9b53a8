"""Parts of the report's sentences: differences, verdicts and detectable differences."""

import math
from collections.abc import Callable, Sized
from typing import NamedTuple

from experiments.records import Arm, Influence, Study
from experiments.report.arms import (
    DETECTED,
    NO_DIFFERENCE,
    difference_of,
    full_name,
    is_compared,
    is_known,
    remedy_name,
    share_of_reference,
    short_name,
)
from experiments.report.language import _, counted, pgettext
from experiments.report.numbers import (
    NO_BREAK,
    Numbers,
    clauses,
    listed,
    p_value,
    percent,
    seeds,
    some,
    times_as_many,
)
from experiments.report.recorded import shown
from pipeline.choices import NewRows

MOST_NAMES = 6


class Answer(NamedTuple):
    """An answer in a word or two (`lead`), and the numbers that it rests on (`detail`)."""

    lead: str
    detail: str


class Phrases:
    """The phrases of one study."""

    def __init__(self, study: Study, numbers: Numbers) -> None:
        self.study, self.numbers = study, numbers
        self.seeds = seeds(len(study.about.seeds))
        self.can_tell = len(study.about.seeds) > 1

    @property
    def on_new_rows(self) -> str:
        """Return the name of the loss on rows that were held out."""
        return _("{loss} on new rows").format(loss=self.numbers.loss_name)

    def nothing(self, metric: str, split: NewRows = "holdout") -> float | None:
        """Return the score of knowing nothing; None where it is not known."""
        return self.study.about.knowing_nothing.get(split, {}).get(metric)

    def judged(self, arm: Arm) -> str:
        """Return an arm's difference, interval and verdict, with the detectable difference and notes on its seeds."""
        if not is_compared(arm):
            return _("not compared")
        difference = f"{self.numbers.losses(arm.difference, True)}{_p(arm.p_adjusted)}"
        if not arm.verdict or not self.can_tell:
            judged = _("{difference}, which {seeds} cannot judge").format(difference=difference, seeds=self.seeds)
            return f"{judged}{self.collapsed(arm)}"
        judged = _("{difference}, {verdict}").format(difference=difference, verdict=shown(arm.verdict))
        return f"{judged}{self.detectable([arm])}{self.collapsed(arm)}"

    def collapsed(self, arm: Arm) -> str:
        """Return a note on what an arm's interval hides: seeds that diverged, and seeds that collapse now and then."""
        notes = []
        if arm.diverged:
            notes.append(_("{n} of {seeds} diverged").format(n=arm.diverged, seeds=self.seeds))
        if arm.seeds_range:
            notes.append(_("its seeds range {losses}").format(losses=self.range_of(arm.seeds_range)))
        return _(" ({notes})").format(notes=clauses(notes)) if notes else ""

    def range_of(self, losses: tuple[float, float]) -> str:
        """Return a lowest and a highest loss."""
        lowest, highest = map(self.numbers.loss_text, losses)
        return _("from {lowest} to {highest}").format(lowest=lowest, highest=highest)

    def lower(self, arm: Arm) -> str:
        """Return by how much an arm lowers the loss on new rows, also in percent, and how often it is better."""
        share = share_of_reference(arm, self.study).mean
        relative = "" if share is None else _(", {share:.0f}\N{NO-BREAK SPACE}%").format(share=-100 * share)
        better, by_seed = arm.probability_better, ""
        if is_known(better):
            by_seed = _("; seed by seed it is better in {share} of cases").format(share=percent(better))
        by = _("by {difference}").format(difference=self.numbers.losses(difference_of(arm).negated()))
        return f"{by}{relative}{by_seed}"

    def detectable(self, arms: list[Arm]) -> str:
        """Return the difference that would have been found in arms without one; an empty text if all have one."""
        sizes = [arm.detectable for arm in arms if arm.verdict == NO_DIFFERENCE and arm.detectable is not None]
        if not sizes:
            return ""
        least, most = self.numbers.loss_text(min(sizes)), self.numbers.loss_text(max(sizes))
        if least == most:
            return _(" (a difference of {size} would have been found in four of five such studies)").format(size=least)
        return _(
            " (differences of {least} to {most}, by the arm, would have been found in four of five such studies)"
        ).format(least=least, most=most)

    def would_find(self, arm: Arm) -> str:
        """Return how many more rows or rings would detect the observed difference; an empty text if uselessly many."""
        if arm.verdict != NO_DIFFERENCE:
            return ""
        rings = self.study.about.rings
        ways = []
        if rows := times_as_many(arm.times_rows):
            ways.append(_("{times} times as many rows").format(times=rows))
        if arm.times_rings and times_as_many(arm.times_rings):
            more = math.ceil(arm.times_rings * rings)
            ways.append(_("{more} rings of seeds in place of {rings}").format(more=more, rings=rings))
        if not ways:
            return ""
        return _("{ways} would find a difference of the size seen").format(ways=listed(ways, "or"))

    def verdicts(self, arms: list[Arm], name: Callable[[Arm], str] = short_name, most: int = 99) -> str:
        """Return how many arms help, hurt, or do neither, with the names of at most `most` that help or hurt."""
        if not arms:
            return _("none was compared")
        if not self.can_tell:
            return _("{seeds} cannot tell which help").format(seeds=self.seeds)
        parts = []
        for verdict in DETECTED:
            names = [name(arm) + _with_diverged(arm) for arm in arms if arm.verdict == verdict]
            if names:
                parts.append(_detected(verdict, len(names), number_of(names, arms), some(names, most)))
        undetected = [arm for arm in arms if arm.verdict == NO_DIFFERENCE]
        if undetected:
            number = number_of(undetected, arms)
            parts.append(_("{number} made no detectable difference").format(number=number))
            parts[-1] += self.detectable(undetected)
        unknown = [arm for arm in arms if arm.verdict is None]
        if unknown:
            parts.append(_("{number} could not be compared").format(number=number_of(unknown, arms)))
        return listed(parts)

    def few_rows(self, arms: list[tuple[Arm, Influence]]) -> str:
        """Return the sentence about arms whose difference a few rows carry."""
        left = [
            _("{left} of {whole} for {arm}").format(
                left=self.numbers.loss_text(influence.without, True),
                whole=self.numbers.loss_text(difference_of(arm).mean, True),
                arm=_telling_name(arm),
            )
            for arm, influence in arms
        ]
        return counted(
            "A few rows carry much of this. Without the {rows} rows that matter most, {left} is left.",
            "A few rows carry much of this. Without the {rows} rows that matter most, {left} are left.",
            len(arms),
            rows=len(arms[0][1].differences),
            left=some(left, MOST_NAMES),
        )

    def diverged(self, arms: list[Arm]) -> str | None:
        """Return a note on the arms with diverged seeds; None where there are none."""
        n = len(self.study.about.seeds)
        names = [
            _("{arm} ({diverged} of {seeds})").format(arm=full_name(arm), diverged=arm.diverged, seeds=n)
            for arm in arms
            if arm.diverged
        ]
        if not names:
            return None
        return _(
            "Seeds diverged in {arms}. Each of them counts as a model that knows nothing, in means and differences "
            "alike."
        ).format(arms=some(names, MOST_NAMES))

    def unsteady(self, arms: list[Arm]) -> str | None:
        """Return a note on the arms some of whose seeds collapse; None where there are none."""
        names = [
            _("{arm} ({losses})").format(arm=full_name(arm), losses=self.range_of(arm.seeds_range))
            for arm in arms
            if arm.seeds_range and arm.chosen
        ]
        if not names:
            return None
        return _(
            "Some seeds collapse and others do not in {arms}: the range of their losses is wider than an interval of "
            "so few seeds can tell."
        ).format(arms=some(names, MOST_NAMES))


def _detected(verdict: str, n: int, number: str, names: str) -> str:
    """Return that `n` arms have a verdict that finds a difference."""
    if verdict == "helps":
        return counted("{number} helps ({names})", "{number} help ({names})", n, number=number, names=names)
    if verdict == "hurts":
        return counted("{number} hurts ({names})", "{number} hurt ({names})", n, number=number, names=names)
    return counted(
        "{number} differs, but neither it nor its reference beats knowing nothing ({names})",
        "{number} differ, but neither they nor their references beat knowing nothing ({names})",
        n,
        number=number,
        names=names,
    )


def _with_diverged(arm: Arm) -> str:
    return counted(" with {n:,} diverged seed", " with {n:,} diverged seeds", arm.diverged) if arm.diverged else ""


def _telling_name(arm: Arm) -> str:
    """Return a name that tells an arm from all others of its section."""
    if arm.group not in ("without", "with"):
        return full_name(arm)
    name = remedy_name(arm)
    if arm.section != "learning_curve":
        name = _("{shape} units").format(shape=short_name(arm))
    if arm.group == "without":
        return _("{arm} without a remedy").format(arm=name)
    return _("{arm} with the chosen remedy").format(arm=name)


def number_of(some_arms: Sized, all_arms: Sized) -> str:
    """Return the number of arms as a sentence has it: `2`, or `all 3`, `both` or `it` if these are all arms."""
    n = len(some_arms)
    if n < len(all_arms):
        return pgettext("some of several", "{n}").format(n=n)
    return _("all {n}").format(n=n) if n > 2 else {1: _("it"), 2: _("both")}[n]


def _p(value: float | None) -> str:
    if value is None:
        return ""
    text = p_value(value)
    return (
        f" (p{NO_BREAK}{text[0]}{NO_BREAK}{text[1:]})" if text.startswith("<") else f" (p{NO_BREAK}={NO_BREAK}{text})"
    )
