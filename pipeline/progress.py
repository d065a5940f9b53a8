"""Display of progress with the time left: a bar on a terminal, a line now and then in a log."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 15.0


class Bar(AbstractContextManager["Bar"]):
    """A progress bar that disappears at the end.

    Args:
        label: names what is counted, such as `trials`.
    """

    def __init__(self, label: str, total: int, console: Console | None = None):
        self.console = console or Console()
        # In a notebook, the bar is a widget.
        shows_bars = self.console.is_terminal or (self.console.is_jupyter and find_spec("ipywidgets") is not None)
        self.is_bar = shows_bars and not self.console.quiet
        columns = (TextColumn(label), MofNCompleteColumn(), BarColumn(20), TextColumn("{task.description}"))
        self.bar = Progress(
            *columns, TimeRemainingColumn(), console=self.console, transient=True, get_time=time.monotonic
        )
        self.task = self.bar.add_task("", total=total)
        self.last_line = time.monotonic()

    def __enter__(self) -> Self:
        if self.is_bar:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_bar:
            self.bar.stop()

    def show(self, done: int, text: str, line: Callable[[], str]) -> None:
        """Show how many are done: as a bar with a text on a terminal or in a notebook, elsewhere as a line."""
        self.bar.update(self.task, completed=done, description=text)
        if self.is_bar or self.console.quiet or time.monotonic() - self.last_line < SECONDS_BETWEEN_LINES:
            return
        self.last_line = time.monotonic()
        seconds = self.bar.tasks[self.task].time_remaining
        print(line() if seconds is None else f"{line()}, {_duration(seconds)} left", flush=True)


def _duration(seconds: float) -> str:
    """Return a duration in words, in minutes where it is longer than two."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
