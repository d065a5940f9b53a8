"""The language of a report: the messages of gettext, for as long as a report is made.

The texts are English where they stand. `_("...")` translates one at once; `N_("...")` marks one, such as a constant,
that is translated where it is used. Translations are in `locale/`, and `make translations` brings them up to date.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from gettext import NullTranslations, translation
from pathlib import Path

from pipeline.choices import Language
from pipeline.data.sentences import N_ as N_

LOCALE = Path(__file__).parent / "locale"
TAGS: dict[Language, str] = {"en": "en", "zh": "zh-CN"}  # as HTML has them


@dataclass(frozen=True)
class Catalogue:
    """A language with its messages."""

    language: Language
    messages: NullTranslations


ENGLISH = Catalogue("en", NullTranslations())
_catalogue: ContextVar[Catalogue] = ContextVar("catalogue", default=ENGLISH)


@contextmanager
def in_language(language: Language) -> Iterator[None]:
    """Make what is rendered inside in this language; a render in another thread keeps its own."""
    catalogue = ENGLISH if language == "en" else Catalogue(language, translation("report", LOCALE, [language]))
    token = _catalogue.set(catalogue)
    try:
        yield
    finally:
        _catalogue.reset(token)


def language() -> Language:
    """Return the language in use."""
    return _catalogue.get().language


def translations() -> NullTranslations:
    """Return the messages of the language in use, for Jinja's extension."""
    return _catalogue.get().messages


def gettext(message: str) -> str:
    """Return a message in the language in use."""
    return _catalogue.get().messages.gettext(message)


def pgettext(context: str, message: str) -> str:
    """Return a message that is translated differently in different contexts."""
    return _catalogue.get().messages.pgettext(context, message)


def counted(singular: str, plural: str, n: int, **values: object) -> str:
    """Return a message in the form that goes with a number, with the number at `{n}` and other values in it."""
    return _catalogue.get().messages.ngettext(singular, plural, n).format(n=n, **values)


_ = gettext
