"""The schema of `params.yaml`: types, ranges and choices; an unknown setting is refused."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pipeline.choices import OPTIMIZERS, Activation, Initializer, Language, Objective, Optimizer, Peer, Score
from pipeline.errors import without_password


@dataclass(frozen=True)
class Regularizer:
    """The mark of a setting that regularizes; its default is off.

    Everything that goes through all regularizers reads these marks: the baseline, the identity of a compiled graph,
    the arms of a study and their names.

    Attributes:
        name: what the study and its report call it.
        graph: how it enters the compiled graph of a training. A `number` is an argument of every graph; a `switch` is
            an argument of graphs that have it on; a `structure` makes another graph for each value; what acts from
            `outside` is not in it.
        is_remedy: whether the study's baseline has it off. Clipping keeps a training stable, class weights say what
            it is to learn, and bins and inputs what it sees, so they stay as they are.
    """

    name: str
    graph: Literal["number", "switch", "structure", "outside"]
    is_remedy: bool = True


Share = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Penalty = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=10**9)]
# A number above these limits is a slip of the hand, which would cost memory or time before anyone noticed.
Epochs = Annotated[int, Field(ge=1, le=1_000_000)]
Width = Annotated[int, Field(ge=1, le=1_000_000)]
Trials = Annotated[int, Field(ge=1, le=100_000)]
Workers = Annotated[int, Field(ge=1, le=1000)]
SeedCount = Annotated[int, Field(ge=1, le=1000)]
MOST_LAYERS, MOST_VALUES = 100, 1000
Seed = Annotated[int, Field(ge=0, lt=2**31)]


def _as_tuple(value: object) -> object:
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, tuple):
        raise PydanticCustomError("list_type", "Input should be a valid list")
    return value


# Lists of YAML as tuples, so that settings are hashable.
IsList = BeforeValidator(_as_tuple)
Units = Annotated[tuple[Width, ...], IsList, Field(max_length=MOST_LAYERS)]


def _check_seeds(value: int | tuple[int, ...]) -> int | tuple[int, ...]:
    if isinstance(value, tuple) and (not value or len(set(value)) < len(value)):
        raise ValueError("must be a number of seeds, or a list of different seeds with at least one in it")
    return value


Seeds = Annotated[SeedCount | Annotated[tuple[Seed, ...], IsList, Field(max_length=1000)], AfterValidator(_check_seeds)]


def seed_list(seeds: int | tuple[int, ...]) -> list[int]:
    """Return the seeds themselves: 3 stands for 0, 1, 2."""
    return list(range(seeds)) if isinstance(seeds, int) else list(seeds)


class Section(BaseModel):
    """A section of `params.yaml`: unknown keys refused, no silent conversion, not changed once read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _check_encoding(name: str) -> str:
    try:
        codecs.lookup(name)
    except LookupError:
        raise ValueError("must be an encoding that Python knows, such as utf-8, utf-16, cp1252 or gbk") from None
    return name


class Read(Section):
    """How the tables of `data.source` and `data.test_source` are written; null: told from the file."""

    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    decimal: Literal[".", ","] | None = None
    thousands: Literal[",", ".", " "] | None = None
    encoding: Annotated[str, AfterValidator(_check_encoding)] | None = None
    header: bool | None = None
    sheet: Annotated[int, Field(ge=1)] | Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _marks_differ(self) -> "Read":
        if self.decimal is not None and self.decimal == self.thousands:
            raise ValueError(f"data.read.decimal and data.read.thousands must differ; got {self.decimal!r} for both")
        return self


ColumnKind = Literal["number", "category", "text"]


class Data(Section):
    """Where the examples come from and how they are split; the stages source and prepare."""

    source: str = "digits"
    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    target: str | None = None
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    drop: list[str] = []
    kinds: dict[str, ColumnKind] = {}
    rare: Annotated[int, Field(ge=2, le=10**6)] | None = None
    rare_classes: Literal["refuse", "leave_out", "train"] = "refuse"
    accept: list[Annotated[str, Field(pattern=r"^D\d{3}$")]] = []
    read: Read = Read()
    task: Literal["auto", "classification", "regression"] = "auto"
    missing: Literal["median_and_indicator", "median"] = "median_and_indicator"
    scaling: Literal["auto", "unit", "standard", "none"] = "auto"
    test_source: str | None = None
    test_fraction: Share = 0.2
    val_fraction: Share = 0.2
    train_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    split_seed: Seed = 0

    @model_validator(mode="after")
    def _time_decides_alone(self) -> "Data":
        if self.time is not None and self.rare_classes == "train":
            raise ValueError(
                "data.rare_classes must be refuse or leave_out with data.time: train would keep late rows to training"
            )
        return self


