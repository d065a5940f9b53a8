"""Messages on how data was read, and how they name columns and rows."""

from dataclasses import dataclass, field

import numpy as np

from pipeline.errors import nearest_first

Found = tuple[str, str | None, int, str]  # of a finding: its code, column and count, and what was found
SHOWN_COLUMNS = 20


@dataclass
class Messages:
    """Messages for the user on how a table was read: notes on what was taken, and warnings of what may be wrong.

    Attributes:
        found: what the check-up shall tell of.
    """

    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)

    def about(self, label: str) -> "Messages":
        """Return them with what they are about before each."""
        notes, warnings = ([f"{label}: {text}" for text in texts] for texts in (self.notes, self.warnings))
        return Messages(notes, warnings, self.found)

    def __add__(self, other: "Messages") -> "Messages":
        return Messages(self.notes + other.notes, self.warnings + other.warnings, self.found + other.found)


def shown(columns: list[str], like: str = "") -> str:
    """List column names for a message, those most similar to `like` first, at most `SHOWN_COLUMNS` of them."""
    return nearest_first(like, columns, most=SHOWN_COLUMNS)


def first_row(marked: np.ndarray, test_rows: int | None, test_source: str | None) -> str:
    """Name the first row that is marked, counted from 1 in its own part; the last `test_rows` are the test set."""
    row = int(np.argmax(marked))
    other_rows = len(marked) - (test_rows or 0)
    if row < other_rows:
        return f"row {row + 1}"
    part = "the test set" if test_source is None else f"data.test_source {test_source}"
    return f"row {row - other_rows + 1} of {part}"
