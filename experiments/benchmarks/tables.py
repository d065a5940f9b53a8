"""Tables of the records and the aims, on the terminal and as Markdown."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from experiments.benchmarks import growth
from experiments.benchmarks.aims import AIMS
from experiments.benchmarks.records import Record

COLUMNS = ("work", "peer", "seeds", "median", "from", "to", "turns", "ratio", "first epoch", "accuracy", "note")
AIM_COLUMNS = ("figure", "aim", "measured", "")
GROWTH_COLUMNS = ("what grows", "peer", "measured at", "exponent", "aim", "")
STEEPEST = 1.1  # the aim is that nothing grows faster than linearly; a tenth is for the noise of a measurement

GROWTH_NOTE = (
    "How time and memory grow with one size while the others stay: as `size ** exponent`, measured over the "
    f"{growth.LARGEST} largest sizes."
)


def number(value: float, unit: str) -> str:
    """Format a number with three significant digits and a suitable unit."""
    if unit == "share":
        return f"{value * 100:.3g} %"
    if unit == "s" and value < 1:
        return f"{value * 1000:.3g} ms"
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def rows(records: Iterable[Record]) -> list[tuple[str, ...]]:
    """Return a row of text for each record but those of growth."""
    return [
        (
            record.work,
            record.peer,
            str(record.seeds),
            *(number(value, record.unit) for value in (record.median, record.low, record.high)),
            str(record.repetitions),
            "" if record.ratio is None else f"{record.ratio:.3g}",
            "" if record.first is None else number(record.first, "s"),
            "" if record.accuracy is None else f"{record.accuracy:.4f}",
            record.note,
        )
        for record in records
        if not record.size
    ]


def growth_rows(records: Iterable[Record]) -> list[tuple[str, ...]]:
    """Return a row of text for each growth, with its exponent held to the aim."""
    table: list[tuple[str, ...]] = []
    for (work, peer), measured in growth.by_work(records).items():
        points = "; ".join(f"{one.size:,}: {number(one.median, one.unit)}" for one in measured)
        exponent = growth.exponent(measured)
        verdict = "met" if exponent <= STEEPEST else "missed"
        table.append((work, peer, points, f"{exponent:.2f}", f"at most {STEEPEST:g}", verdict))
    return table


def aim_rows(records: Sequence[Record]) -> list[tuple[str, ...]]:
    """Return a row of text for each aim."""
    table: list[tuple[str, ...]] = []
    for aim in AIMS:
        measured = aim.measured(records)
        limit = f"at {'least' if aim.at_least else 'most'} {aim.limit:g} {aim.unit}".strip()
        if measured is None:
            table.append((aim.figure, limit, "-", "not measured"))
            continue
        verdict = "met" if aim.is_met(measured) else "missed"
        table.append((aim.figure, limit, f"{measured:.3g} {aim.unit}".strip(), verdict))
    return table


def markdown(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Format a table as Markdown."""
    all_lines = [columns, ["---"] * len(columns), *lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in all_lines)


def report(records: Sequence[Record]) -> str:
    """Return the tables and their explanation as Markdown."""
    machines = sorted({record.machine for record in records})
    return (
        "# Benchmark\n\nWritten by `make bench`. On " + "; ".join(machines) + ".\n\n"
        "`ratio`: how many times less a peer takes than the stock one, which has 1; for epochs, per seed.\n\n"
        + markdown(AIM_COLUMNS, aim_rows(records))
        + "\n"
        + markdown(COLUMNS, rows(records))
        + (f"\n{GROWTH_NOTE}\n\n" + markdown(GROWTH_COLUMNS, growing) if (growing := growth_rows(records)) else "")
    )


def show(records: Sequence[Record]) -> None:
    """Print the tables."""
    console = Console(width=None if Console().is_terminal else 200)
    parts = ((COLUMNS, rows(records)), (GROWTH_COLUMNS, growth_rows(records)), (AIM_COLUMNS, aim_rows(records)))
    for columns, lines in parts:
        table = Table(*columns)
        for line in lines:
            table.add_row(*line)
        console.print(table)
