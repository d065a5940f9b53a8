"""The arms of a section, each compared with its reference row by row."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

import numpy as np

from experiments.study.arms import Arm
from experiments.study.held_out import HeldOut
from experiments.study.scored import Scored, chosen
from pipeline.statistics.comparisons import (
    Finding,
    Influence,
    Verdict,
    estimates,
    influence,
    judge,
    probability_better,
)
from pipeline.statistics.intervals import Estimate, Interval


@dataclass(frozen=True)
class Judged:
    """An arm's comparison with its reference; where several arms compete to be the reference, with the chosen one."""

    reference: str
    verdict: Verdict
    probability_better: Interval
    influence: Influence | None


@dataclass(frozen=True, eq=False)
class Compared:
    """The arms of one section and what their comparisons have found.

    Attributes:
        arms: in their order; the best of competing arms with the scores of the choice, see `scored.crossfitted`.
        chosen: the names of the arms that compete with none or are the choice.
        judged: the comparisons, by the name of the arm that is compared.
    """

    arms: list[Scored]
    chosen: Set[str]
    judged: Mapping[str, Judged]

    @classmethod
    def of(cls, arms: list[Scored]) -> "Compared":
        """Choose among the arms of a section that compete, and compare the chosen ones."""
        choices = {arm.name: arm for arm in chosen(arms)}
        return cls([choices.get(arm.name, arm) for arm in arms], frozenset(choices), judged([*choices.values()]))

    def choices(self, *groups: str) -> list[Scored]:
        """Return the chosen arms of these groups."""
        return [arm for arm in self.arms if arm.name in self.chosen and arm.group in groups]

    def finding(self, arm: Scored) -> Finding | None:
        """Return the verdict on an arm; None where it is compared with none."""
        return self.judged[arm.name].verdict.finding if arm.name in self.judged else None

    def with_judged(self, name: str, comparison: Judged) -> "Compared":
        """Return the section with a comparison that was made on other rows than those held out."""
        return replace(self, judged={**self.judged, name: comparison})


def judged(arms: list[Scored]) -> dict[str, Judged]:
    """Compare the arms of a section that have a reference, and return the comparisons by the arm's name.

    Args:
        arms: the section's arms, competing ones as `scored.chosen` returns them.
    """
    references = _references(arms)
    questions: dict[str, list[tuple[Scored, Scored]]] = {}
    for arm in arms:
        if arm.configuration.reference is None:
            continue
        reference = references[arm.configuration.reference]
        if np.isfinite(arm.loss_rows - reference.loss_rows).any():
            questions.setdefault(question(arm.configuration), []).append((arm, reference))
    return {
        arm.name: comparison
        for pairs in questions.values()
        for (arm, _), comparison in zip(pairs, _judged(pairs), strict=True)
    }


def question(arm: Arm) -> str:
    """Return the question of its section that an arm answers, in which verdicts are adjusted for their number."""
    return "alone and together" if arm.group in ("single", "together") else arm.group


def _references(arms: list[Scored]) -> dict[str, Scored]:
    """Return the arms by name, and a choice under the names of all arms that compete for it."""
    names = {arm.name: arm for arm in arms}
    for arm in arms:
        names |= {name: arm for name in (arm.picks[1] if arm.picks else []) if name not in names}
    return names


def _judged(pairs: list[tuple[Scored, Scored]]) -> list[Judged]:
    """Compare the arms that answer one question, each with its reference."""
    ring = pairs[0][0].rows.ring
    differences = [arm.loss_rows - reference.loss_rows for arm, reference in pairs]
    mean_differences = estimates(differences, ring)
    better = [
        arm if difference.mean < 0 else reference
        for (arm, reference), difference in zip(pairs, mean_differences, strict=True)
    ]
    verdicts = judge(mean_differences, estimates([arm.loss_rows - arm.floor_rows(arm.loss) for arm in better], ring))
    comparisons = []
    for (arm, reference), of_rows, verdict in zip(pairs, differences, verdicts, strict=True):
        factor = loss_factor(arm.loss, arm.mean_loss, reference.mean_loss)
        influential = influence(of_rows, ring.weights)
        by_seed = (scored.table[f"holdout_{arm.loss}"].to_numpy() for scored in (arm, reference))
        comparisons.append(
            Judged(
                reference=reference.name,
                verdict=verdict.scaled(factor),
                probability_better=probability_better(*by_seed),
                influence=replace(influential, without=influential.without * factor),
            )
        )
    return comparisons


def loss_factor(loss: str, one: float, other: float) -> float:
    """Return what makes a difference of two mean row losses one of the losses themselves: 1 but for RMSE."""
    return 1 / (one + other) if loss == "rmse" and one + other > 0 else 1.0


def over_nothing(arm: HeldOut) -> Estimate:
    """Estimate the holdout loss of an arm less that of knowing nothing, a mean over rows."""
    return estimates([arm.loss_rows - arm.floor_rows(arm.loss)], arm.rows.ring)[0]
