"""Results of benchmarks: medians with their range, and ratios, from the turns of each peer."""

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, median

TOOLS = ("tensorflow", "keras", "scikit-learn", "numpy", "optuna", "mlflow")


@dataclass(frozen=True)
class Measured:
    """The result of one turn of a peer.

    Attributes:
        values: one or several measurements, in the unit of the record.
        first: seconds of the first epoch, tracing and compiling included, for all seeds.
        accuracy: on the validation rows at the end.
        note: what a reader must know about the values.
    """

    values: Sequence[float]
    first: float | None = None
    accuracy: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Record:
    """The result of a peer for one work.

    Attributes:
        part: the file of this package that measured it.
        unit: of `median`, `low` (the least value) and `high` (the greatest).
        repetitions: how often the peer had its turn.
        ratio: the median of the part's stock peer divided by this one.
        note: the part of the work that was measured, if not all, and the options.
        machine: the machine and versions it was measured on.
        size: of what grows, in the part growth; 0 in the others.
    """

    part: str
    work: str
    peer: str
    seeds: int
    unit: str
    median: float
    low: float
    high: float
    repetitions: int
    ratio: float | None
    first: float | None
    accuracy: float | None
    note: str
    machine: str
    size: int = 0


def record(
    part: str, work: str, peer: str, seeds: int, unit: str, turns: Sequence[Measured], stock: float | None = None
) -> Record:
    """Return the record of a peer's turns; `stock` is the median of the stock peer."""
    values = [value for turn in turns for value in turn.values]
    middle = median(values)
    ratio = stock / middle if stock is not None and middle else None
    return Record(
        part,
        work,
        peer,
        seeds,
        unit,
        middle,
        min(values),
        max(values),
        len(turns),
        ratio,
        _middle(median, [turn.first for turn in turns]),
        _middle(fmean, [turn.accuracy for turn in turns]),
        turns[-1].note,
        machine(),
    )


def _middle(average: Callable[[list[float]], float], values: list[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return average(numbers) if numbers else None


@cache
def machine() -> str:
    """Describe the processor, its cores and the versions of the libraries."""
    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    tools = ", ".join(f"{name} {version(name)}" for name in TOOLS)
    return f"{cpu}, {os.cpu_count()} cores, Python {platform.python_version()}, {tools}"
