"""Numbers as text for a terminal."""

import math


def significant(value: float, digits: int = 4) -> str:
    """Return a number with so many significant digits, and all digits before the decimal point."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"
