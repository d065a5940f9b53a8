"""What a benchmark finds: medians with their spread, and ratios, from what each peer took in its turns."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, median

TOOLS = ("tensorflow", "keras", "scikit-learn", "numpy", "optuna", "mlflow")


@dataclass(frozen=True)
class Measured:
    """What one peer took in one turn.

    Attributes:
        values: in the unit of the record, one or several of the same kind.
        first: seconds of the first epoch, tracing and compiling included, for all seeds.
        accuracy: on the validation rows at the end.
        note: what one must know to read the values.
    """

    values: Sequence[float]
    first: float | None = None
    accuracy: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Record:
    """What one peer took for one work.

    Attributes:
        part: the file of this package that measured it.
        unit: of `median`, `low` and `high`, the least and the greatest value.
        repetitions: how often the peer had its turn.
        ratio: the median of the part's stock peer over this one: how many times less this one takes.
        note: what was measured where it is not the whole, and with what options.
        machine: what it was measured on.
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


def record(
    part: str, work: str, peer: str, seeds: int, unit: str, turns: Sequence[Measured], stock: float | None = None
) -> Record:
    """Sum up the turns of a peer; `stock` is the median of the stock peer."""
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


def _middle(of, values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return of(known) if known else None


@cache
def machine() -> str:
    """The processor, its cores and the versions of what runs on them."""
    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    tools = ", ".join(f"{name} {version(name)}" for name in TOOLS)
    return f"{cpu}, {os.cpu_count()} cores, Python {platform.python_version()}, {tools}"
