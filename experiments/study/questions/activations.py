"""Activations and losses, each with early stopping."""

from experiments.study.arms import Arm, baseline
from experiments.study.questions.stopping import stopped_early
from pipeline.params import with_values
from pipeline.settings import Settings

LOSSES = ("cross_entropy", "mean_squared_error")  # of a classification


def activations(settings: Settings, is_classification: bool) -> list[Arm]:
    """Return each activation and each loss with early stopping, all compared with the configured one."""
    base = stopped_early(baseline(settings), settings)
    arms = []
    activation, loss = base.model.activation, base.train.loss or "cross_entropy"
    if base.model.hidden_units:
        names = dict.fromkeys([activation, *settings.study.activations])
        arms += [_option("activation", "model.activation", name, activation, base) for name in names]
    if is_classification:
        arms += [_option("loss", "train.loss", name, loss, base) for name in LOSSES]
    return arms


def _option(factor: str, setting: str, name: str, configured: str, base: Settings) -> Arm:
    settings = with_values(base, {setting: name}, "study")
    reference = _arm_name(factor, configured) if name != configured else None
    return Arm.of(settings, "activations", _arm_name(factor, name), factor, factor, reference=reference)


def _arm_name(factor: str, name: str) -> str:
    return f"{factor} {name}".replace("_", " ")
