"""Errors that a user can cause, and how a stage reports them."""

import difflib
import sys
from collections.abc import Callable, Iterable


class InputError(Exception):
    """A setting or a file that the user can put right; its message is one line that says how."""


def nearest_first(value: object, choices: Iterable[str], most: int | None = None) -> str:
    """The choices as one string, those that look most like `value` in front; `most` of them, if there are more."""
    choices = list(choices)
    near = difflib.get_close_matches(value, choices, n=3, cutoff=0.5) if isinstance(value, str) else []
    ordered = near + [choice for choice in choices if choice not in near]
    left_out = len(ordered[most:]) if most else 0
    return ", ".join(ordered[:most]) + (f" and {left_out} more" if left_out else "")


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage's `main`; an `InputError` becomes one line on standard error and exit status 2, Ctrl-C status 130."""
    try:
        main()
    except InputError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
