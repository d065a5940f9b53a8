"""The records and the aims as tables: on the terminal, and as Markdown."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from experiments.benchmarks.aims import AIMS
from experiments.benchmarks.records import Record

COLUMNS = ("work", "peer", "seeds", "median", "from", "to", "turns", "ratio", "first epoch", "accuracy", "note")
AIM_COLUMNS = ("figure", "aim", "measured", "")


def number(value: float, unit: str) -> str:
    """Three digits that count, and the unit that suits them."""
    if unit == "share":
        return f"{value * 100:.3g} %"
    if unit == "s" and value < 1:
        return f"{value * 1000:.3g} ms"
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def rows(records: Iterable[Record]) -> list[tuple[str, ...]]:
    """A row for each record."""
    return [
        (
            each.work,
            each.peer,
            str(each.seeds),
            *(number(value, each.unit) for value in (each.median, each.low, each.high)),
            str(each.repetitions),
            "" if each.ratio is None else f"{each.ratio:.3g}",
            "" if each.first is None else number(each.first, "s"),
            "" if each.accuracy is None else f"{each.accuracy:.4f}",
            each.note,
        )
        for each in records
    ]


def aim_rows(records: Sequence[Record]) -> list[tuple[str, ...]]:
    """A row for each aim."""
    found = []
    for aim in AIMS:
        measured = aim.measured(records)
        limit = f"at {'least' if aim.at_least else 'most'} {aim.limit:g} {aim.unit}".strip()
        if measured is None:
            found.append((aim.figure, limit, "-", "not measured"))
            continue
        verdict = "met" if aim.is_met(measured) else "missed"
        found.append((aim.figure, limit, f"{measured:.3g} {aim.unit}".strip(), verdict))
    return found


def markdown(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table to paste."""
    every = [columns, ["---"] * len(columns), *lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in every)


def report(records: Sequence[Record]) -> str:
    """Everything as Markdown."""
    machines = sorted({each.machine for each in records})
    return (
        "# Benchmark\n\nWritten by `make bench`. On " + "; ".join(machines) + ".\n\n"
        "`ratio`: how many times less a peer takes than the stock one, which has 1; for epochs, per seed.\n\n"
        + markdown(AIM_COLUMNS, aim_rows(records))
        + "\n"
        + markdown(COLUMNS, rows(records))
    )


def show(records: Sequence[Record]) -> None:
    """Print both tables."""
    console = Console(width=None if Console().is_terminal else 200)
    for columns, lines in ((COLUMNS, rows(records)), (AIM_COLUMNS, aim_rows(records))):
        table = Table(*columns)
        for line in lines:
            table.add_row(*line)
        console.print(table)
