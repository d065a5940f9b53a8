"""What the project aims at, on two cores, held against what was measured."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from experiments.benchmarks import epochs, memory, overhead, search, start, study
from experiments.benchmarks.records import Record
from experiments.benchmarks.works import SMALL, TEXTBOOK, WIDE


@dataclass(frozen=True)
class Of:
    """Which record is meant; None for any work or number of seeds."""

    part: str
    peer: str
    work: str | None = None
    seeds: int | None = None

    def find(self, records: Iterable[Record]) -> Record | None:
        """The first record that fits."""
        for record in records:
            if (record.part, record.peer) != (self.part, self.peer):
                continue
            if self.work in (None, record.work) and self.seeds in (None, record.seeds):
                return record
        return None


@dataclass(frozen=True)
class Aim:
    """A figure: the median of `above` over that of `below`, or `above` alone; and its limit.

    Attributes:
        at_least: whether more is better; else less is.
    """

    figure: str
    above: Of
    below: Of | None
    limit: float
    at_least: bool = True
    unit: str = "times"

    def measured(self, records: Iterable[Record]) -> float | None:
        """The figure; None where it was not measured."""
        records = list(records)
        found = [of.find(records) for of in (self.above, self.below) if of]
        if None in found:
            return None
        over = found[1].median if self.below else 1.0
        return found[0].median / over

    def is_met(self, measured: float) -> bool:
        """Whether that is enough."""
        return measured >= self.limit if self.at_least else measured <= self.limit


def _speeds(work: str, name: str, aims: dict[int, float]) -> Iterator[Aim]:
    stock = Of(epochs.PART, epochs.STOCK, work)
    for seeds, limit in aims.items():
        figure = f"{name}: per seed against Model.fit, {seeds} side by side"
        yield Aim(figure, stock, Of(epochs.PART, epochs.OURS, work, seeds), limit)


def _searches(name: str, size: search.Size, limit: float) -> Iterator[Aim]:
    ours = Of(search.PART, search.OURS, size.work)
    for peer, processes in ((search.PLAIN, "one process"), (search.TWO, "two processes too")):
        yield Aim(f"{name}, against plain, {processes}", Of(search.PART, peer, size.work), ours, limit)


AIMS = (
    *_speeds(TEXTBOOK.name, "MNIST textbook model", {1: 4, 10: 10}),
    *_speeds(SMALL.name, "digits", {1: 8, 10: 45, 30: 60}),
    *_speeds(WIDE.name, "512-512 on MNIST", {1: 1.5, 3: 2}),
    Aim(
        "MNIST textbook model, 1 seed, over its matrix products",
        Of(epochs.PART, epochs.OURS, TEXTBOOK.name, 1),
        Of(epochs.PART, epochs.FLOOR, TEXTBOOK.name),
        2.5,
        at_least=False,
    ),
    *_searches("short search", search.SHORT, 25),
    *_searches("default search", search.DEFAULT, 20),
    *(
        Aim(
            f"a search's overhead at its 500th trial, over that at its 50th: {peer}",
            Of(overhead.PART, peer, overhead.LATE),
            Of(overhead.PART, peer, overhead.EARLY),
            1.5,
            at_least=False,
        )
        for peer in (overhead.TPE, overhead.RANDOM)
    ),
    Aim("default study, against Model.fit", Of(study.PART, study.PLAIN), Of(study.PART, study.OURS), 20),
    Aim("default study, against two processes of it", Of(study.PART, study.TWO), Of(study.PART, study.OURS), 20),
    Aim("graphs' share of the default study", Of(study.PART, study.GRAPHS), None, 0.25, at_least=False, unit=""),
    Aim(
        "peak memory on MNIST, 10 seeds, over Model.fit",
        Of(memory.PART, memory.OURS, seeds=10),
        Of(memory.PART, memory.STOCK),
        2,
        at_least=False,
    ),
    Aim("dvc repro with nothing to do", Of(start.PART, start.NO_OP), None, 2.5, at_least=False, unit="s"),
)
