"""The project's aims for two cores, compared with the measurements."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from experiments.benchmarks import epochs, memory, overhead, search, start, study
from experiments.benchmarks.records import Record
from experiments.benchmarks.works import REGULARIZED, SMALL, TEXTBOOK, WIDE


@dataclass(frozen=True)
class Query:
    """A query for one record; None stands for any work or number of seeds."""

    part: str
    peer: str
    work: str | None = None
    seeds: int | None = None

    def find(self, records: Iterable[Record]) -> Record | None:
        """Return the first record that matches; None if there is none."""
        for record in records:
            if (record.part, record.peer) != (self.part, self.peer):
                continue
            if self.work in (None, record.work) and self.seeds in (None, record.seeds):
                return record
        return None


@dataclass(frozen=True)
class Aim:
    """A limit for a figure: the median of `above` divided by that of `below`, or that of `above` alone.

    Attributes:
        at_least: whether the limit is the lowest good value; else it is the highest.
    """

    figure: str
    above: Query
    below: Query | None
    limit: float
    at_least: bool = True
    unit: str = "times"

    def measured(self, records: Iterable[Record]) -> float | None:
        """Return the figure; None where it was not measured."""
        records = list(records)
        above = self.above.find(records)
        if above is None:
            return None
        if self.below is None:
            return above.median
        below = self.below.find(records)
        return None if below is None else above.median / below.median

    def is_met(self, measured: float) -> bool:
        """Return whether the measured figure meets the limit."""
        return measured >= self.limit if self.at_least else measured <= self.limit


def _speeds(work: str, name: str, aims: dict[int, float]) -> Iterator[Aim]:
    stock = Query(epochs.PART, epochs.STOCK, work)
    for seeds, limit in aims.items():
        figure = f"{name}: per seed against Model.fit, {seeds} side by side"
        yield Aim(figure, stock, Query(epochs.PART, epochs.OURS, work, seeds), limit)


def _over_jax(work: str, name: str, aims: dict[int, float]) -> Iterator[Aim]:
    for seeds, limit in aims.items():
        ours, jax = (Query(epochs.PART, peer, work, seeds) for peer in (epochs.OURS, epochs.JAX))
        yield Aim(f"{name}: an epoch over JAX's, {seeds} side by side", ours, jax, limit, at_least=False)


def _over_products(work: str, name: str, limit: float) -> Aim:
    ours, products = Query(epochs.PART, epochs.OURS, work, 1), Query(epochs.PART, epochs.FLOOR, work)
    return Aim(f"{name}: an epoch of 1 seed over its matrix products", ours, products, limit, at_least=False)


def _searches(name: str, size: search.Size, limit: float) -> Iterator[Aim]:
    ours = Query(search.PART, search.OURS, size.work)
    for peer, processes in ((search.PLAIN, "one process"), (search.TWO, "two processes too")):
        yield Aim(f"{name}, against plain, {processes}", Query(search.PART, peer, size.work), ours, limit)


AIMS = (
    *_speeds(TEXTBOOK.name, "MNIST textbook model", {1: 4, 10: 10}),
    *_speeds(SMALL.name, "digits", {1: 8, 10: 45, 30: 60}),
    *_speeds(WIDE.name, "512-512 on MNIST", {1: 1.5, 3: 2}),
    *_over_jax(SMALL.name, "digits", {1: 1.2, 10: 1, 30: 1}),
    *_over_jax(REGULARIZED.name, "digits with dropout and L2", {1: 1.2, 10: 1, 30: 1}),
    *_over_jax(TEXTBOOK.name, "MNIST textbook model", {1: 1, 10: 1}),
    _over_products(TEXTBOOK.name, "MNIST textbook model", 2.5),
    _over_products(WIDE.name, "512-512 on MNIST", 1.2),
    *_searches("short search", search.SHORT, 25),
    *_searches("long search", search.LONG, 50),
    *(
        Aim(
            f"a search's overhead at its {overhead.TRIALS}th trial, over that at its 50th: {peer}",
            Query(overhead.PART, peer, overhead.LATE),
            Query(overhead.PART, peer, overhead.EARLY),
            1.2,
            at_least=False,
        )
        for peer in (overhead.TPE, overhead.RANDOM)
    ),
    Aim("default study, against Model.fit", Query(study.PART, study.PLAIN), Query(study.PART, study.OURS), 80),
    Aim("default study, against two processes of it", Query(study.PART, study.TWO), Query(study.PART, study.OURS), 40),
    Aim("graphs' share of the default study", Query(study.PART, study.GRAPHS), None, 0.25, at_least=False, unit=""),
    Aim(
        "peak memory on MNIST, 10 seeds, over Model.fit",
        Query(memory.PART, epochs.OURS, seeds=10),
        Query(memory.PART, epochs.STOCK),
        2,
        at_least=False,
    ),
    Aim("dvc repro with nothing to do", Query(start.PART, start.NO_OP), None, 2.5, at_least=False, unit="s"),
)
