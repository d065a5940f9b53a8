"""Texts that say in words what each picture shows, for readers who do not see it."""

import math

from experiments.records import Arm, Incumbent, Optimism, RemedyGroup, SectionName, Study, StudyRun
from experiments.report.arms import (
    DETECTED,
    best_so_far,
    by_difference,
    by_x,
    difference_of,
    ranked,
    remedy_name,
    score_of,
    short_name,
)
from experiments.report.numbers import UNKNOWN, Numbers, epoch, listed, sentence


class Alt:
    """The alternative texts of one study's pictures."""

    def __init__(self, study: Study, run: StudyRun, numbers: Numbers) -> None:
        self.study, self.run, self.numbers = study, run, numbers

    def baseline(self) -> str:
        """Return a text with the ends of the curves, and the onset."""
        arm, overfits = self.study.section("remedies")[0], self.study.overfits
        onset = overfits.onset_epoch if overfits.rises else None
        at = "" if onset is None else f" A line marks epoch {epoch(onset)}, from which new rows get worse."
        train, held_out = (score_of(arm, split, self.numbers.loss).mean for split in ("train", "holdout"))
        return (
            f"Line chart over the epochs: {self.numbers.loss_name} of the baseline on training and on holdout rows. "
            f"At the end it is {self._loss(train)} and {self._loss(held_out)}; on holdout rows it is lowest at epoch "
            f"{epoch(arm.best_epoch.mean)} and {self._loss(overfits.rise.mean)} above that at the end.{at}"
        )

    def remedies(self) -> str:
        """Return a text with every difference that was detected, and the range of the others."""
        left_out = [arm for arm in self.study.section("remedies") if arm.group == "leave_one_out"]
        arms = by_difference([*ranked(self.study), *left_out])
        parts = [f"{self._difference(arm)}, {arm.verdict}" for arm in arms if arm.verdict in DETECTED]
        rest = [arm for arm in arms if arm.verdict not in DETECTED]
        if rest:
            between = " to ".join(self._difference(arm) for arm in [rest[0], *rest[1:][-1:]])
            parts.append(f"no detectable difference for {len(rest)}, from {between}")
        name = self.numbers.loss_name
        return f"Forest plot of changes of the {name} on new rows, below 0 is better. {sentence('; '.join(parts))}."

    def _difference(self, arm: Arm) -> str:
        return f"{remedy_name(arm)} {self._loss(difference_of(arm).mean, True)}"

    def learning_curve(self) -> str:
        """Return a text with the ends of each curve, and the prediction."""
        parts = []
        names: dict[RemedyGroup, str] = {"without": "the baseline", "with": "the chosen remedy"}
        for group, name in names.items():
            arms = [arm for arm in self.study.section("learning_curve") if arm.group == group]
            if not arms:
                continue
            parts.append(f"{name}: {self._ends(arms, 'rows')}")
            law = (self.study.power_law or {}).get(group)
            if law and law.predicted_twice is not None:
                parts[-1] += f", and {self._loss(law.predicted_twice)} predicted at {2 * law.rows:,} rows"
        return f"Holdout {self.numbers.loss_name} against training rows, with intervals. {sentence('; '.join(parts))}."

    def capacity(self) -> str:
        """Return a text with the ends of each curve and its lowest point."""
        parts = []
        for group, name in (("without", "without a remedy"), ("with", "with the chosen remedy")):
            arms = [arm for arm in self.study.section("capacity") if arm.group == group and arm.factor == "width"]
            if not arms:
                continue
            best = min(arms, key=self._rank)
            parts.append(f"{name}: {self._ends(arms, 'units')}, lowest at {best.x:,.0f} units")
        return f"Training and holdout {self.numbers.loss_name} against the width. Holdout {'; '.join(parts)}."

    def optimizers(self) -> str:
        """Return a text with every optimizer's loss."""
        groups = {"defaults": "at Keras' defaults", "tuned": "at the best of ten settings"}
        return self._dots("optimizers", groups)

    def activations(self) -> str:
        """Return a text with every activation's loss."""
        return self._dots("activations", {"activation": "activation", "loss": "loss that is trained with"})

    def _dots(self, section: SectionName, groups: dict[str, str]) -> str:
        parts = []
        for group, title in groups.items():
            arms = [arm for arm in self.study.section(section) if arm.group == group and arm.chosen]
            arms = sorted(arms, key=self._rank)
            losses = [f"{short_name(arm)} {self._loss(self._holdout(arm))}" for arm in arms]
            parts += [f"{sentence(title)}: {', '.join(losses)}."] if arms else []
        return f"Dot chart of holdout {self.numbers.loss_name} with intervals, lowest first. {' '.join(parts)}"

    def memorization(self) -> str:
        """Return a text with the scores at the last epoch."""
        metric = self.numbers.score
        parts = [
            f"{arm.name}: training {self.numbers.scores(score_of(arm, 'train', metric))}, "
            f"holdout {self.numbers.scores(score_of(arm, 'holdout', metric))}"
            for arm in self.study.section("memorization")
        ]
        name = self.numbers.score_name
        return f"Line charts of {name} on training and holdout rows over the epochs. At the end, {'; '.join(parts)}."

    def winner(self) -> str:
        """Return a text with the promised loss of the best trial so far, and its losses with fresh seeds."""
        steps = [
            f"best of {tried:,}, {listed([f'{self._loss(best.promised)} promised', *self._worth(best)])}"
            for tried, best in best_so_far(self.study)
        ]
        return f"The {self.numbers.loss_name} of the best trial so far: {'; '.join(steps) or 'not known'}."

    def _worth(self, trial: Optimism | Incumbent) -> list[str]:
        scores = {
            "with fresh seeds on the same rows": trial.same_rows,
            "on rows that chose nothing": trial.fresh,
            "on test rows": trial.test,
        }
        return [f"{self._loss(score.mean)} {rows}" for rows, score in scores.items() if score is not None]

    def _loss(self, value: float | None, sign: bool = False) -> str:
        return self.numbers.loss_text(value, sign)

    def _holdout(self, arm: Arm) -> float | None:
        return score_of(arm, "holdout", self.numbers.loss).mean

    def _rank(self, arm: Arm) -> float:
        """Return the holdout loss as a key to sort by, which puts arms without one last."""
        loss = self._holdout(arm)
        return math.inf if loss is None else loss

    def _ends(self, arms: list[Arm], noun: str) -> str:
        arms = by_x(arms)
        if not arms:
            return UNKNOWN
        ends = [f"{self._loss(self._holdout(arm))} at {arm.x:,.0f} {noun}" for arm in (arms[0], arms[-1])]
        return " and ".join(ends)
