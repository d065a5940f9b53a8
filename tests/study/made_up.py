"""Arms with losses that are made up by the fixture `scored`, and their records."""

from collections.abc import Callable

from experiments import records as record
from experiments.study.arm_records import records
from experiments.study.arms import BASELINE
from experiments.study.compared import Compared
from experiments.study.scored import Scored

Makes = Callable[..., Scored]


def records_by_name(arms: list[Scored]) -> dict[str, record.Arm]:
    """Return the arms' records by name; the first arm is the baseline."""
    return {arm.name: arm for arm in records(Compared.of(arms), arms[0], {})}


def baseline(scored: Makes, loss: float = 0.3) -> Scored:
    return scored(BASELINE, loss, group=BASELINE, reference=None)
