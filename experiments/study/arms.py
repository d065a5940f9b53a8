"""The arms of a study: which configurations each of its questions compares."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from experiments.study.rows import Labels
from pipeline.settings import (
    OPTIMIZERS,
    REGULARIZERS,
    EarlyStopping,
    Model,
    Optimizer,
    Settings,
    StudySection,
    Train,
    flat,
    with_values,
)

BASELINE, BEST_EPOCH, TOGETHER = "baseline", "baseline at its best epoch", "all together"
EARLY_STOPPING, HALF_WIDTH = REGULARIZERS["train.early_stopping"].name, "half the width"
WITHOUT, WITH = "without", "with"

# Gradient descent, mini-batches and single examples are compared on a small training set, where an epoch of each is
# affordable: single examples take a step for every row.
BATCH_ROWS = 256
LARGEST_BATCH = 1 / 4  # of these rows: a mini-batch of all of them is gradient descent
BATCH_RATES = (0.01, 0.1, 1.0)
BATCH_EPOCHS = 10

# Times Keras' default learning rate: every optimizer is tuned over as many rates, half a decade apart.
RATE_FACTORS = tuple(10.0 ** (half_decades / 2) for half_decades in range(-2, 3))

UNITS_BESIDE_LINEAR = 32  # of each hidden layer, where a linear model is compared with deeper ones


@dataclass(frozen=True)
class Arm:
    """One configuration; see `experiments.records.Arm` for the words.

    Attributes:
        rows: to train on; None for all.
        options: what it competes with by holdout loss, such as the strengths of one remedy; None for nothing.
        read_at: the epoch at which it is scored instead of its end.
    """

    section: StudySection
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


def stopped_early(settings: Settings, configured: Settings) -> Settings:
    """The same with early stopping, as configured."""
    stopping = configured.train.early_stopping or EarlyStopping()
    return settings.model_copy(update={"train": settings.train.model_copy(update={"early_stopping": stopping})})


def remedies(settings: Settings, is_classification: bool) -> list[Arm]:
    """The baseline, also with the weights of its best epoch, and each remedy alone at each of its strengths.

    Raises:
        InputError: a remedy that is no setting, or a strength that it may not have.
    """
    base = baseline(settings)
    patient = base.train.model_copy(update={"early_stopping": EarlyStopping(patience=base.train.epochs)})
    arms = [
        Arm("remedies", BASELINE, BASELINE, BASELINE, base.model, base.train),
        Arm("remedies", BEST_EPOCH, "epoch", "best_epoch", base.model, patient, reference=BASELINE),
    ]
    for setting, strengths in settings.study.remedies.items():
        name = remedy_name(setting)
        if name == "label smoothing" and (not is_classification or base.train.loss == "mean_squared_error"):
            continue
        alike = [other for other in settings.study.remedies if remedy_name(other) == name]
        for strength in _different(strengths):
            changed = with_values(base, {setting: strength}, f"study.remedies.{setting}")
            is_only = len(alike) == len(strengths) == 1
            shown = _shown(name if len(alike) == 1 else f"{name} {_last(setting)}", strength, is_only)
            arms.append(_remedy(name, shown, changed, strength))
    half = tuple(max(1, units // 2) for units in base.model.hidden_units)
    if settings.study.half_width and half != base.model.hidden_units:
        changed = with_values(base, {"model.hidden_units": half}, "study.half_width")
        arms.append(_remedy(HALF_WIDTH, HALF_WIDTH, changed, None))
    return arms


def remedy_name(setting: str) -> str:
    """Return what a remedy is called, by the setting or a part of it: `train.early_stopping.patience` too."""
    for name, regularizer in REGULARIZERS.items():
        if setting == name or setting.startswith(f"{name}."):
            return regularizer.name
    return _last(setting)


def _last(setting: str) -> str:
    return setting.rpartition(".")[2].replace("_", " ")


def _different(strengths: list[Any]) -> list[Any]:
    return [strength for place, strength in enumerate(strengths) if strength not in strengths[:place]]


def _shown(name: str, strength: Any, is_only: bool) -> str:
    """The arm's name, which no other strength may have."""
    if strength is True or (name == EARLY_STOPPING and is_only):
        return name
    if isinstance(strength, int | float) and float(short := f"{strength:g}") == strength:
        return f"{name} {short}"
    return f"{name} {strength}"


def _remedy(factor: str, name: str, settings: Settings, strength: Any) -> Arm:
    x = float(strength) if isinstance(strength, int | float) and strength is not True else None
    return Arm(
        "remedies", name, factor, "single", settings.model, settings.train, x, options=factor, reference=BASELINE
    )


