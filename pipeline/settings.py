"""The schema of `params.yaml`: types, ranges and choices; an unknown setting is refused."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeGuard, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline.errors import InputError, nearest_first

PARAMS_FILE = Path("params.yaml")

Optimizer = Literal[
    "gd", "sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam", "adamw", "adamax", "nadam",
    "adafactor", "ftrl", "lion", "lamb", "muon",
]  # fmt: skip

# Keras' activations that map a tensor to one of the same shape and need no argument. Written out, so that a wrong
# name is found without importing Keras, which takes seconds; a test holds the list to Keras' own.
Activation = Literal[
    "celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu",
    "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus",
    "swish", "tanh", "tanh_shrink",
]  # fmt: skip

# Keras' initializers for a matrix that need no argument, held to Keras' own list by the same test.
Initializer = Literal[
    "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "identity", "lecun_normal",
    "lecun_uniform", "ones", "orthogonal", "random_normal", "random_uniform", "truncated_normal",
    "variance_scaling", "zeros",
]  # fmt: skip


@dataclass(frozen=True)
class OptimizerFacts:
    """What is known of an optimizer without importing Keras, which takes seconds; a test holds it to Keras' own.

    Attributes:
        keras: the name of its class in `keras.optimizers`.
        options: arguments of the class that are not settings.
        learning_rate: Keras' default, which a learning rate of null takes.
        momentum: what a momentum of null takes; None where it has no momentum.
        has_own_decay: whether Keras' default decays weights, so that a weight decay of null is not none.
        mixes: whether a step takes the norm, the mean or the singular values of a whole weight, so that the weights of
            several seeds cannot be stepped as one.
    """

    keras: str
    options: Mapping[str, Any] = field(default_factory=dict)
    learning_rate: float = 0.001
    momentum: float | None = None
    has_own_decay: bool = False
    mixes: bool = False


OPTIMIZERS: dict[Optimizer, OptimizerFacts] = {
    "gd": OptimizerFacts("SGD", learning_rate=0.01),  # on the whole training set in one batch
    "sgd": OptimizerFacts("SGD", learning_rate=0.01),
    "momentum": OptimizerFacts("SGD", learning_rate=0.01, momentum=0.9),
    "nesterov": OptimizerFacts("SGD", {"nesterov": True}, learning_rate=0.01, momentum=0.9),
    "adagrad": OptimizerFacts("Adagrad"),
    "adadelta": OptimizerFacts("Adadelta"),
    "rmsprop": OptimizerFacts("RMSprop", momentum=0.0),
    "adam": OptimizerFacts("Adam"),
    "adamw": OptimizerFacts("AdamW", has_own_decay=True),
    "adamax": OptimizerFacts("Adamax"),
    "nadam": OptimizerFacts("Nadam"),
    # Keras' epsilon of 1e-30, squared where an input is constant, underflows in float32, and nothing trains.
    "adafactor": OptimizerFacts("Adafactor", {"epsilon_1": 1e-16}, mixes=True),
    "ftrl": OptimizerFacts("Ftrl"),
    "lion": OptimizerFacts("Lion"),
    "lamb": OptimizerFacts("Lamb", mixes=True),
    "muon": OptimizerFacts("Muon", momentum=0.95, has_own_decay=True, mixes=True),
}


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
        is_remedy: whether the study's baseline has it off. Clipping keeps a training stable, so it stays as it is.
    """

    name: str
    graph: Literal["number", "switch", "structure", "outside"]
    is_remedy: bool = True


Share = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Penalty = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Location = tuple[int | str, ...]  # of a value: the keys and places that lead to it


def _as_tuple(value: object) -> object:
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, tuple):
        raise PydanticCustomError("list_type", "Input should be a valid list")
    return value


# Lists of YAML as tuples, so that settings are hashable.
IsList = BeforeValidator(_as_tuple)
Units = Annotated[tuple[Count, ...], IsList]


def _check_seeds(value: int | tuple[int, ...]) -> int | tuple[int, ...]:
    if isinstance(value, tuple) and (not value or len(set(value)) < len(value)):
        raise ValueError("must be a number of seeds, or a list of different seeds with at least one in it")
    return value


Seeds = Annotated[Count | Annotated[tuple[Seed, ...], IsList], AfterValidator(_check_seeds)]


def seed_list(seeds: int | tuple[int, ...]) -> list[int]:
    """Return the seeds themselves: 3 stands for 0, 1, 2."""
    return list(range(seeds)) if isinstance(seeds, int) else list(seeds)


