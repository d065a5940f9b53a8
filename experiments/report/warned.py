"""Warnings of the stage prepare, which are recorded in English, in the language of the report."""

import re
import string

from experiments.report.language import N_, _
from pipeline.data.sentences import ADVICE, WARNING, Sentence

TEMPLATES = (
    *Sentence, N_("{names} and {count} more"), N_("data.source {file}: {text}"), N_("data.test_source {file}: {text}"),
)  # fmt: skip
ONE_WORD = ("count", "rows", "share", "value", "place")  # fields that hold no more than a word
SHORTEST = ("file",)  # fields that end at the first colon, since the text after them may have one too


def _pattern(template: str) -> re.Pattern[str]:
    """Return what matches the texts that a template becomes, each of its fields a group."""
    pattern = ""
    for text, field, *_format in string.Formatter().parse(template):
        pattern += re.escape(text)
        pattern += (
            f"(?P<{field}>{'[^ ]+' if field in ONE_WORD else '.+?' if field in SHORTEST else '.+'})" if field else ""
        )
    return re.compile(pattern)


LINES = {code: _pattern(WARNING.format(code=code, texts="{texts}", advice=ADVICE[code])) for code in ADVICE}
PATTERNS = {template: _pattern(template) for template in TEMPLATES}


def translated(text: str) -> str:
    """Return a warning, or a part of one, in the language of the report; one that is not known stays as it is."""
    for code, line in LINES.items():
        if match := line.fullmatch(text):
            texts = "; ".join(map(translated, match["texts"].split("; ")))
            return _(WARNING).format(code=code, texts=texts, advice=_(ADVICE[code]))
    for template, pattern in PATTERNS.items():
        if match := pattern.fullmatch(text):
            return _(template).format(**{name: translated(part) for name, part in match.groupdict().items()})
    return ", ".join(map(translated, text.split(", "))) if ", " in text else text
