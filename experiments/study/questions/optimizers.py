"""Optimizers: each at Keras' defaults, and each at as many settings around its own defaults."""

from experiments.study.arms import Arm, baseline, no_decay
from experiments.study.questions.stopping import stopped_early
from pipeline.choices import OPTIMIZERS, Optimizer
from pipeline.params import with_values
from pipeline.settings import Settings

# Times Keras' default learning rate. Every optimizer is tuned over ten settings, its defaults among them: five rates
# half a decade apart with two momenta each, or without a momentum ten rates a quarter of a decade apart.
RATES_WITH_MOMENTUM = tuple(10.0 ** (half_decades / 2) for half_decades in range(-2, 3))
RATES = tuple(10.0 ** (quarter_decades / 4) for quarter_decades in range(-4, 6))
MOMENTUM, HIGHER_MOMENTUM = 0.9, 0.99


def optimizers(settings: Settings) -> list[Arm]:
    """Return each optimizer at Keras' defaults, and at each of the settings over which it is tuned.

    All have early stopping. AdamW decays no weights where every regularizer is off, and then is Adam: of the two the
    configured one stays.
    """
    base, configured = stopped_early(baseline(settings), settings), settings.train.optimizer
    names = sorted({*settings.study.optimizers, configured} - {"gd"})
    if {"adam", "adamw"} <= {*names}:
        names.remove("adam" if configured == "adamw" else "adamw")
    reference = configured if configured in names else None
    defaults = [_optimizer(base, name, None, None, reference) for name in names]
    tuned = [_optimizer(base, name, factor, momentum, reference) for name in names for factor, momentum in _tuned(name)]
    return defaults + tuned


def _tuned(name: Optimizer) -> list[tuple[float, float | None]]:
    """Return the factors of the learning rate and the momenta over which an optimizer is tuned; None is its default."""
    default = OPTIMIZERS[name].momentum
    if default is None:
        return [(factor, None) for factor in RATES]
    other = HIGHER_MOMENTUM if default == MOMENTUM else MOMENTUM
    return [(factor, momentum) for momentum in (None, other) for factor in RATES_WITH_MOMENTUM]


def _optimizer(
    base: Settings, name: Optimizer, factor: float | None, momentum: float | None, reference: Optimizer | None
) -> Arm:
    """Return an optimizer at a factor of Keras' default learning rate; at all of its defaults for None."""
    rate = None if factor is None else OPTIMIZERS[name].learning_rate * factor
    changes = {
        "train.optimizer": name,
        "train.learning_rate": None if factor in (None, 1.0) else rate,
        "train.momentum": momentum,
        "train.weight_decay": no_decay(name),
    }
    settings = with_values(base, changes, "study.optimizers")
    return Arm.of(
        settings,
        "optimizers",
        _arm_name(name, rate) + ("" if momentum is None else f", momentum {momentum:g}"),
        "optimizer",
        "defaults" if factor is None else "tuned",
        x=rate,
        options=None if factor is None else f"{name}, tuned",
        reference=None if reference in (None, name) else _reference(reference, factor),
    )


def _reference(optimizer: Optimizer, factor: float | None) -> str:
    return _arm_name(optimizer, None if factor is None else OPTIMIZERS[optimizer].learning_rate)


def _arm_name(optimizer: Optimizer, rate: float | None) -> str:
    return f"{optimizer}, defaults" if rate is None else f"{optimizer}, rate {rate:.3g}"
