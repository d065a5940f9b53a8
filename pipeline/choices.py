"""The names that settings choose from, with the facts about each that are needed without importing Keras."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

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


# Scores of validation rows beside the loss, by one of which a training may choose its epoch, and a search its trial.
Score = Literal["accuracy", "balanced_accuracy", "f1", "roc_auc", "average_precision", "brier", "mae", "r2"]

# A search judges each trial by one or two of these, scored on the trial's validation rows; see `OBJECTIVES`.
Objective = Literal["cross_entropy", Score, "gap", "weights"]

# Languages of the report.
Language = Literal["en", "zh"]

# Rows that judge, which no model was trained on.
NewRows = Literal["holdout", "test"]

# Models that a study compares the network with.
Peer = Literal["linear", "nearest_neighbors", "random_forest", "gradient_boosting", "gradient_boosting_stopped"]


@dataclass(frozen=True)
class OptimizerFacts:
    """Facts about an optimizer that are needed without Keras, whose import takes seconds; a test holds them to Keras.

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


@dataclass(frozen=True)
class ObjectiveFacts:
    """Facts about what trainings and searches go by, needed where scores are not computed; a test holds them to those.

    Attributes:
        task: the only task that it is defined for; None for all.
        is_maximized: whether more is better.
        is_score: whether it is a `Score`, computed from predictions.
    """

    task: Literal["classification", "regression"] | None = None
    is_maximized: bool = False
    is_score: bool = True


OBJECTIVES: dict[Objective, ObjectiveFacts] = {
    "cross_entropy": ObjectiveFacts(is_score=False),  # for a regression the RMSE
    "accuracy": ObjectiveFacts("classification", is_maximized=True),
    "balanced_accuracy": ObjectiveFacts("classification", is_maximized=True),
    "f1": ObjectiveFacts("classification", is_maximized=True),
    "roc_auc": ObjectiveFacts("classification", is_maximized=True),
    "average_precision": ObjectiveFacts("classification", is_maximized=True),
    "brier": ObjectiveFacts("classification"),
    "mae": ObjectiveFacts("regression"),
    "r2": ObjectiveFacts("regression", is_maximized=True),
    "gap": ObjectiveFacts(is_score=False),
    "weights": ObjectiveFacts(is_score=False),
}


def objectives_of(task: Literal["classification", "regression"]) -> list[Objective]:
    """Return those of the `OBJECTIVES` that are defined for a task."""
    return [name for name, facts in OBJECTIVES.items() if facts.task in (None, task)]


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