class Section(BaseModel):
    """A section of `params.yaml`: unknown keys refused, no silent conversion, not changed once read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Data(Section):
    """Where the examples come from and how they are split; the stages source and prepare."""

    source: str = "digits"
    target: str | None = None
    group: str | None = None
    drop: list[str] = []
    task: Literal["auto", "classification", "regression"] = "auto"
    scaling: Literal["auto", "unit", "standard", "none"] = "auto"
    test_source: str | None = None
    test_fraction: Share = 0.2
    val_fraction: Share = 0.2
    train_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    split_seed: Seed = 0


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
    gaussian_noise: Annotated[Penalty, Regularizer("Gaussian noise", "switch")] = 0.0


class Schedule(Section):
    """How the learning rate moves; the shares are of `train.learning_rate`."""

    name: Literal["constant", "cosine", "exponential", "step", "plateau"] = "constant"
    warmup_epochs: Annotated[int, Field(ge=0)] = 0
    decay: Annotated[float, Field(gt=0, lt=1)] = 0.5
    decay_epochs: Count = 10


class EarlyStopping(Section):
    """When a seed stops, in the terms of `keras.callbacks.EarlyStopping`, on validation cross-entropy."""

    patience: Count = 10
    min_delta: Penalty = 0.0
    start_from_epoch: Annotated[int, Field(ge=0)] = 0


class Train(Section):
    """How the model is trained; the stage train. A null takes Keras' default for the optimizer."""

    optimizer: Optimizer = "adam"
    learning_rate: Positive | None = None
    momentum: Rate | None = None
    weight_decay: Annotated[Penalty | None, Regularizer("weight decay", "structure")] = None
    schedule: Schedule = Schedule()
    clip_norm: Annotated[Positive | None, Regularizer("gradient clipping", "switch", is_remedy=False)] = None
    ema: Annotated[Annotated[float, Field(gt=0, lt=1)] | None, Regularizer("weight averaging", "switch")] = None
    loss: Literal["cross_entropy", "mean_squared_error"] | None = None
    label_smoothing: Annotated[Rate, Regularizer("label smoothing", "number")] = 0.0
    batch_size: Count = 128
    epochs: Count = 10
    seeds: Seeds = 5
    early_stopping: Annotated[EarlyStopping | None, Regularizer("early stopping", "outside")] = None
    train_score_rows: Annotated[int, Field(ge=0)] | None = 10_000

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


# By dotted name, in the order of the settings.
REGULARIZERS: dict[str, Regularizer] = {
    f"{section}.{setting}": mark
    for section, schema in (("model", Model), ("train", Train))
    for setting, field_info in schema.model_fields.items()
    for mark in field_info.metadata
    if isinstance(mark, Regularizer)
}


class Dimension(Section):
    """What the search may set one setting to: a range, a list of choices, or for hidden units their width and depth.

    With `switch` the setting may also stay off; with `when` it is searched only where other settings have one of the
    listed values. `experiments.search.space` holds the values to the schema of the setting.
    """

    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    choices: list[Any] | None = None
    width: list[Count] | None = None
    depth: list[Count] | None = None
    switch: bool = False
    when: dict[str, list[Any]] = {}

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> "Dimension":
        kinds = [self.low is not None and self.high is not None, bool(self.choices), bool(self.width and self.depth)]
        given = {name for name in ("low", "high", "choices", "width", "depth") if getattr(self, name) is not None}
        if sum(kinds) != 1 or given not in ({"low", "high"}, {"choices"}, {"width", "depth"}):
            raise ValueError("must have low and high, or choices, or width and depth")
        return self


Objective = Literal["cross_entropy", "gap", "weights"]


class Search(Section):
    """The search over settings; the stage search."""

    trials: Count = 40
    seeds: Seeds = 3
    folds: Annotated[int, Field(ge=2)] | None = None
    epochs: Count | None = None
    sampler: Literal["tpe", "random", "qmc", "cmaes", "grid", "nsga2"] = "tpe"
    sampler_seed: Seed = 0
    pruner: Literal["none", "median", "successive_halving", "hyperband"] = "median"
    objectives: Annotated[list[Objective], Field(min_length=1, max_length=2)] = ["cross_entropy"]
    balance: Literal["optimizer", "none"] = "optimizer"
    workers: Count = 2
    storage: str | None = None
    dask: str | None = None
    time_limit: Positive | None = None
    max_failures: Count = 5
    space: dict[str, Dimension] = {}

    @model_validator(mode="after")
    def _settings_fit_together(self) -> "Search":
        if self.objectives[0] != "cross_entropy" or len(set(self.objectives)) < len(self.objectives):
            allowed = "[cross_entropy], [cross_entropy, gap] or [cross_entropy, weights]"
            raise ValueError(f"search.objectives must be {allowed}, got {self.objectives}")
        if len(self.objectives) > 1 and self.pruner != "none":
            raise ValueError(f"search.pruner must be none with two objectives, got {self.pruner}: Optuna prunes by one")
        if len(self.objectives) > 1 and self.sampler == "cmaes":
            raise ValueError("search.sampler cmaes has one objective; with two take tpe, nsga2, random, qmc or grid")
        if self.dask and not (self.storage or "").startswith("postgresql"):
            raise ValueError("search.dask needs search.storage postgresql://..., which every machine can reach")
        return self


StudySection = Literal[
    "remedies", "learning_curve", "capacity", "optimizers", "activations", "memorization", "winner"
]  # fmt: skip


