"""Texts that say in words what each picture shows, for readers who do not see it."""

import math

from experiments.records import Arm, Incumbent, Optimism, RemedyGroup, SectionName, Study, StudyRun
from experiments.report.arms import (
    DETECTED,
    best_so_far,
    by_difference,
    by_x,
    difference_of,
    full_name,
    ranked,
    remedy_name,
    score_of,
    short_name,
)
from experiments.report.language import _
from experiments.report.numbers import UNKNOWN, Numbers, clauses, epoch, joined, listed, sentence
from experiments.report.recorded import shown


class Alt:
    """The alternative texts of one study's pictures."""

    def __init__(self, study: Study, run: StudyRun, numbers: Numbers) -> None:
        self.study, self.run, self.numbers = study, run, numbers

    def baseline(self) -> str:
        """Return a text with the ends of the curves, and the onset."""
        arm, overfits = self.study.section("remedies")[0], self.study.overfits
        onset = overfits.onset_epoch if overfits.rises else None
        train, held_out = (score_of(arm, split, self.numbers.loss).mean for split in ("train", "holdout"))
        text = _(
            "Line chart over the epochs: {loss} of the baseline on training and on holdout rows. At the end it is "
            "{train} and {held_out}; on holdout rows it is lowest at epoch {best_epoch} and {rise} above that at the "
            "end."
        ).format(
            loss=self.numbers.loss_name,
            train=self._loss(train),
            held_out=self._loss(held_out),
            best_epoch=epoch(arm.best_epoch.mean),
            rise=self._loss(overfits.rise.mean),
        )
        if onset is None:
            return text
        return text + _(" A line marks epoch {onset}, from which new rows get worse.").format(onset=epoch(onset))

    def remedies(self) -> str:
        """Return a text with every difference that was detected, and the range of the others."""
        left_out = [arm for arm in self.study.section("remedies") if arm.group == "leave_one_out"]
        arms = by_difference([*ranked(self.study), *left_out])
        parts = [
            _("{difference}, {verdict}").format(difference=self._difference(arm), verdict=shown(arm.verdict))
            for arm in arms
            if arm.verdict in DETECTED
        ]
        rest = [arm for arm in arms if arm.verdict not in DETECTED]
        if len(rest) == 1:
            parts.append(
                _("no detectable difference for 1, from {difference}").format(difference=self._difference(rest[0]))
            )
        if len(rest) > 1:
            parts.append(
                _("no detectable difference for {n}, from {lowest} to {highest}").format(
                    n=len(rest), lowest=self._difference(rest[0]), highest=self._difference(rest[-1])
                )
            )
        return _("Forest plot of changes of the {loss} on new rows, below 0 is better. {Arms}.").format(
            loss=self.numbers.loss_name, Arms=sentence(clauses(parts))
        )

    def _difference(self, arm: Arm) -> str:
        return f"{remedy_name(arm)} {self._loss(difference_of(arm).mean, True)}"

    def learning_curve(self) -> str:
        """Return a text with the ends of each curve, and the prediction."""
        parts = []
        names: dict[RemedyGroup, str] = {"without": _("the baseline"), "with": _("the chosen remedy")}
        for group, name in names.items():
            arms = [arm for arm in self.study.section("learning_curve") if arm.group == group]
            if not arms:
                continue
            parts.append(_("{arm}: {ends}").format(arm=name, ends=self._ends(arms, _("{loss} at {x:,.0f} rows"))))
            law = (self.study.power_law or {}).get(group)
            if law and law.predicted_twice is not None:
                parts[-1] += _(", and {loss} predicted at {rows:,} rows").format(
                    loss=self._loss(law.predicted_twice), rows=2 * law.rows
                )
        return _("Holdout {loss} against training rows, with intervals. {Arms}.").format(
            loss=self.numbers.loss_name, Arms=sentence(clauses(parts))
        )

    def capacity(self) -> str:
        """Return a text with the ends of each curve and its lowest point."""
        parts = []
        for group, name in (("without", _("without a remedy")), ("with", _("with the chosen remedy"))):
            arms = [arm for arm in self.study.section("capacity") if arm.group == group and arm.factor == "width"]
            if not arms:
                continue
            ends, best = self._ends(arms, _("{loss} at {x:,.0f} units")), min(arms, key=self._rank)
            parts.append(_("{group}: {ends}, lowest at {x:,.0f} units").format(group=name, ends=ends, x=best.x))
        return _("Training and holdout {loss} against the width. Holdout {arms}.").format(
            loss=self.numbers.loss_name, arms=clauses(parts)
        )

    def optimizers(self) -> str:
        """Return a text with every optimizer's loss."""
        groups = {"defaults": _("at Keras' defaults"), "tuned": _("at the best of ten settings")}
        return self._dots("optimizers", groups)

    def activations(self) -> str:
        """Return a text with every activation's loss."""
        return self._dots("activations", {"activation": _("activation"), "loss": _("loss that is trained with")})

    def _dots(self, section: SectionName, groups: dict[str, str]) -> str:
        parts = []
        for group, title in groups.items():
            arms = [arm for arm in self.study.section(section) if arm.group == group and arm.chosen]
            arms = sorted(arms, key=self._rank)
            losses = [f"{short_name(arm)} {self._loss(self._holdout(arm))}" for arm in arms]
            if arms:
                parts.append(_(" {Title}: {losses}.").format(Title=sentence(title), losses=joined(losses)))
        chart = _("Dot chart of holdout {loss} with intervals, lowest first.").format(loss=self.numbers.loss_name)
        return chart + ("".join(parts) or " ")

    def memorization(self) -> str:
        """Return a text with the scores at the last epoch."""
        metric = self.numbers.score
        parts = [
            _("{labels}: training {train}, holdout {held_out}").format(
                labels=full_name(arm),
                train=self.numbers.scores(score_of(arm, "train", metric)),
                held_out=self.numbers.scores(score_of(arm, "holdout", metric)),
            )
            for arm in self.study.section("memorization")
        ]
        return _("Line charts of {score} on training and holdout rows over the epochs. At the end, {labels}.").format(
            score=self.numbers.score_name, labels=clauses(parts)
        )

    def winner(self) -> str:
        """Return a text with the promised loss of the best trial so far, and its losses with fresh seeds."""
        steps = [
            _("best of {trials:,}, {losses}").format(trials=tried, losses=listed(self._losses_of(best)))
            for tried, best in best_so_far(self.study)
        ]
        return _("The {loss} of the best trial so far: {steps}.").format(
            loss=self.numbers.loss_name, steps=clauses(steps) or _("not known")
        )

    def _losses_of(self, trial: Optimism | Incumbent) -> list[str]:
        scores = (
            (_("{loss} with fresh seeds on the same rows"), trial.same_rows),
            (_("{loss} on rows that chose nothing"), trial.fresh),
            (_("{loss} on test rows"), trial.test),
        )
        promised = _("{loss} promised").format(loss=self._loss(trial.promised))
        return [promised, *(text.format(loss=self._loss(score.mean)) for text, score in scores if score is not None)]

    def _loss(self, value: float | None, sign: bool = False) -> str:
        return self.numbers.loss_text(value, sign)

    def _holdout(self, arm: Arm) -> float | None:
        return score_of(arm, "holdout", self.numbers.loss).mean

    def _rank(self, arm: Arm) -> float:
        """Return the holdout loss as a key to sort by, which puts arms without one last."""
        loss = self._holdout(arm)
        return math.inf if loss is None else loss

    def _ends(self, arms: list[Arm], at_size: str) -> str:
        """Return the losses of the smallest and the largest size; `at_size` is a message with `{loss}` and `{x}`."""
        arms = by_x(arms)
        if not arms:
            return UNKNOWN
        ends = [at_size.format(loss=self._loss(self._holdout(arm)), x=arm.x) for arm in (arms[0], arms[-1])]
        return listed(ends)