Inputs = Literal["quantile", "robust"]


class Model(Section):
    """The MLP's layers and what regularizes them; the stage build."""

    hidden_units: Units = (32,)
    activation: Activation = "relu"
    initializer: Initializer | None = None
    l1: Annotated[Penalty, Regularizer("L1", "number")] = 0.0
    l2: Annotated[Penalty, Regularizer("L2", "number")] = 0.0
    dropout: Annotated[Rate, Regularizer("dropout", "switch")] = 0.0
    input_dropout: Annotated[Rate, Regularizer("input dropout", "switch")] = 0.0
    batch_norm: Annotated[bool, Regularizer("batch normalization", "structure")] = False
    max_norm: Annotated[Positive | None, Regularizer("max-norm", "switch")] = None
    gaussian_noise: Annotated[Annotated[float, Field(ge=0, le=1)], Regularizer("Gaussian noise", "switch")] = 0.0
    bins: Annotated[
        Annotated[int, Field(ge=2, le=64)] | None,
        Regularizer("piecewise-linear inputs", "structure", is_remedy=False),
    ] = None
    inputs: Annotated[Inputs | None, Regularizer("transformed inputs", "structure", is_remedy=False)] = None
    layer_norm: bool = False
    skip: bool = False
    build: Annotated[str, Field(pattern=r"^.+\.py:\w+$")] | None = None

    @model_validator(mode="after")
    def _inputs_are_of_the_mlp(self) -> "Model":
        if self.bins is not None and self.build is not None:
            raise ValueError(f"model.bins must be null with model.build, which has its own inputs; got {self.bins}")
        if self.inputs is not None and (self.build is not None or self.bins is not None):
            other = "model.build, which has its own inputs" if self.build else "model.bins, which are quantiles already"
            raise ValueError(f"model.inputs must be null with {other}; got {self.inputs}")
        return self


class Schedule(Section):
    """The course of the learning rate; the shares are of `train.learning_rate`."""

    name: Literal["constant", "cosine", "cosine_restarts", "exponential", "step", "plateau"] = "constant"
    warmup_epochs: Annotated[int, Field(ge=0)] = 0
    decay: Annotated[float, Field(gt=0, lt=1)] = 0.5
    decay_epochs: Count = 10


class EarlyStopping(Section):
    """When a seed, or all of them together, stops, in the terms of `keras.callbacks.EarlyStopping`."""

    patience: Count = 10
    min_delta: Penalty = 0.0
    start_from_epoch: Annotated[int, Field(ge=0)] = 0
    unit: Literal["seed", "ensemble"] = "seed"


def _as_pairs(value: object) -> object:
    if value is None or value == "balanced":
        return value
    pairs = tuple((str(name), weight) for name, weight in value.items()) if isinstance(value, dict) else value
    if isinstance(pairs, tuple) and pairs and all(_is_above_0(weight) for _, weight in pairs):
        return tuple((name, float(weight)) for name, weight in pairs)
    raise ValueError("must be null, balanced, or classes with a weight above 0 each, such as {yes: 5, no: 1}")


