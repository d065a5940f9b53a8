"""The sentences of the report's sections, which follow from the recorded numbers whichever way they point.

Each file answers one question with `describe`, which the page calls by the name of the section.
"""

from collections.abc import Callable

from experiments.records import SectionName
from experiments.report.evidence import Evidence
from experiments.report.questions import (
    activations,
    capacity,
    learning_curve,
    memorization,
    optimizers,
    remedies,
    winner,
)

DESCRIBE: dict[SectionName, Callable[[Evidence], list[str]]] = {
    "remedies": remedies.describe,
    "learning_curve": learning_curve.describe,
    "capacity": capacity.describe,
    "optimizers": optimizers.describe,
    "activations": activations.describe,
    "memorization": memorization.describe,
    "winner": winner.describe,
}
