"""Two accounts of the same thing, set side by side."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

NOTHING = "nothing"
MOST_SHOWN = 20


@dataclass(frozen=True)
class Comparison:
    """What each of two places says, by name.

    Attributes:
        left, right: the places, as a reader would find them.
        what: of what they tell, in the plural.
        told_left, told_right: as `printed`; what the one tells and the other does not is a difference.
    """

    left: str
    right: str
    what: str
    told_left: Mapping[str, str]
    told_right: Mapping[str, str]

    @property
    def names(self) -> list[str]:
        """Everything that is told of, in order."""
        return list(dict(self.told_left) | dict(self.told_right))

    @property
    def differing(self) -> list[str]:
        """Those of the names of which the places tell differently."""
        return [name for name in self.names if self.told_left.get(name) != self.told_right.get(name)]

    def lines(self) -> Iterator[str]:
        """What came out, in one line; then a line for each difference."""
        differing, places = self.differing, f"{self.left} and {self.right}"
        if not differing:
            yield f"{places}: {len(self.names)} {self.what} agree"
            return
        yield f"{places}: {len(differing)} of {len(self.names)} {self.what} differ"
        for name in differing[:MOST_SHOWN]:
            left, right = (told.get(name, NOTHING) for told in (self.told_left, self.told_right))
            yield f"  {name}: {left} in {self.left}, {right} in {self.right}"
        if len(differing) > MOST_SHOWN:
            yield f"  and {len(differing) - MOST_SHOWN} more"


def printed(told: Mapping[str, object]) -> dict[str, str]:
    """Every value as the tables print it, numbers with seven digits; one that is missing is left out."""
    texts = {name: _printed(value) for name, value in told.items()}
    return {name: text for name, text in texts.items() if text not in ("", "nan")}


def _printed(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value)
    try:
        return f"{float(value):.7g}"
    except (TypeError, ValueError):
        return str(value)
