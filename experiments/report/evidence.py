"""The evidence that the report's sections are written from: the recorded numbers of a study, and words for them."""

from experiments.records import Arm, Influence, SectionName, Study, StudyRun
from experiments.report.answers import Answers
from experiments.report.arms import DETECTED, by_difference, carried_by_few, ranked, remedies
from experiments.report.numbers import Numbers
from experiments.report.phrases import Phrases


class Evidence:
    """The recorded numbers of one study, with what says them.

    Attributes:
        baseline: the arm that remedies are compared with.
    """

    def __init__(self, study: Study, run: StudyRun, numbers: Numbers) -> None:
        self.study, self.run, self.numbers = study, run, numbers
        self.answers, self.phrases = Answers(study, numbers), Phrases(study, numbers)
        self.baseline = self.answers.baseline

    def few_rows(self, section: SectionName) -> list[str]:
        """Return the sentence about differences that a few rows carry; an empty list if there are none."""
        arms = carried(self.study, section)
        return [self.phrases.few_rows(arms)] if arms else []


def carried(study: Study, section: SectionName) -> list[tuple[Arm, Influence]]:
    """Return the arms of a section whose difference a few rows carry, of those with a finding and the best remedy."""
    arms = study.section(section)
    if section == "remedies":
        arms = ranked(study) + [arm for arm in arms if arm.group == "leave_one_out"]
    best = best_remedy(study)
    arms = [arm for arm in arms if arm.verdict in DETECTED or arm is best]
    return [(arm, influence) for arm in arms if (influence := carried_by_few(arm))]


def best_remedy(study: Study) -> Arm | None:
    """Return the remedy that lowers the loss most; None where none was compared."""
    return next(iter(by_difference(remedies(study))), None)
