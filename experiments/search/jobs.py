"""A search's trials on their way to a worker and back."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from optuna.trial import FrozenTrial

from pipeline.settings import Settings
from pipeline.training.structure import structure, together


@dataclass(frozen=True)
class Job:
    """A trial as a worker gets it.

    Attributes:
        study: the name of Optuna's study, by which Hyperband deals out its brackets.
        ended: the trials that the pruner compares it with; its own generation and the one before are not among them.
    """

    number: int
    settings: Settings
    study: str
    ended: tuple[FrozenTrial, ...] = ()

    @property
    def graph(self) -> tuple[object, ...]:
        """Return a key; jobs that have the same share a compiled graph."""
        return (*structure(self.settings.model, self.settings.train), self.settings.train.batch_size)

    @property
    def together(self) -> tuple[object, ...]:
        """Return a key; jobs that have the same can train side by side."""
        return together(self.settings.model, self.settings.train)


@dataclass(frozen=True)
class TrialEnd:
    """The end of a trial as its worker reports it, as plain data.

    Attributes:
        values: one for each objective; None unless the trial is complete.
        reports: what the trial has told its pruner, by epoch: the mean over the seeds of the lowest loss so far.
        facts: plain data that is stored with the trial: see `judge`; of a pruned one the epochs and the last report.
        pruner: what the pruner stores with the trial.
        seconds: its share of the time of the jobs that trained together.
        began, ended: seconds since 1970.
    """

    state: Literal["COMPLETE", "PRUNED", "FAIL"]
    values: list[float] | None = None
    reports: dict[int, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    pruner: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    seconds: float = 0.0
    began: float = 0.0
    ended: float = 0.0

    def plain(self) -> dict[str, Any]:
        """Return it as JSON keeps it."""
        return asdict(self)

    @classmethod
    def of_plain(cls, content: dict[str, Any]) -> "TrialEnd":
        """Return what `plain` was called on; JSON has made text of the epochs."""
        return cls(**(content | {"reports": {int(epoch): value for epoch, value in content["reports"].items()}}))
