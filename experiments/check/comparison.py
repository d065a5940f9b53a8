"""Two accounts of the same thing, set side by side."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import SupportsFloat

NOTHING = "nothing"
MOST_SHOWN = 20


@dataclass(frozen=True)
class Comparison:
    """Two places that hold the same values, and the values of each by name.

    Attributes:
        left, right: the places, as messages name them.
        what: the kind of value, in the plural.
        left_values, right_values: the values as `printed` returns them; one that only one place has is a difference.
    """

    left: str
    right: str
    what: str
    left_values: Mapping[str, str]
    right_values: Mapping[str, str]

    @property
    def names(self) -> list[str]:
        """Return all names, those of the left place first."""
        return list(dict(self.left_values) | dict(self.right_values))

    @property
    def differing(self) -> list[str]:
        """Return the names whose values differ."""
        return [name for name in self.names if self.left_values.get(name) != self.right_values.get(name)]

    def lines(self) -> Iterator[str]:
        """Yield one line with the result, then a line for each difference."""
        differing, places = self.differing, f"{self.left} and {self.right}"
        if not differing:
            yield f"{places}: {len(self.names)} {self.what} agree"
            return
        yield f"{places}: {len(differing)} of {len(self.names)} {self.what} differ"
        for name in differing[:MOST_SHOWN]:
            left, right = (values.get(name, NOTHING) for values in (self.left_values, self.right_values))
            yield f"  {name}: {left} in {self.left}, {right} in {self.right}"
        if len(differing) > MOST_SHOWN:
            yield f"  and {len(differing) - MOST_SHOWN} more"


def printed(values: Mapping[str, object]) -> dict[str, str]:
    """Return every value as the tables print it, numbers with seven digits; leave missing ones out."""
    texts = {name: _printed(value) for name, value in values.items()}
    return {name: text for name, text in texts.items() if text not in ("", "nan")}


def _printed(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | SupportsFloat):
        return str(value)
    try:
        return f"{float(value):.7g}"
    except (TypeError, ValueError):
        return str(value)
