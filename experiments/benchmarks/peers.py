"""Measurement of peers that take turns at the same work."""

from collections.abc import Iterable
from typing import Protocol

from experiments.benchmarks.records import Measured, Record, record


class Peer(Protocol):
    """One way to do a work; `seeds` is the number of trainings side by side, or for one configuration."""

    @property
    def name(self) -> str: ...

    @property
    def seeds(self) -> int: ...

    def run(self, turn: int) -> Measured: ...


def measure(
    part: str, work: str, unit: str, peers: Iterable[Peer], repetitions: int, stock: str | None = None
) -> list[Record]:
    """Measure all peers in turns, so that a busy moment of the machine affects all of them.

    Args:
        stock: the name of the peer that ratios compare with; None for the first one.
    """
    peers = list(peers)
    results: list[list[Measured]] = [[] for _ in peers]
    for turn in range(repetitions):
        for peer, turns in zip(peers, results, strict=True):
            print(f"{part}: {work}: {peer.name} ({peer.seeds}), turn {turn + 1} of {repetitions}", flush=True)
            turns.append(peer.run(turn))
    place = 0 if stock is None else [peer.name for peer in peers].index(stock)
    middle = record(part, work, stock or "", 1, unit, results[place]).median
    return [
        record(part, work, peer.name, peer.seeds, unit, turns, middle)
        for peer, turns in zip(peers, results, strict=True)
    ]