def combined(settings: Settings, chosen: Iterable[Arm]) -> list[Arm]:
    """All chosen remedies together, and all but each."""
    base, chosen = baseline(settings), list(chosen)
    if len(chosen) < 2:
        return []
    everything = _joined(base, chosen)
    arms = [Arm("remedies", TOGETHER, TOGETHER, "together", *everything, reference=BASELINE)]
    for left_out in chosen:
        rest = _joined(base, [arm for arm in chosen if arm is not left_out])
        name = f"all but {left_out.factor}"
        arms.append(Arm("remedies", name, left_out.factor, "leave_one_out", *rest, reference=TOGETHER))
    return arms


def _joined(base: Settings, arms: list[Arm]) -> tuple[Model, Train]:
    model, train = base.model, base.train
    for arm in arms:
        model = model.model_copy(update=_difference(arm.model, base.model))
        train = train.model_copy(update=_difference(arm.train, base.train))
    return model, train


def _difference(section: Model | Train, base: Model | Train) -> dict[str, Any]:
    return {name: value for name, value in section if value != getattr(base, name)}


def learning_curve(settings: Settings, arm: Arm, group: str, n: int, fewest: int) -> list[Arm]:
    """This arm on ever fewer training rows, each time half of them; each is compared with the one before it."""
    sizes = [n >> halvings for halvings in range(settings.study.sizes) if n >> halvings >= fewest]
    return [
        replace(
            arm,
            section="learning_curve",
            name=f"{size} rows, {group}",
            factor="rows",
            group=group,
            x=size,
            rows=None if size == n else size,
            options=None,
            reference=f"{half} rows, {group}" if (half := size // 2) in sizes else None,
        )
        for size in reversed(sizes)
    ]


def capacity(settings: Settings, arm: Arm, group: str) -> list[Arm]:
    """This arm with other widths, and with other numbers of hidden layers; each is compared with the configured shape.

    A remedy that is itself a shape leaves nothing to compare with the arms without one, so it has no arms.
    """
    units, base = settings.model.hidden_units, baseline(settings)
    model = arm.model.model_copy(update={"hidden_units": units})
    if group == WITH and (model, arm.train) == (base.model, base.train):
        return []
    own = f"{_shape(units)}, {group}"
    first, layers = (units[0], len(units)) if units else (UNITS_BESIDE_LINEAR, 1)
    shapes = [("width", width, (width,) * layers) for width in settings.study.widths]
    shapes += [("depth", depth, (first,) * depth) for depth in settings.study.depths]
    arms = {own: ()} | {f"{_shape(shape[2])}, {group}": shape for shape in shapes[::-1]}
    arms[own] = ("width", units[0], units) if units else ("depth", 0, ())
    every = [
        replace(
            arm,
            section="capacity",
            name=name,
            factor=factor,
            group=group,
            model=arm.model.model_copy(update={"hidden_units": shape}),
            x=x,
            options=None,
            reference=own if name != own else None,
        )
        for name, (factor, x, shape) in arms.items()
    ]
    return sorted(every, key=lambda arm: (arm.factor != "width", arm.x))


def _shape(units: tuple[int, ...]) -> str:
    return "-".join(str(number) for number in units) or "linear"


def optimizers(settings: Settings) -> list[Arm]:
    """Each at Keras' defaults, and each at the best of as many learning rates around its default; with early stopping.

    AdamW decays no weights where every regularizer is off, and then is Adam: of the two the configured one stays.
    """
    base, own = stopped_early(baseline(settings), settings), settings.train.optimizer
    names = sorted({*settings.study.optimizers, own} - {"gd"})
    if {"adam", "adamw"} <= {*names}:
        names.remove("adam" if own == "adamw" else "adamw")
    reference = own if own in names else None
    defaults = [_optimizer(base, name, "defaults", None, reference) for name in names]
    return defaults + [_optimizer(base, name, "tuned", factor, reference) for name in names for factor in RATE_FACTORS]


def _optimizer(base: Settings, name: Optimizer, group: str, factor: float | None, reference: str | None) -> Arm:
    default = OPTIMIZERS[name].learning_rate
    rate = None if factor in (None, 1.0) else default * factor
    changes = {"train.optimizer": name, "train.learning_rate": rate, "train.momentum": None}
    changes["train.weight_decay"] = no_decay(name)
    settings = with_values(base, changes, "study.optimizers")
    return Arm(
        "optimizers",
        f"{name}, defaults" if factor is None else f"{name}, rate {default * factor:.3g}",
        "optimizer",
        group,
        settings.model,
        settings.train,
        x=None if factor is None else default * factor,
        options=None if factor is None else f"{name}, tuned",
        reference=_named_reference(reference, factor) if reference != name else None,
    )


def _named_reference(optimizer: str | None, factor: float | None) -> str | None:
    if optimizer is None:
        return None
    return (
        f"{optimizer}, defaults" if factor is None else f"{optimizer}, rate {OPTIMIZERS[optimizer].learning_rate:.3g}"
    )


def of_trial(settings: Settings, trial: dict[str, Any]) -> Settings:
    """The settings of a trial, as the search judged it: by each seed's best epoch."""
    changed = settings.model_validate(settings.model_dump() | trial["settings"])
    if changed.train.early_stopping:
        return changed
    patient = EarlyStopping(patience=changed.train.epochs)
    return changed.model_copy(update={"train": changed.train.model_copy(update={"early_stopping": patient})})


def batches(settings: Settings, n: int) -> list[Arm]:
    """Gradient descent, mini-batches and single examples, the rate of each chosen among a few.

    Each trains until it has had the others' epochs and the others' updates; it is read at both.
    """
    base, rows = baseline(settings), min(BATCH_ROWS, n)
    batch = max(2, min(base.train.batch_size, int(rows * LARGEST_BATCH)))
    updates_an_epoch = {"gradient descent": 1, "mini-batches": -(-rows // batch), "single examples": rows}
    arms = []
    for name, updates in updates_an_epoch.items():
        at_equal_updates = round(rows / updates)  # as many as single examples have in one epoch
        train = {
            "train.optimizer": "gd" if updates == 1 else "sgd",
            "train.batch_size": 1 if updates == rows else batch,
            "train.momentum": None,
            "train.weight_decay": None,
            "train.schedule": "constant",
            "train.epochs": max(BATCH_EPOCHS, at_equal_updates),
        }
        for group, epoch in (("equal_epochs", BATCH_EPOCHS), ("equal_updates", at_equal_updates)):
            for rate in BATCH_RATES:
                changed = with_values(base, train | {"train.learning_rate": rate}, "study")
                label = f"{name}, {group.replace('_', ' ')}, rate {rate:g}"
                arms.append(
                    Arm(
                        "optimizers",
                        label,
                        name,
                        group,
                        changed.model,
                        changed.train,
                        rate,
                        rows=rows,
                        options=f"{name}, {group}",
                        read_at=epoch,
                    )
                )
    return arms


def activations(settings: Settings, is_classification: bool) -> list[Arm]:
    """Each activation, and each loss, with early stopping; compared with the configured one."""
    base = stopped_early(baseline(settings), settings)
    arms = [
        _choice("activation", name, base.model.activation, with_values(base, {"model.activation": name}, "study"))
        for name in dict.fromkeys([base.model.activation, *settings.study.activations])
        if base.model.hidden_units
    ]
    if is_classification:
        own = base.train.loss or "cross_entropy"
        arms += [
            _choice("loss", name, own, with_values(base, {"train.loss": name}, "study"))
            for name in ("cross_entropy", "mean_squared_error")
        ]
    return arms


def _choice(factor: str, name: str, own: str, settings: Settings) -> Arm:
    return Arm(
        "activations",
        f"{factor} {name}".replace("_", " "),
        factor,
        factor,
        settings.model,
        settings.train,
        reference=f"{factor} {own}".replace("_", " ") if name != own else None,
    )


def memorization(settings: Settings) -> list[Arm]:
    """The baseline on the true labels, with a share of them wrong, and on shuffled ones."""
    base = baseline(settings)
    names = {"true": "true labels", "wrong": "20 % of the labels wrong", "shuffled": "shuffled labels"}
    return [
        Arm("memorization", name, "labels", "labels", base.model, base.train, labels=labels)
        for labels, name in names.items()
    ]


def winner(settings: Settings, search: dict[str, Any]) -> list[Arm]:
    """The search's winner, the default that it began with, and each trial that was the best so far."""
    if not search.get("best") or not search.get("default"):
        return []
    arms = []
    for group, trial in (("default", search["default"]), ("winner", search["best"])):
        found = of_trial(settings, trial)
        reference = "default" if group == "winner" else None
        arms.append(Arm("winner", group, "trial", group, found.model, found.train, trial["trial"], reference=reference))
    for trial in search["incumbents"]:
        found, number = of_trial(settings, trial), trial["trial"]
        arms.append(Arm("winner", f"trial {number}", "trial", "incumbent", found.model, found.train, number))
    return arms