def _is_above_0(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def _as_mapping(value: object) -> object:
    return dict(value) if isinstance(value, tuple) else value


# A mapping of YAML as pairs of name and weight, so that settings are hashable.
ClassWeight = Annotated[
    Literal["balanced"] | tuple[tuple[str, float], ...] | None, BeforeValidator(_as_pairs), PlainSerializer(_as_mapping)
]


class Train(Section):
    """The training of the model; the stage train. A null takes Keras' default for the optimizer."""

    optimizer: Optimizer = "adam"
    learning_rate: Positive | None = None
    momentum: Rate | None = None
    weight_decay: Annotated[Penalty | None, Regularizer("weight decay", "switch")] = None
    schedule: Schedule = Schedule()
    clip_norm: Annotated[Positive | None, Regularizer("gradient clipping", "switch", is_remedy=False)] = None
    ema: Annotated[Annotated[float, Field(gt=0, lt=1)] | None, Regularizer("weight averaging", "switch")] = None
    swa: Annotated[Annotated[float, Field(gt=0, le=1)] | None, Regularizer("stochastic weight averaging", "switch")] = (
        None
    )
    loss: Literal["cross_entropy", "mean_squared_error"] | None = None
    label_smoothing: Annotated[Rate, Regularizer("label smoothing", "number")] = 0.0
    mixup: Annotated[Positive | None, Regularizer("mixup", "switch")] = None
    shift: Annotated[Annotated[int, Field(ge=1, le=8)] | None, Regularizer("shifts", "switch")] = None
    cutout: Annotated[Annotated[int, Field(ge=1, le=64)] | None, Regularizer("cutout", "switch")] = None
    rotate: Annotated[Annotated[float, Field(gt=0, le=45)] | None, Regularizer("rotations", "switch")] = None
    class_weight: Annotated[ClassWeight, Regularizer("class weights", "switch", is_remedy=False)] = None
    batch_size: Count = 128
    epochs: Epochs = 10
    seeds: Seeds = 5
    early_stopping: Annotated[EarlyStopping | None, Regularizer("early stopping", "outside")] = None
    monitor: Score | None = None
    train_score_rows: Annotated[int, Field(ge=0)] | None = 10_000

    @property
    def stops_together(self) -> bool:
        """Return whether all seeds stop at the best epoch of their ensemble."""
        return self.early_stopping is not None and self.early_stopping.unit == "ensemble"

    @field_validator("schedule", mode="before")
    @classmethod
    def _schedule_by_name(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _settings_fit_together(self) -> "Train":
        with_momentum = [name for name, facts in OPTIMIZERS.items() if facts.momentum is not None]
        if self.momentum is not None and OPTIMIZERS[self.optimizer].momentum is None:
            raise ValueError(
                f"train.momentum has a meaning for {', '.join(with_momentum)}; "
                f"leave it null for train.optimizer {self.optimizer}"
            )
        if self.label_smoothing and self.loss == "mean_squared_error":
            raise ValueError("train.label_smoothing needs train.loss cross_entropy, got mean_squared_error")
        if self.schedule.warmup_epochs > self.epochs:
            raise ValueError(
                f"train.schedule.warmup_epochs must be at most train.epochs {self.epochs}, "
                f"got {self.schedule.warmup_epochs}"
            )
        return self


class TrialSettings(Section):
    """The settings of a trial, as Optuna and `search.json` keep them."""

    model: Model
    train: Train


# By dotted name, in the order of the settings.
REGULARIZERS: dict[str, Regularizer] = {
    f"{section}.{setting}": mark
    for section, schema in (("model", Model), ("train", Train))
    for setting, field_info in schema.model_fields.items()
    for mark in field_info.metadata
    if isinstance(mark, Regularizer)
}


Values = Annotated[list[Any], Field(min_length=1, max_length=MOST_VALUES)]


class Dimension(Section):
    """The values that a search may give one setting: a range, choices, or for hidden units their width and depth.

    With `switch` the setting may also stay off; with `when` it is searched only where other settings have one of the
    listed values. `experiments.search.space` holds the values to the schema of the setting.
    """

    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    choices: Values | None = None
    width: Annotated[list[Width], Field(max_length=MOST_VALUES)] | None = None
    depth: Annotated[list[Annotated[int, Field(ge=1, le=MOST_LAYERS)]], Field(max_length=MOST_LAYERS)] | None = None
    switch: bool = False
    when: dict[str, Values] = {}

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> "Dimension":
        kinds = [self.low is not None and self.high is not None, bool(self.choices), bool(self.width and self.depth)]
        given = {name for name in ("low", "high", "choices", "width", "depth") if getattr(self, name) is not None}
        if sum(kinds) != 1 or given not in ({"low", "high"}, {"choices"}, {"width", "depth"}):
            raise ValueError("must have low and high, or choices, or width and depth")
        if self.log and self.low is None:
            raise ValueError("has log, which is for low and high")
        return self


class Search(Section):
    """The search over settings; the stage search."""

    trials: Trials = 40
    seeds: Seeds = 3
    folds: Annotated[int, Field(ge=2, le=1000)] | None = None
    epochs: Epochs | None = None
    sampler: Literal["tpe", "random", "qmc", "cmaes", "grid", "nsga2"] = "tpe"
    sampler_seed: Seed = 0
    pruner: Literal["none", "median", "successive_halving", "hyperband"] = "median"
    objectives: Annotated[list[Objective], Field(min_length=1, max_length=2)] = ["cross_entropy"]
    balance: Literal["optimizer", "none"] = "optimizer"
    generation: Annotated[int, Field(ge=1, le=1000)] = 4
    storage: str | None = None
    time_limit: Positive | None = None
    max_failures: Count = 5
    space: dict[str, Dimension] = {}

    @model_validator(mode="after")
    def _settings_fit_together(self) -> "Search":
        if self.objectives[0] in ("gap", "weights") or len(set(self.objectives)) < len(self.objectives):
            raise ValueError(
                "search.objectives must be a score of validation rows, such as [cross_entropy], or that and another "
                f"objective, such as [cross_entropy, gap]; got {self.objectives}"
            )
        if len(self.objectives) > 1 and self.pruner != "none":
            raise ValueError(f"search.pruner must be none with two objectives, got {self.pruner}: Optuna prunes by one")
        if self.storage and without_password(self.storage) != self.storage:
            raise ValueError(
                "search.storage must not hold a password, which DVC and MLflow would record: leave it out, and put it "
                f"into ~/.pgpass or the variable PGPASSWORD; got {without_password(self.storage)}"
            )
        if len(self.objectives) > 1 and self.sampler == "cmaes":
            raise ValueError("search.sampler cmaes has one objective; with two take tpe, nsga2, random, qmc or grid")
        return self


ArmSection = Literal[
    "remedies", "learning_curve", "capacity", "optimizers", "activations", "memorization", "winner"
]  # fmt: skip


StudySection = Literal["peers", ArmSection]


class Study(Section):
    """The overfitting study; the stage study.

    `remedies` names settings of the sections model and train, each with the strengths to choose from.
    """

    seeds: Seeds = 10
    epochs: Epochs | None = None
    sections: Annotated[list[StudySection], Field(min_length=1)] = list(get_args(StudySection))
    remedies: dict[str, Annotated[list[Any], Field(min_length=1, max_length=MOST_LAYERS)]] = {}
    half_width: bool = True
    sizes: Annotated[int, Field(ge=2, le=100)] = 7
    widths: Annotated[list[Width], Field(max_length=MOST_LAYERS)] = [2, 4, 8, 16, 32, 64, 128, 256, 512]
    depths: Annotated[list[Annotated[int, Field(ge=1, le=MOST_LAYERS)]], Field(max_length=MOST_LAYERS)] = [1, 2, 3]
    peers: Annotated[list[Peer], Field(min_length=1)] = list(get_args(Peer))
    optimizers: list[Optimizer] = ["sgd", "momentum", "rmsprop", "adam"]
    activations: list[Activation] = ["relu", "tanh", "gelu", "sigmoid"]

    @field_validator("sections")
    @classmethod
    def _baseline_is_there(cls, value: list[str]) -> list[str]:
        if "remedies" not in value:
            raise ValueError("must have remedies, which holds the baseline that others are compared with")
        return value


class Engine(Section):
    """Where the trainings of the search and of the study run; it changes no result."""

    workers: Workers = 2
    dask: Annotated[str, Field(pattern=r"^(tcp|tls)://.+:\d{1,5}$")] | None = None


class Report(Section):
    """The report of the study; it changes no result."""

    language: Language = "en"


class Settings(Section):
    """The whole of `params.yaml`."""

    data: Data = Data()
    model: Model = Model()
    train: Train = Train()
    search: Search = Search()
    study: Study = Study()
    engine: Engine = Engine()
    report: Report = Report()

    @model_validator(mode="after")
    def _search_heeds_time(self) -> "Settings":
        if self.data.time is not None and self.search.folds is not None:
            raise ValueError(
                "search.folds must be null with data.time: folds at random would have trials train on later rows than "
                f"they validate on; got {self.search.folds}"
            )
        return self


def flat(settings: BaseModel) -> dict[str, Any]:
    """Settings under dotted names: `{"train.optimizer": "adam", ...}`; class weights are one value."""
    return dict(_flat("", settings.model_dump(mode="json")))


def _flat(prefix: str, values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        # The name of a class, such as ">50K", may have characters that MLflow does not take in the name of a setting.
        if isinstance(value, dict) and name != "class_weight":
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", value
