"""What the report asks of an arm: its scores, and its name where the page already says what kind of arm it is."""

from typing import Any

from experiments.study_record import Arm, Interval

NOTHING = Interval(mean=None, low=None, high=None)


def score_of(arm: Arm, split: str, metric: str) -> Interval:
    """An arm's score; an interval of nothing where it was not scored."""
    return arm.scores.get(split, {}).get(metric) or NOTHING


def is_known(interval: Interval | None) -> bool:
    """Whether an interval has all of its numbers."""
    return interval is not None and None not in (interval.mean, interval.low, interval.high)


def short_name(arm: Arm) -> str:
    """`adam` for `adam, tuned`, `relu` for `activation relu`."""
    return _shortened(arm, arm.name)


def short_reference(arm: Arm) -> str:
    """The short name of what an arm is compared with, which is of the same kind."""
    return _shortened(arm, arm.reference or "")


def _shortened(arm: Arm, name: str) -> str:
    name = name.removesuffix(f", {arm.group}")
    return name.removeprefix(f"{arm.factor} ") if arm.section == "activations" else name


def method(arm: Arm) -> str:
    """Gradient descent, mini-batches or single examples."""
    return arm.name.partition(",")[0]


def own_of(arms: list[Arm]) -> Arm | None:
    """The arm that the others are compared with, if it is among them."""
    references = {arm.reference for arm in arms}
    return next((arm for arm in arms if arm.name in references), None)


def changes_of(arm: Arm) -> str:
    """The settings that are not the baseline's, in a row."""
    return ", ".join(f"{name} {_told(value)}" for name, value in arm.changes.items()) or "none"


def _told(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
