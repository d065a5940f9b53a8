"""The questions of a study: their arms, trained in the order in which they depend on each other."""

from typing import Any, Protocol

from experiments.study import arms
from experiments.study.arms import WITH, WITHOUT, Arm
from experiments.study.choices import chosen_remedy
from experiments.study.jobs import Job, Result
from experiments.study.rows import Rows
from experiments.study.scored import Compared, Scored, score
from pipeline.settings import Settings

FEWEST_PER_CLASS = 2  # training rows, on average, at the small end of the learning curve
FEWEST_ROWS = 16


class Trains(Protocol):
    """The part of `study_workers.Trainings` that is needed."""

    results: dict[Job, Result]

    def run(self, jobs: list[Job], label: str) -> None: ...


class Sections:
    """Trains the arms of each question.

    Attributes:
        scored: by section, its trained arms.
    """

    def __init__(self, settings: Settings, rows: Rows, seeds: list[int], search: dict[str, Any], trainings: Trains):
        self.settings, self.rows, self.seeds, self.search, self.trainings = settings, rows, seeds, search, trainings
        self.scored: dict[str, list[Scored]] = {}

    def train(self, asked: list[Arm], label: str) -> None:
        """Train arms, each under its section."""
        asked = [arm for arm in asked if arm.section in self.settings.study.sections]
        self.trainings.run([Job.of(arm) for arm in asked], label)
        for arm in asked:
            result = self.trainings.results[Job.of(arm)]
            self.scored.setdefault(arm.section, []).append(score(arm, result, self.rows, self.seeds))

    @property
    def base(self) -> Scored:
        """The baseline."""
        return self.scored["remedies"][0]

    def run(self) -> None:
        """All of them."""
        settings, is_classification = self.settings, self.rows.problem.is_classification
        single = arms.remedies(settings, is_classification)
        self.train(
            [
                *single,
                *self.curves(single[0], WITHOUT),
                *arms.optimizers(settings),
                *arms.batches(settings, self.rows.train.shape[1]),
                *arms.activations(settings, is_classification),
                *(arms.memorization(settings) if is_classification else []),
                *arms.winner(settings, self.search),
            ],
            "each alone",
        )
        single = Compared.of(self.scored["remedies"]).choices("single")
        self.train(arms.combined(settings, [each.arm for each in single]), "all together")
        remedy = chosen_remedy(Compared.of(self.scored["remedies"]))
        if remedy is not None:
            self.train(self.curves(remedy.arm, WITH), "with the chosen remedy")

    def curves(self, arm: Arm, group: str) -> list[Arm]:
        """The arm over training sizes and over shapes."""
        fewest = max(FEWEST_ROWS, FEWEST_PER_CLASS * self.rows.problem.n_outputs)
        sizes = arms.learning_curve(self.settings, arm, group, self.rows.train.shape[1], fewest)
        return sizes + arms.capacity(self.settings, arm, group)
