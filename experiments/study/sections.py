"""The sections of a study: their arms, trained in the order in which they depend on each other, and compared."""

from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console

from experiments.study.arms import WITH, WITHOUT, Arm
from experiments.study.choices import chosen_remedy
from experiments.study.compared import Compared
from experiments.study.jobs import Job, Result
from experiments.study.questions.activations import activations
from experiments.study.questions.batches import batches
from experiments.study.questions.capacity import capacity
from experiments.study.questions.learning_curve import learning_curve
from experiments.study.questions.memorization import memorization
from experiments.study.questions.optimizers import optimizers
from experiments.study.questions.remedies import combined, remedies
from experiments.study.questions.winner import winner
from experiments.study.rows import Rows
from experiments.study.scored import Scored, chosen, score
from pipeline.data.examples import Problem
from pipeline.errors import InputError
from pipeline.settings import ArmSection, Model, Settings
from pipeline.training.checks import check_shared_validation, check_task

FEWEST_PER_CLASS = 2  # training rows, on average, at the small end of the learning curve
FEWEST_ROWS = 16

Arms = dict[ArmSection, list[Scored]]


class Trains(Protocol):
    """The part of `trainings.Trainings` that is needed."""

    results: dict[Job, Result]
    console: Console | None

    def run(self, jobs: list[Job], label: str) -> None: ...


@dataclass(frozen=True, eq=False)
class Sections:
    """The sections of one study, before anything is trained.

    Attributes:
        search: the content of `search.json`; empty where no section asks for it.
    """

    settings: Settings
    rows: Rows
    seeds: list[int]
    search: dict[str, Any]
    trainings: Trains

    def run(self) -> dict[ArmSection, Compared]:
        """Train the arms of all sections, compare each section once, and return them in the order of their training."""
        settings, is_classification = self.settings, self.rows.problem.is_classification
        alone = remedies(settings, is_classification)
        arms = self._train(
            [
                *alone,
                *self._sizes_and_shapes(alone[0], WITHOUT),
                *optimizers(settings),
                *batches(settings, self.rows.train.shape[1]),
                *activations(settings, is_classification),
                *(memorization(settings) if is_classification else []),
                *winner(settings, self.search),
            ],
            "each alone",
        )
        strengths = {arm.name for arm in chosen(arms["remedies"]) if arm.group == "single"}
        together = combined(settings, [arm for arm in alone if arm.name in strengths])
        arms["remedies"] += self._train(together, "all together").get("remedies", [])
        compared_remedies = Compared.of(arms.pop("remedies"))
        remedy = chosen_remedy(compared_remedies)
        if remedy is not None:
            with_remedy = self._sizes_and_shapes(remedy.configuration, WITH)
            for section, more in self._train(with_remedy, "with the chosen remedy").items():
                arms.setdefault(section, []).extend(more)
        others = {section: Compared.of(of_section) for section, of_section in arms.items()}
        return {"remedies": compared_remedies, **others}

    def _train(self, arms: list[Arm], label: str) -> Arms:
        """Train the arms of the sections that are asked for, and return them by section."""
        arms = [arm for arm in arms if arm.section in self.settings.study.sections]
        for arm in arms:
            check_task(arm.train, self.rows.problem)
            check_shared_validation(arm.train, are_shared=False)
        _check_settings_matter(arms, self.rows.problem)
        self.trainings.run([Job.of(arm) for arm in arms], label)
        by_section: Arms = {}
        for arm in arms:
            result = self.trainings.results[Job.of(arm)]
            by_section.setdefault(arm.section, []).append(score(arm, result, self.rows, self.seeds))
        return by_section

    def _sizes_and_shapes(self, arm: Arm, group: str) -> list[Arm]:
        """Return an arm over training sizes and over shapes of the network."""
        n = self.rows.train.shape[1]
        fewest = max(FEWEST_ROWS, FEWEST_PER_CLASS * self.rows.problem.n_outputs)
        return [*learning_curve(self.settings, arm, group, n, fewest), *capacity(self.settings, arm, group)]


def _check_settings_matter(arms: list[Arm], problem: Problem) -> None:
    """Refuse settings that a network of the user's own does not use: their arms would be one training under two names.

    Raises:
        InputError: arms that differ in the section `model` alone have the same network.
    """
    custom = [arm for arm in arms if arm.model.build]
    if not custom:
        return
    from pipeline.training.model import build_network  # imports Keras, which takes seconds and is needed here alone

    networks = {model: build_network(model, problem).to_json() for model in dict.fromkeys(arm.model for arm in custom)}
    unused: set[str] = set()
    for arm in custom:
        for other in custom:
            if (arm.train, arm.rows, arm.labels) == (other.train, other.rows, other.labels):
                changed = [name for name, value in arm.model if value != getattr(other.model, name)]
                if len(changed) == 1 and networks[arm.model] == networks[other.model]:
                    unused.add(changed[0])
    if unused:
        names = ", ".join(f"model.{name}" for name in Model.model_fields if name in unused)
        raise InputError(
            f"study: the network of model.build {custom[0].model.build} does not use {names}; take the arms that "
            "change these out of the section study"
        )
