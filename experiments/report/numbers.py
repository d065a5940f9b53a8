"""The report's number format: enough digits to see a difference, the unit, and a dash for unknown numbers."""

import math
from dataclasses import dataclass
from typing import Literal

from experiments.records import Study
from experiments.report.arms import is_known, score_of
from experiments.report.language import N_, _, counted
from pipeline.statistics.intervals import Interval

UNKNOWN = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
NO_BREAK = "\N{NO-BREAK SPACE}"
LOSS_NAMES = {"cross_entropy": N_("cross-entropy"), "rmse": N_("RMSE")}
SCORE_NAMES = {"accuracy": N_("accuracy"), "r2": N_("R²")}
FURTHER_NAMES = {
    "balanced_accuracy": N_("balanced accuracy"),
    "f1": N_("F1, mean over the classes"),
    "roc_auc": N_("area under the ROC curve"),
    "average_precision": N_("average precision"),
    "brier": N_("Brier score"),
    "calibration_error": N_("calibration error"),
    "mae": N_("mean absolute error"),
}
SCORE_LABELS = {"accuracy": N_("accuracy (%)"), "r2": N_("R²")}
ENUMERATIONS = {"and": N_("{others} and {last}"), "or": N_("{others} or {last}")}
LEVEL = "95 %"  # of intervals
SCORE_FACTORS = {"accuracy": 100.0, "r2": 1.0}
SCORE_DECIMALS = {"accuracy": 1, "r2": 3}
MOST_TIMES = 100  # to advise even more rows or rings would be useless
LEAST_P = 0.001
MOST_DECIMALS = 7  # a number with more decimals is written as a power of ten
MOST_OF_MANTISSA = 3
MOST_AT_AXIS = 20  # letters of a target beside an axis


@dataclass(frozen=True)
class Numbers:
    """The metrics of a study by name, and their numbers as text.

    Attributes:
        loss, score: the metrics' names as the records have them.
        target: the name of the target, whose unit the RMSE has; None where it has no name.
        loss_decimals: the decimals of every loss and difference of losses in the report, which makes them comparable.
    """

    loss: str
    score: str
    target: str | None
    loss_decimals: int

    @classmethod
    def of(cls, study: Study) -> "Numbers":
        """Return the numbers of a study, with four digits of the baseline's holdout loss, or three if it is small."""
        about = study.about
        size = score_of(study.section("remedies")[0], "holdout", about.loss).mean or 1.0
        digit = math.floor(math.log10(abs(size)))
        decimals = min(3 - digit, max(4, 2 - digit))
        return cls(about.loss, about.score, about.target, max(decimals, 0))

    @property
    def loss_name(self) -> str:
        """Return the loss's name as in a sentence."""
        return _(LOSS_NAMES[self.loss])

    @property
    def score_name(self) -> str:
        """Return the score's name as in a sentence."""
        return _(SCORE_NAMES[self.score])

    @property
    def score_label(self) -> str:
        """Return the score's name and unit, as in the head of a table."""
        return _(SCORE_LABELS[self.score])

    @property
    def score_factor(self) -> float:
        """Return the factor between a recorded score and the one that is shown."""
        return SCORE_FACTORS[self.score]

    @property
    def unit(self) -> str:
        """Return the unit of the loss, as it follows a number; the page says that of a target once, at its top."""
        return NO_BREAK + _("nats") if self.loss == "cross_entropy" else ""

    @property
    def loss_label(self) -> str:
        """Return the loss's name and unit, as in the head of a table."""
        if self.loss == "cross_entropy":
            return _("cross-entropy (nats)")
        if not self.target:
            return _("RMSE (in the target's unit)")
        return _("RMSE (in the unit of {target})").format(target=self.target)

    @property
    def loss_axis(self) -> str:
        """Return the loss's name and unit, short enough for an axis."""
        if self.loss == "cross_entropy":
            return _("cross-entropy (nats)")
        if not self.target:
            return _("RMSE (target's unit)")
        return _("RMSE (unit of {target})").format(target=shortened(self.target, MOST_AT_AXIS))

    def loss_text(self, value: float | None, sign: bool = False) -> str:
        """Return a loss as text; `sign` adds a plus, for differences."""
        return number(value, self.loss_decimals, sign)

    def losses(self, interval: Interval | None, sign: bool = False) -> str:
        """Return a loss with its interval and unit."""
        return f"{with_interval(interval, decimals_of(interval, self.loss_decimals), sign)}{self.unit}"

    def score_text(self, value: float | None, sign: bool = False) -> str:
        """Return a score as text, an accuracy in percent but without the percent sign."""
        return number(value if value is None else value * self.score_factor, SCORE_DECIMALS[self.score], sign)

    def score_ends(self, interval: Interval | None) -> str:
        """Return both ends of a score's interval; an empty text where they are not known."""
        interval = interval and interval.scaled(self.score_factor)
        return ends(interval, decimals_of(interval, SCORE_DECIMALS[self.score]))

    def scores(self, interval: Interval | None) -> str:
        """Return a score with its interval, an accuracy in percent."""
        if interval is None or interval.mean is None:
            return UNKNOWN
        percent_sign = f"{NO_BREAK}%" if self.score == "accuracy" else ""
        return f"{self.score_text(interval.mean)}{percent_sign} {self.score_ends(interval)}".strip()

    def score_differences(self, interval: Interval | None) -> str:
        """Return a difference of scores with its interval, one of accuracies in percentage points."""
        if interval is None or interval.mean is None:
            return UNKNOWN
        difference = f"{self.score_text(interval.mean, sign=True)} {self.score_ends(interval)}".strip()
        return _("{number} percentage points").format(number=difference) if self.score == "accuracy" else difference


