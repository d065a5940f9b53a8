"""Settings of a study of a small network."""

from collections.abc import Iterable

from experiments.study.arms import Arm
from pipeline.settings import Model, Settings, Study, Train

REMEDIES = {"model.l2": [1e-3, 1e-2], "model.batch_norm": [True], "train.early_stopping.patience": [5]}


def settings(model: dict | None = None, train: dict | None = None, **study: object) -> Settings:
    return Settings(
        model=Model(**({"hidden_units": [8, 4]} | (model or {}))),
        train=Train(**({"epochs": 6} | (train or {}))),
        study=Study(**({"remedies": REMEDIES} | study)),
    )


def names(arms: Iterable[Arm]) -> list[str]:
    return [arm.name for arm in arms]
