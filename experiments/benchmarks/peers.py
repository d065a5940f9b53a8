"""Peers that do the same work, and take turns at it."""

from collections.abc import Iterable
from typing import Protocol

from experiments.benchmarks.records import Measured, Record, record


class Peer(Protocol):
    """One way to do a work; `seeds` is how many trainings of it go on side by side, or for one configuration."""

    @property
    def name(self) -> str: ...

    @property
    def seeds(self) -> int: ...

    def run(self, turn: int) -> Measured: ...


def measure(
    part: str, work: str, unit: str, peers: Iterable[Peer], repetitions: int, stock: str | None = None
) -> list[Record]:
    """Give every peer its turns, one after the other, so that a busy moment of the machine hits all.

    Args:
        stock: the name of the peer whose median all ratios are of; None for the first one.
    """
    peers = list(peers)
    turns: list[list[Measured]] = [[] for _ in peers]
    for turn in range(repetitions):
        for peer, own in zip(peers, turns, strict=True):
            print(f"{part}: {work}: {peer.name} ({peer.seeds}), turn {turn + 1} of {repetitions}", flush=True)
            own.append(peer.run(turn))
    place = 0 if stock is None else [peer.name for peer in peers].index(stock)
    middle = record(part, work, stock or "", 1, unit, turns[place]).median
    return [
        record(part, work, peer.name, peer.seeds, unit, own, middle) for peer, own in zip(peers, turns, strict=True)
    ]
