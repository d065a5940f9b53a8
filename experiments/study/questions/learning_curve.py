"""The learning curve: an arm on ever fewer of its training rows, for what more data would bring."""

from dataclasses import replace

from experiments.study.arms import Arm
from pipeline.settings import Settings


def learning_curve(settings: Settings, arm: Arm, group: str, n: int, fewest: int) -> list[Arm]:
    """Return an arm on its `n` training rows, on half of them, and so on; each is compared with the one before it.

    Args:
        fewest: the fewest training rows of an arm.
    """
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
