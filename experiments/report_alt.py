"""What each picture shows, in words, for those who do not see it."""

import math

from experiments.report_arms import score_of, short_name
from experiments.report_numbers import UNKNOWN, Numbers, epoch, listed, sentence
from experiments.study_record import Arm, SectionName, Study, StudyRun


class Alt:
    """The alternative texts of one study's pictures."""

    def __init__(self, study: Study, run: StudyRun, numbers: Numbers) -> None:
        self.study, self.run, self.numbers = study, run, numbers

    def baseline(self) -> str:
        """The curves by their ends, and the onset."""
        arm = self.study.section("remedies")[0]
        found = self.study.overfits
        onset = found.onset_epoch if found.answer else None
        at = "" if onset is None else f" A line marks the onset of overfitting at epoch {epoch(onset)}."
        return (
            f"Line chart over the epochs: training, validation and holdout {self.numbers.loss_name} of the baseline. "
            f"Validation is lowest at epoch {epoch(arm.best_epoch.mean)} and at the end "
            f"{self._loss(arm.rise.mean)} above that.{at}"
        )

    def remedies(self) -> str:
        """Every difference that was detected, and the range of the others."""
        arms = [arm for arm in self.study.section("remedies") if arm.difference and arm.difference.mean is not None]
        arms = sorted(arms, key=lambda arm: arm.difference.mean)
        told = [f"{self._difference(arm)}, {arm.verdict}" for arm in arms if arm.verdict in ("helps", "hurts")]
        rest = [arm for arm in arms if arm.verdict not in ("helps", "hurts")]
        if rest:
            between = " to ".join(self._difference(arm) for arm in [rest[0], *rest[1:][-1:]])
            told.append(f"no detectable difference for {len(rest)}, from {between}")
        name = self.numbers.loss_name
        return f"Forest plot of differences in holdout {name}, below 0 is better. {sentence('; '.join(told))}."

    def _difference(self, arm: Arm) -> str:
        return f"{arm.name} {self.numbers.loss_text(arm.difference.mean, True)}"

    def learning_curve(self) -> str:
        """Each curve by its ends, and the prediction."""
        parts = []
        for group, name in (("without", "the baseline"), ("with", "the chosen remedy")):
            own = [arm for arm in self.study.section("learning_curve") if arm.group == group]
            if not own:
                continue
            parts.append(f"{name}: {self._ends(own, 'rows')}")
            law = (self.study.power_law or {}).get(group)
            if law and law.predicted_twice is not None:
                parts[-1] += f", and {self._loss(law.predicted_twice)} predicted at {2 * law.rows:,} rows"
        return f"Holdout {self.numbers.loss_name} against training rows, with intervals. {sentence('; '.join(parts))}."

    def capacity(self) -> str:
        """Each curve by its ends and its lowest point."""
        parts = []
        for group, name in (("without", "without a remedy"), ("with", "with the chosen remedy")):
            own = [arm for arm in self.study.section("capacity") if arm.group == group and arm.factor == "width"]
            if not own:
                continue
            best = min(own, key=lambda arm: self._holdout(arm, math.inf))
            parts.append(f"{name}: {self._ends(own, 'units')}, lowest at {best.x:,.0f} units")
        return f"Training and holdout {self.numbers.loss_name} against the width. Holdout {'; '.join(parts)}."

    def optimizers(self) -> str:
        """Every optimizer's loss."""
        groups = {"defaults": "at Keras' defaults", "tuned": "tuned"}
        return self._dots("optimizers", groups)

    def activations(self) -> str:
        """Every activation's loss."""
        return self._dots("activations", {"activation": "activation", "loss": "loss that is trained with"})

    def _dots(self, section: SectionName, groups: dict[str, str]) -> str:
        parts = []
        for group, title in groups.items():
            own = [arm for arm in self.study.section(section) if arm.group == group]
            own = sorted(own, key=lambda arm: self._holdout(arm, math.inf))
            losses = [f"{short_name(arm)} {self._loss(self._holdout(arm, None))}" for arm in own]
            parts += [f"{sentence(title)}: {', '.join(losses)}."] if own else []
        return f"Dot chart of holdout {self.numbers.loss_name} with intervals, lowest first. {' '.join(parts)}"

    def memorization(self) -> str:
        """The scores at the end."""
        metric = self.numbers.score
        told = [
            f"{arm.name}: training {self.numbers.scores(score_of(arm, 'train', metric))}, "
            f"validation {self.numbers.scores(score_of(arm, 'val', metric))}"
            for arm in self.study.section("memorization")
        ]
        name = self.numbers.score_name
        return f"Line charts of training and validation {name} over the epochs. At the end, {'; '.join(told)}."

    def winner(self) -> str:
        """What was promised and what came."""
        optimism, path = self.study.optimism, self.study.overtuning or []
        parts = []
        if optimism:
            parts.append(f"promised {self._loss(optimism.promised)}, fresh seeds {self._loss(optimism.fresh.mean)}")
            if optimism.test:
                parts[-1] += f", test rows {self._loss(optimism.test.mean)}"
        steps = [
            f"trial {each.trial} {self._loss(each.promised)} promised, "
            f"{self._loss(each.test.mean if each.test else None)} on test rows"
            for each in path
        ]
        along = f" The best so far along the search: {'; '.join(steps)}." if steps else ""
        return f"The winner's {self.numbers.loss_name}: {listed(parts) or 'not known'}.{along}"

    def _loss(self, value: float | None) -> str:
        return self.numbers.loss_text(value)

    def _holdout(self, arm: Arm, otherwise: float) -> float:
        mean = score_of(arm, "holdout", self.numbers.loss).mean
        return otherwise if mean is None else mean

    def _ends(self, arms: list[Arm], noun: str) -> str:
        arms = sorted((arm for arm in arms if arm.x is not None), key=lambda arm: arm.x)
        if not arms:
            return UNKNOWN
        ends = [f"{self._loss(self._holdout(arm, None))} at {arm.x:,.0f} {noun}" for arm in (arms[0], arms[-1])]
        return " and ".join(ends)