def number(value: float | None, decimals: int, sign: bool = False) -> str:
    """Return a number with so many decimals, or with a power of ten where they are many, and a true minus sign.

    `sign` adds a plus to positive numbers.
    """
    if value is None:
        return UNKNOWN
    plus = "+" if sign else ""
    text = f"{value:{plus},.{decimals}f}" if decimals <= MOST_DECIMALS else _power_of_ten(value, decimals, plus)
    if not any(digit in text for digit in "123456789"):
        text = text.lstrip("+-")  # 0 has no sign
    return text.replace("-", MINUS)


def _power_of_ten(value: float, decimals: int, plus: str) -> str:
    value = round(value, decimals)
    if value == 0:
        return "0"
    digits = decimals + math.floor(math.log10(abs(value)))
    return f"{value:{plus}.{min(max(digits, 0), MOST_OF_MANTISSA)}e}"


def ends(interval: Interval | None, decimals: int) -> str:
    """Return both ends of an interval; an empty text where they are not known."""
    if interval is None or interval.low is None or interval.high is None:
        return ""
    return f"[{number(interval.low, decimals)},{NO_BREAK}{number(interval.high, decimals)}]"


def decimals_of(interval: Interval | None, decimals: int) -> int:
    """Return as many decimals, or more where an interval that leaves out 0 would read as if it did not."""
    if not is_known(interval) or interval.low * interval.high <= 0:
        return decimals
    nearest = min(abs(interval.low), abs(interval.high))
    while decimals < MOST_DECIMALS and round(nearest, decimals) == 0:
        decimals += 1
    return decimals


def with_interval(interval: Interval | None, decimals: int, sign: bool = False) -> str:
    """Return a mean, with its interval where it has one."""
    if interval is None:
        return UNKNOWN
    return f"{number(interval.mean, decimals, sign)} {ends(interval, decimals)}".strip()


def epoch(value: float | None) -> str:
    """Return a mean epoch, rounded to the nearest one."""
    return number(value, 0)


def p_value(value: float | None) -> str:
    """Return a p-value with three decimals, or `<0.001`."""
    return f"<{LEAST_P}" if value is not None and value < LEAST_P else number(value, 3)


def percent(interval: Interval | None) -> str:
    """Return a share with its interval, in percent."""
    if interval is None or interval.mean is None:
        return UNKNOWN
    mean, low, high = (None if end is None else 100 * end for end in (interval.mean, interval.low, interval.high))
    between = "" if low is None or high is None else f" [{low:.0f},{NO_BREAK}{high:.0f}]"
    return f"{mean:.0f}{between}{NO_BREAK}%"


def times_as_many(times: float | None) -> str | None:
    """Return a factor rounded up to two digits; None where it is unknown, 1 at most or uselessly large."""
    if times is None or times > MOST_TIMES:
        return None
    rounded = math.ceil(10 * times) / 10 if times < 10 else math.ceil(times)
    return f"{rounded:g}" if rounded > 1 else None


def duration(seconds: float) -> str:
    """Return a time in seconds, minutes or hours, whichever is easiest to read."""
    if seconds < 60:
        return _("{seconds} s").format(seconds=f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}")
    if seconds < 5400:
        return _("{minutes:.0f} minutes").format(minutes=seconds / 60)
    return _("{hours:.1f} hours").format(hours=seconds / 3600)


def seeds(n: int) -> str:
    """Return a number of seeds: `1 seed` or `10 seeds`."""
    return counted("{n:,} seed", "{n:,} seeds", n)


def columns(n: int) -> str:
    """Return a number of columns."""
    return counted("{n:,} column", "{n:,} columns", n)


def shortened(text: str, most: int) -> str:
    """Return a text of at most so many letters, the last of which says that it goes on."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def joined(names: list[str]) -> str:
    """Return names in a row: `a, b, c`."""
    return _(", ").join(names)


def clauses(parts: list[str]) -> str:
    """Return parts of a sentence in a row: `a; b; c`."""
    return _("; ").join(parts)


def some(names: list[str], most: int) -> str:
    """Return names in a row, `a, b`, or `a, b and 3 more` if there are more than `most`."""
    left_out = len(names) - most
    shown = joined(names[:most])
    return _("{names} and {n:,} more").format(names=shown, n=left_out) if left_out > 0 else shown


def listed(names: list[str], conjunction: Literal["and", "or"] = "and") -> str:
    """Return names as an enumeration: `a`, `a and b` or `a, b and c`."""
    if len(names) < 2:
        return "".join(names)
    return _(ENUMERATIONS[conjunction]).format(others=joined(names[:-1]), last=names[-1])


def sentence(text: str) -> str:
    """Return the text with a capital at its beginning."""
    return text[:1].upper() + text[1:]
