"""Optimizers: each at Keras' defaults, and at as many learning rates around its own default."""

from experiments.study.arms import Arm, baseline, no_decay
from experiments.study.questions.stopping import stopped_early
from pipeline.choices import OPTIMIZERS, Optimizer
from pipeline.params import with_values
from pipeline.settings import Settings

# Times Keras' default learning rate: every optimizer is tuned over as many rates, half a decade apart.
RATE_FACTORS = tuple(10.0 ** (half_decades / 2) for half_decades in range(-2, 3))


def optimizers(settings: Settings) -> list[Arm]:
    """Return each optimizer at Keras' defaults, and at each of the learning rates around its default.

    All have early stopping. AdamW decays no weights where every regularizer is off, and then is Adam: of the two the
    configured one stays.
    """
    base, configured = stopped_early(baseline(settings), settings), settings.train.optimizer
    names = sorted({*settings.study.optimizers, configured} - {"gd"})
    if {"adam", "adamw"} <= {*names}:
        names.remove("adam" if configured == "adamw" else "adamw")
    reference = configured if configured in names else None
    defaults = [_optimizer(base, name, None, reference) for name in names]
    return defaults + [_optimizer(base, name, factor, reference) for name in names for factor in RATE_FACTORS]


def _optimizer(base: Settings, name: Optimizer, factor: float | None, reference: Optimizer | None) -> Arm:
    """Return an optimizer at a factor of Keras' default learning rate; at all of its defaults for None."""
    rate = None if factor is None else OPTIMIZERS[name].learning_rate * factor
    changes = {
        "train.optimizer": name,
        "train.learning_rate": None if factor in (None, 1.0) else rate,
        "train.momentum": None,
        "train.weight_decay": no_decay(name),
    }
    settings = with_values(base, changes, "study.optimizers")
    return Arm(
        section="optimizers",
        name=_arm_name(name, rate),
        factor="optimizer",
        group="defaults" if factor is None else "tuned",
        model=settings.model,
        train=settings.train,
        x=rate,
        options=None if factor is None else f"{name}, tuned",
        reference=None if reference in (None, name) else _reference(reference, factor),
    )


def _reference(optimizer: Optimizer, factor: float | None) -> str:
    return _arm_name(optimizer, None if factor is None else OPTIMIZERS[optimizer].learning_rate)


def _arm_name(optimizer: Optimizer, rate: float | None) -> str:
    return f"{optimizer}, defaults" if rate is None else f"{optimizer}, rate {rate:.3g}"
