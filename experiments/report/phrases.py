"""Parts of the report's sentences: differences, verdicts and detectable differences."""

import math
from collections.abc import Callable, Sized
from typing import NamedTuple

from experiments.records import Arm, Influence, NewRows, Study
from experiments.report.arms import (
    BEYOND_NOTHING,
    DETECTED,
    NO_DIFFERENCE,
    difference_of,
    is_compared,
    is_known,
    remedy_name,
    share_of_reference,
    short_name,
)
from experiments.report.numbers import NO_BREAK, Numbers, count, listed, p_value, percent, some, times_as_many

MOST_NAMES = 6
FOUND_IN = "would have been found in four of five such studies"


class Answer(NamedTuple):
    """An answer in a word or two (`lead`), and the numbers that it rests on (`detail`)."""

    lead: str
    detail: str


class Phrases:
    """The phrases of one study."""

    def __init__(self, study: Study, numbers: Numbers) -> None:
        self.study, self.numbers = study, numbers
        self.seeds = count(len(study.about.seeds), "seed")
        self.can_tell = len(study.about.seeds) > 1

    @property
    def on_new_rows(self) -> str:
        """Return the name of the loss on rows that were held out."""
        return f"{self.numbers.loss_name} on new rows"

    def nothing(self, metric: str, split: NewRows = "holdout") -> float | None:
        """Return the score of knowing nothing; None where it is not known."""
        return self.study.about.knowing_nothing.get(split, {}).get(metric)

    def judged(self, arm: Arm) -> str:
        """Return an arm's difference, interval and verdict, with the detectable difference and notes on its seeds."""
        if not is_compared(arm):
            return "not compared"
        difference = f"{self.numbers.losses(arm.difference, True)}{_p(arm.p_adjusted)}"
        if not arm.verdict or not self.can_tell:
            return f"{difference}, which {self.seeds} cannot judge{self.collapsed(arm)}"
        return f"{difference}, {arm.verdict}{self.detectable([arm])}{self.collapsed(arm)}"

    def collapsed(self, arm: Arm) -> str:
        """Return a note on what an arm's interval hides: seeds that diverged, and seeds that collapse now and then."""
        notes = []
        if arm.diverged:
            notes.append(f"{arm.diverged} of {self.seeds} diverged")
        if arm.seeds_range:
            notes.append(f"its seeds range {self.range_of(arm.seeds_range)}")
        return f" ({'; '.join(notes)})" if notes else ""

    def range_of(self, losses: tuple[float, float]) -> str:
        """Return a lowest and a highest loss."""
        lowest, highest = map(self.numbers.loss_text, losses)
        return f"from {lowest} to {highest}"

    def lower(self, arm: Arm) -> str:
        """Return by how much an arm lowers the loss on new rows, also in percent, and how often it is better."""
        share = share_of_reference(arm, self.study).mean
        relative = "" if share is None else f", {-100 * share:.0f}{NO_BREAK}%"
        better = arm.probability_better
        by_seed = f"; seed by seed it is better in {percent(better)} of cases" if is_known(better) else ""
        return f"by {self.numbers.losses(difference_of(arm).negated())}{relative}{by_seed}"

    def detectable(self, arms: list[Arm]) -> str:
        """Return the difference that would have been found in arms without one; an empty text if all have one."""
        sizes = [arm.detectable for arm in arms if arm.verdict == NO_DIFFERENCE and arm.detectable is not None]
        if not sizes:
            return ""
        least, most = self.numbers.loss_text(min(sizes)), self.numbers.loss_text(max(sizes))
        size = f"a difference of {least}" if least == most else f"differences of {least} to {most}, by the arm,"
        return f" ({size} {FOUND_IN})"

    def would_find(self, arm: Arm) -> str:
        """Return how many more rows or rings would detect the observed difference; an empty text if uselessly many."""
        if arm.verdict != NO_DIFFERENCE:
            return ""
        rings = self.study.about.rings
        ways = []
        if rows := times_as_many(arm.times_rows):
            ways.append(f"{rows} times as many rows")
        if arm.times_rings and times_as_many(arm.times_rings):
            ways.append(f"{math.ceil(arm.times_rings * rings)} rings of seeds in place of {rings}")
        return f"{listed(ways, 'or')} would find a difference of the size seen" if ways else ""

    def verdicts(self, arms: list[Arm], name: Callable[[Arm], str] = short_name, most: int = 99) -> str:
        """Return how many arms help, hurt, or do neither, with the names of at most `most` that help or hurt."""
        if not arms:
            return "none was compared"
        if not self.can_tell:
            return f"{self.seeds} cannot tell which help"
        verbs = {"helps": ("helps", "help"), "hurts": ("hurts", "hurt")}
        verbs[BEYOND_NOTHING] = ("differs, but neither it nor its reference beats knowing nothing",
                                 "differ, but neither they nor their references beat knowing nothing")  # fmt: skip
        parts = []
        for verdict in DETECTED:
            names = [name(arm) + _with_diverged(arm) for arm in arms if arm.verdict == verdict]
            if names:
                word = verbs[verdict][len(names) > 1]
                parts.append(f"{number_of(names, arms)} {word} ({some(names, most)})")
        undetected = [arm for arm in arms if arm.verdict == NO_DIFFERENCE]
        if undetected:
            parts.append(f"{number_of(undetected, arms)} made {NO_DIFFERENCE}{self.detectable(undetected)}")
        unknown = [arm for arm in arms if arm.verdict is None]
        if unknown:
            parts.append(f"{number_of(unknown, arms)} could not be compared")
        return listed(parts)

    def few_rows(self, arms: list[tuple[Arm, Influence]]) -> str:
        """Return the sentence about arms whose difference a few rows carry."""
        rows, verb = len(arms[0][1].differences), "is" if len(arms) == 1 else "are"
        left = [
            f"{self.numbers.loss_text(influence.without, True)} of "
            f"{self.numbers.loss_text(difference_of(arm).mean, True)} for {_full_name(arm)}"
            for arm, influence in arms
        ]
        left_over = f"{some(left, MOST_NAMES)} {verb} left"
        return f"A few rows carry much of this. Without the {rows} rows that matter most, {left_over}."

    def diverged(self, arms: list[Arm]) -> str | None:
        """Return a note on the arms with diverged seeds; None where there are none."""
        names = [f"{arm.name} ({arm.diverged} of {len(self.study.about.seeds)})" for arm in arms if arm.diverged]
        if not names:
            return None
        return (
            f"Seeds diverged in {some(names, MOST_NAMES)}. Each of them counts as a model that knows nothing, in means "
            "and differences alike."
        )

    def unsteady(self, arms: list[Arm]) -> str | None:
        """Return a note on the arms some of whose seeds collapse; None where there are none."""
        names = [f"{arm.name} ({self.range_of(arm.seeds_range)})" for arm in arms if arm.seeds_range and arm.chosen]
        if not names:
            return None
        return (
            f"Some seeds collapse and others do not in {some(names, MOST_NAMES)}: the range of their losses is wider "
            "than an interval of so few seeds can tell."
        )


def _with_diverged(arm: Arm) -> str:
    return f" with {count(arm.diverged, 'diverged seed')}" if arm.diverged else ""


def _full_name(arm: Arm) -> str:
    """Return a name that tells an arm from all others of its section."""
    remedy = {"without": "without a remedy", "with": "with the chosen remedy"}.get(arm.group)
    if remedy is None:
        return arm.name
    return f"{remedy_name(arm) if arm.section == 'learning_curve' else short_name(arm) + ' units'} {remedy}"


def number_of(some_arms: Sized, all_arms: Sized) -> str:
    """Return the number of arms as a sentence has it: `2`, or `all 3`, `both` or `it` if these are all arms."""
    if len(some_arms) < len(all_arms):
        return str(len(some_arms))
    return f"all {len(some_arms)}" if len(some_arms) > 2 else {1: "it", 2: "both"}[len(some_arms)]


def _p(value: float | None) -> str:
    if value is None:
        return ""
    text = p_value(value)
    return (
        f" (p{NO_BREAK}{text[0]}{NO_BREAK}{text[1:]})" if text.startswith("<") else f" (p{NO_BREAK}={NO_BREAK}{text})"
    )
