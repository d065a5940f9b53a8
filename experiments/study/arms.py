"""The arms of a study: configurations that are compared, each trained with every seed."""

from dataclasses import dataclass
from typing import Any, Final

from experiments.study.rows import Labels
from pipeline.choices import OPTIMIZERS, Optimizer
from pipeline.params import with_values
from pipeline.settings import REGULARIZERS, ArmSection, Model, Settings, Train, flat

BASELINE, BEST_EPOCH, TOGETHER = "baseline", "baseline at its best epoch", "all together"
WITHOUT: Final = "without"  # the chosen remedy
WITH: Final = "with"


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One configuration; `experiments.records.Arm` explains the fields that are written.

    Attributes:
        rows: the number of training rows; None for all.
        options: the name that arms share which compete by their holdout loss, such as the strengths of one remedy;
            None where an arm competes with none.
        read_at: the epoch at which the arm is scored, in place of its last; None for the last.
    """

    section: ArmSection
    name: str
    factor: str
    group: str
    model: Model
    train: Train
    x: float | None = None
    rows: int | None = None
    labels: Labels = "true"
    options: str | None = None
    reference: str | None = None
    read_at: int | None = None

    @classmethod
    def of(cls, settings: Settings, section: ArmSection, name: str, factor: str, group: str, **others: Any) -> "Arm":
        """Return the arm that trains the network of these settings."""
        return cls(
            section=section, name=name, factor=factor, group=group, model=settings.model, train=settings.train, **others
        )


def baseline(settings: Settings) -> Settings:
    """Return the configured model with every regularizer off, for `study.epochs`."""
    default = flat(Settings())
    changes = {name: default.get(name) for name, regularizer in REGULARIZERS.items() if regularizer.is_remedy}
    changes["train.weight_decay"] = no_decay(settings.train.optimizer)
    changes["train.epochs"] = settings.study.epochs or settings.train.epochs
    return with_values(settings, changes, "study.epochs")


def no_decay(optimizer: Optimizer) -> float | None:
    """Return the weight decay that is none: a null would be Keras' own where an optimizer has one."""
    return 0.0 if OPTIMIZERS[optimizer].has_own_decay else None
