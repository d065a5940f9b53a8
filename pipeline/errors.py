"""The error that a user can cause, and its report by a stage."""

import difflib
import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn

MOST_OF_A_MESSAGE = 2000  # characters that are printed


class InputError(Exception):
    """A problem that the user can solve in a setting or a file; the message is one line that says how."""


@contextmanager
def value_errors(parameters: Mapping[str, str] | None = None) -> Iterator[None]:
    """Raise what a stage would print in a line as a `ValueError`, as callers of a library expect.

    Args:
        parameters: what the caller calls a setting, by the setting's name in `params.yaml`.
    """
    try:
        yield
    except InputError as error:
        message = str(error)
        for setting, parameter in (parameters or {}).items():
            message = message.replace(setting, parameter)
        raise ValueError(message) from None


def nearest_first(value: object, choices: Iterable[str], most: int | None = None) -> str:
    """List choices in one string, those most similar to `value` first, at most `most` of them."""
    choices = list(choices)
    near = difflib.get_close_matches(value, choices, n=3, cutoff=0.5) if isinstance(value, str) else []
    ordered = near + [choice for choice in choices if choice not in near]
    left_out = len(ordered[most:]) if most else 0
    return ", ".join(ordered[:most]) + (f" and {left_out} more" if left_out else "")


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage's `main`; an `InputError` becomes one line on standard error and exit status 2.

    What the encoding of standard output lacks, such as an accent where that is ASCII, is printed as an escape. Where
    nobody reads it any more, as in `| head -1`, the stage ends with exit status 1 and without a word.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error is from the start
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:
        _end_if_nobody_reads()
        raise
    except InputError as error:
        _end_with(str(error))
    except UnicodeEncodeError as error:
        # Files are written in UTF-8, so this is the name of one, under a locale such as C.
        if error.encoding != sys.getfilesystemencoding():
            raise
        _end_with(
            f"{error.object!r} has a character that the encoding of file names, {error.encoding}, lacks; set "
            "PYTHONUTF8=1, or a locale with UTF-8"
        )


def _end_if_nobody_reads() -> None:
    try:
        print(flush=True)  # fails again, unless it was another pipe that broke
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it once more at its end
        sys.exit(1)


def _end_with(message: str) -> NoReturn:
    print(f"error: {' '.join(message.split()):.{MOST_OF_A_MESSAGE}}", file=sys.stderr)
    sys.exit(2)


def without_password(url: str) -> str:
    """Return a URL of a database or a server with its passwords masked, as messages and records show it."""
    shown = re.sub(r"(//[^:/@]*):.*@", r"\1:***@", url)
    return re.sub(r"(password=)[^&]*", r"\1***", shown)