class Study(Section):
    """The overfitting study; the stage study.

    `remedies` names settings of the sections model and train, each with the strengths to choose from.
    """

    seeds: Seeds = 10
    epochs: Count | None = None
    workers: Count = 2
    sections: Annotated[list[StudySection], Field(min_length=1)] = list(get_args(StudySection))
    remedies: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    half_width: bool = True
    sizes: Annotated[int, Field(ge=2)] = 7
    widths: list[Count] = [2, 4, 8, 16, 32, 64, 128, 256, 512]
    depths: list[Count] = [1, 2, 3]
    optimizers: list[Optimizer] = ["sgd", "momentum", "rmsprop", "adam"]
    activations: list[Activation] = ["relu", "tanh", "gelu", "sigmoid"]

    @field_validator("sections")
    @classmethod
    def _baseline_is_there(cls, value: list[str]) -> list[str]:
        if "remedies" not in value:
            raise ValueError("must have remedies, which holds the baseline that others are compared with")
        return value


class Settings(Section):
    """All of `params.yaml`."""

    data: Data = Data()
    model: Model = Model()
    train: Train = Train()
    search: Search = Search()
    study: Study = Study()


def read_settings(path: Path = PARAMS_FILE) -> Settings:
    """Read and check `params.yaml`.

    Raises:
        InputError: no such file, not YAML, an unknown setting, or a value that is not allowed.
    """
    try:
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run this in the project's root folder") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except MarkedYAMLError as error:
        where = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{path} is not valid YAML{where}: {error.problem}") from None
    # The others that it raises: for bytes that are no text, for control characters, for a date that does not exist.
    except (YAMLError, ValueError) as error:
        raise InputError(f"{path} is not valid YAML: {error}") from None
    return parse_settings({} if content is None else content, str(path))


def parse_settings(content: object, where: str = str(PARAMS_FILE)) -> Settings:
    """Check settings given as plain data, as `params.yaml` holds them.

    Raises:
        InputError: naming the first setting that is wrong, what was found and what is allowed.
    """
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{where}: {_one_line(content, error.errors())}") from None


def flat(settings: BaseModel) -> dict[str, Any]:
    """Settings under dotted names: `{"train.optimizer": "adam", ...}`."""
    return dict(_flat("", settings.model_dump(mode="json")))


def _flat(prefix: str, values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", value


def _one_line(content: object, problems: list[ErrorDetails]) -> str:
    by_setting: dict[Location, list[ErrorDetails]] = {}
    for problem in problems:
        by_setting.setdefault(_setting(content, problem["loc"]), []).append(problem)
    # Each branch of a union reports what it would take. What counts is the one that came furthest into the value.
    furthest = [
        name for name in by_setting if not any(len(name) < len(o) and o[: len(name)] == name for o in by_setting)
    ]
    more = f" (and {len(furthest) - 1} more)" if len(furthest) > 1 else ""
    return _told(furthest[0], by_setting[furthest[0]]) + more


def _setting(content: Any, location: Location) -> Location:
    """The parts of the location that stand in the file; the others are the names of types, or of a default."""
    parts: list[int | str] = []
    for part in location:
        with suppress(KeyError, IndexError, TypeError):
            content = content[part]
            parts.append(part)
    return tuple(parts)


def _told(setting: Location, problems: list[ErrorDetails]) -> str:
    name, problem = ".".join(map(str, setting)) or "the file", problems[0]
    found = f"; got {problem['input']!r}"
    match problem["type"]:
        case "extra_forbidden":
            return f"unknown setting {name}; known here: {nearest_first(setting[-1], _known_settings(setting[:-1]))}"
        case "literal_error":
            choices = re.findall(r"'([^']*)'", problem["ctx"]["expected"])
            return f"{name} must be one of {nearest_first(problem['input'], choices)}{found}"
        case "value_error":
            message = str(problem["ctx"]["error"])
            names_itself = message.startswith(tuple(f"{section}." for section in Settings.model_fields))
            return message if names_itself else f"{name} {message}{found}"
        case "model_type":
            return f"{name} must be a section of settings{found}"
    rules = [each["msg"].removeprefix("Input should be ") for each in problems]
    return f"{name} must be {' or '.join(rules)}{found}" if rules[0] != problem["msg"] else f"{name}: {rules[0]}{found}"


def _known_settings(location: Location) -> list[str]:
    section: type[BaseModel] = Settings
    for part in location:
        if field_info := section.model_fields.get(str(part)):
            annotation = field_info.annotation
            section = next((a for a in (annotation, *get_args(annotation)) if _is_section(a)), section)
    return list(section.model_fields)


def _is_section(annotation: object) -> TypeGuard[type[Section]]:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def with_values(settings: Settings, values: dict[str, Any], where: str) -> Settings:
    """The settings with some of them, by dotted name, set to other values.

    Raises:
        InputError: beginning with `where`, if a value is not allowed.
    """
    content = settings.model_dump()
    for name, value in values.items():
        *sections, last = name.split(".")
        section = content
        for part in sections:
            if section.get(part) is None:
                section[part] = {}
            section = section[part]
        section[last] = value
    return parse_settings(content, where)
