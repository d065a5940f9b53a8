"""Memorization: the network on labels that have nothing to do with the features (Zhang et al. 2017)."""

from experiments.study.arms import Arm, baseline
from experiments.study.rows import Labels
from pipeline.settings import Settings

NAMES: dict[Labels, str] = {"true": "true labels", "wrong": "20 % of the labels wrong", "shuffled": "shuffled labels"}


def memorization(settings: Settings) -> list[Arm]:
    """Return the baseline on the true labels, with a share of them wrong, and on shuffled ones."""
    base = baseline(settings)
    return [Arm.of(base, "memorization", name, "labels", "labels", labels=labels) for labels, name in NAMES.items()]
