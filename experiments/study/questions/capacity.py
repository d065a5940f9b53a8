"""Capacity: an arm with other widths, and with other numbers of hidden layers."""

from dataclasses import replace

from experiments.study.arms import WITH, Arm, baseline
from pipeline.settings import Settings

UNITS_BESIDE_LINEAR = 32  # of each hidden layer, where a linear model is compared with deeper ones


def capacity(settings: Settings, arm: Arm, group: str) -> list[Arm]:
    """Return an arm with other widths and other numbers of hidden layers; each is compared with the configured shape.

    A remedy that is itself a shape leaves nothing to compare with the arms without one, so it has no arms.
    """
    units, base = settings.model.hidden_units, baseline(settings)
    model = arm.model.model_copy(update={"hidden_units": units})
    if group == WITH and (model, arm.train) == (base.model, base.train):
        return []
    configured = f"{_shape(units)}, {group}"
    first, layers = (units[0], len(units)) if units else (UNITS_BESIDE_LINEAR, 1)
    shapes = [("width", width, (width,) * layers) for width in settings.study.widths]
    shapes += [("depth", depth, (first,) * depth) for depth in settings.study.depths]
    by_name = {f"{_shape(shape[2])}, {group}": shape for shape in shapes[::-1]}  # of equal shapes the first one stays
    by_name.pop(configured, None)
    by_name = {configured: ("width", units[0], units) if units else ("depth", 0, ())} | by_name
    arms = [
        replace(
            arm,
            section="capacity",
            name=name,
            factor=factor,
            group=group,
            model=arm.model.model_copy(update={"hidden_units": shape}),
            x=x,
            options=None,
            reference=configured if name != configured else None,
        )
        for name, (factor, x, shape) in by_name.items()
    ]
    return sorted(arms, key=lambda arm: (arm.factor != "width", arm.x))


def _shape(units: tuple[int, ...]) -> str:
    return "-".join(str(number) for number in units) or "linear"
