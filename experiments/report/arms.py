"""Functions that select, order and name arms for the report."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeGuard

from experiments.records import Arm, Incumbent, Influence, Optimism, Study
from experiments.report.language import N_, _
from experiments.report.recorded import shown
from pipeline.statistics.intervals import Interval

NOTHING = Interval()
NO_DIFFERENCE = "no detectable difference"
BEYOND_NOTHING = "neither beats knowing nothing"
DETECTED = ("helps", "hurts", BEYOND_NOTHING)
MORE_DATA = N_("more data")
TRIED = (1, 2, 5)  # times powers of ten: the numbers of trials after which the best so far is shown
KINDS = {
    "half the width": N_("less complexity"),
    "early stopping": N_("early stopping"),
    "all together": N_("all together"),
}
REGULARIZATION = N_("regularization")


@dataclass(frozen=True)
class Known(Interval):
    """An interval all of whose numbers are known; `is_known` tells the type checker of one."""

    mean: float
    low: float
    high: float


def score_of(arm: Arm, split: str, metric: str) -> Interval:
    """Return an arm's score; an empty interval where it was not scored."""
    return arm.scores.get(split, {}).get(metric) or NOTHING


def difference_of(arm: Arm) -> Interval:
    """Return an arm's difference from its reference; an empty interval where it was not compared."""
    return arm.difference or NOTHING


def is_known(interval: Interval | None) -> TypeGuard[Known]:
    """Return whether an interval and all of its numbers are known."""
    return interval is not None and interval.is_known


def is_compared(arm: Arm) -> bool:
    """Return whether an arm was compared with its reference."""
    return difference_of(arm).mean is not None


def by_loss(arms: list[Arm], loss: str) -> list[Arm]:
    """Return the arms that were scored, the lowest holdout loss first."""
    return _in_order(arms, lambda arm: score_of(arm, "holdout", loss).mean)


def by_difference(arms: list[Arm]) -> list[Arm]:
    """Return the arms that were compared, the largest fall of the loss first."""
    return _in_order(arms, lambda arm: difference_of(arm).mean)


def by_x(arms: list[Arm]) -> list[Arm]:
    """Return the arms that have a place on their factor's scale, the lowest first."""
    return _in_order(arms, lambda arm: arm.x)


def _in_order(arms: list[Arm], key: Callable[[Arm], float | None]) -> list[Arm]:
    keyed = [(number, arm) for arm in arms if (number := key(arm)) is not None]
    return [arm for _, arm in sorted(keyed, key=lambda pair: pair[0])]


def more_data(study: Study) -> Arm | None:
    """Return the arm of all training rows without a remedy, compared with half of the rows; None if there is none."""
    arms = [arm for arm in study.section("learning_curve") if arm.group == "without" and is_compared(arm)]
    return max(arms, key=lambda arm: arm.x or 0, default=None)


def remedies(study: Study) -> list[Arm]:
    """Return the remedies, alone and all together, that were compared with the baseline."""
    arms = study.section("remedies")
    return [arm for arm in arms if arm.group in ("single", "together") and is_compared(arm)]


def ranked(study: Study) -> list[Arm]:
    """Return more data and all remedies, the largest fall of the loss on new rows first."""
    more = more_data(study)
    return by_difference([*([more] if more else []), *remedies(study)])


def kind_of(arm: Arm) -> str:
    """Return the kind of a remedy, in textbook terms; `_` translates it."""
    return MORE_DATA if arm.section == "learning_curve" else KINDS.get(arm.factor, REGULARIZATION)


def remedy_name(arm: Arm) -> str:
    """Return the shown name of a remedy; that of more data has the numbers of rows that are compared."""
    if arm.section != "learning_curve":
        return full_name(arm)
    sizes = compared_sizes(arm)
    return _("more data ({sizes})").format(sizes=sizes) if sizes else _(MORE_DATA)


def compared_sizes(arm: Arm) -> str:
    """Return the numbers of rows that more data is compared by; an empty text where they are not known."""
    before = (arm.reference or "").partition(" ")[0]
    if not before.isdigit():
        return ""
    return _("{before:,} to {after:,.0f} rows").format(before=int(before), after=arm.x or arm.train_rows)


def share_of_reference(arm: Arm, study: Study) -> Interval:
    """Return an arm's difference as a share of its reference's holdout loss."""
    reference = next((other for other in study.section(arm.section) if other.name == arm.reference), None)
    loss = score_of(reference, "holdout", study.about.loss).mean if reference else None
    return difference_of(arm).scaled(1 / loss) if loss else NOTHING


def carried_by_few(arm: Arm) -> Influence | None:
    """Return the influential rows without which less than half of the difference is left, or one of the other sign."""
    difference = difference_of(arm).mean
    if arm.influence is None or not difference:
        return None
    return arm.influence if arm.influence.without / difference < 0.5 else None


def best_so_far(study: Study) -> list[tuple[int, Incumbent | Optimism]]:
    """Return the best trial after 1, 2, 5, 10, 20, ... and after all trials; if unknown, the winner alone."""
    optimism, path = study.optimism, sorted(study.overtuning or [], key=lambda trial: trial.trials)
    if not path:
        return [(optimism.trials, optimism)] if optimism else []
    total = max(path[-1].trials, optimism.trials if optimism else 0)
    rounded = [step * 10**power for power in range(len(str(total))) for step in TRIED]
    tried = [number for number in rounded if path[0].trials <= number < total] + [total]
    return [(number, [trial for trial in path if trial.trials <= number][-1]) for number in tried]


def short_name(arm: Arm) -> str:
    """Return `adam` for `adam, rate 0.001`, `32` for `32, without`, `relu` for `activation relu`."""
    return shown(_shortened(arm, arm.name))


def short_reference(arm: Arm) -> str:
    """Return the short name of an arm's reference, which is of the same kind."""
    return shown(_shortened(arm, arm.reference or ""))


def full_name(arm: Arm) -> str:
    """Return the shown name of an arm, as the records have it."""
    return shown(arm.name)


def _shortened(arm: Arm, name: str) -> str:
    if arm.group == "tuned":
        return name.partition(",")[0]
    name = name.removesuffix(f", {arm.group}")
    return name.removeprefix(f"{arm.factor} ") if arm.section == "activations" else name


def method(arm: Arm) -> str:
    """Return an arm's training method, as the records have it: gradient descent, mini-batches or single examples."""
    return arm.name.partition(",")[0]


def reference_of(arms: list[Arm]) -> Arm | None:
    """Return the arm that the others are compared with; None if it is not among them."""
    references = {arm.reference for arm in arms}
    return next((arm for arm in arms if arm.name in references), None)


def changes_of(arm: Arm) -> str:
    """Return the settings that are not the baseline's, as one line."""
    return ", ".join(f"{name} {_as_text(value)}" for name, value in arm.changes.items()) or _("none")


def _as_text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
