"""Reads `params.yaml`, and says in one line what is wrong with it."""

import re
import reprlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeGuard, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline.errors import InputError, nearest_first
from pipeline.settings import Section, Settings, flat

PARAMS_FILE = Path("params.yaml")
MOST_VALUES, MOST_NESTED = 100_000, 10
MOST_SHOWN = 80  # characters of a name or a value in a message
# Values as messages show them: the middle of a long one is left out.
shown = reprlib.Repr()
shown.maxstring = shown.maxother = MOST_SHOWN

SomeSection = TypeVar("SomeSection", bound=Section)
Location = tuple[int | str, ...]  # of a value: the keys and places that lead to it


def read_settings(path: Path = PARAMS_FILE) -> Settings:
    """Read and check `params.yaml`.

    Raises:
        InputError: no such file, not YAML, an unknown setting, or a value that is not allowed.
    """
    try:
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run this in the project's root folder") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except MarkedYAMLError as error:
        where = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{path} is not valid YAML{where}: {error.problem}") from None
    # The others that it raises: for bytes that are no text, for control characters, for a date that does not exist.
    except (YAMLError, ValueError) as error:
        raise InputError(f"{path} is not valid YAML: {error}") from None
    except RecursionError:
        raise InputError(f"{path} is nested too deeply to be read") from None
    return parse_settings({} if content is None else content, str(path))


@contextmanager
def settings_in_use(*sections: str) -> Iterator[Settings]:
    """Read `params.yaml` for a stage, and see at its end that these sections still say what the stage has used.

    DVC records what stands in the file when a stage ends; an edit made meanwhile would pass for what was used.

    Raises:
        InputError: see `read_settings`; or a setting of the sections has changed.
    """
    settings = read_settings()
    yield settings
    used, now = flat(settings), flat(read_settings())
    for name, value in now.items():
        if name.partition(".")[0] in sections and value != used.get(name):
            raise InputError(
                f"{PARAMS_FILE}: {name} was changed from {used.get(name)} to {value} while this stage ran with "
                f"{used.get(name)}; run `dvc repro` again"
            )


def parse_settings(content: object, where: str = str(PARAMS_FILE)) -> Settings:
    """Check settings given as plain data, as `params.yaml` holds them.

    Raises:
        InputError: naming the first setting that is wrong, what was found and what is allowed.
    """
    _check_plain(content, where)
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{where}: {_one_line(content, error.errors())}") from None


def _check_plain(content: object, where: str) -> None:
    """Refuse what no setting can be, before anything goes through it.

    Raises:
        InputError: too many values or too deep a nesting, text with a NUL or half a character, or a huge number.
    """
    for count, (name, value) in enumerate(_walk(content, ())):
        shown_name = ".".join(map(str, name))[:MOST_SHOWN]
        if count > MOST_VALUES:
            raise InputError(f"{where} holds more than {MOST_VALUES} values, aliases counted as often as they stand")
        if len(name) > MOST_NESTED:
            raise InputError(f"{where}: {shown_name} is nested more than {MOST_NESTED} deep; no setting is")
        if isinstance(value, str) and re.search("[\0\ud800-\udfff]", value):
            raise InputError(f"{where}: {shown_name} has a NUL or half a character in it; got {shown.repr(value)}")
        if isinstance(value, int) and abs(value) >= 2**63:
            raise InputError(f"{where}: {shown_name} is a whole number of {value.bit_length()} bits; 63 are allowed")


def _walk(content: object, name: Location) -> Iterator[tuple[Location, object]]:
    """Yield all values and keys, and the location of each; the parts of a value come after it."""
    yield name, content
    if isinstance(content, dict):
        for key, value in content.items():
            yield name, key
            yield from _walk(value, (*name, key))
    elif isinstance(content, list | tuple):
        for place, value in enumerate(content):
            yield from _walk(value, (*name, place))


def _one_line(content: object, problems: list[ErrorDetails], root: type[BaseModel] = Settings) -> str:
    by_setting: dict[Location, list[ErrorDetails]] = {}
    for problem in problems:
        by_setting.setdefault(_setting(content, problem["loc"]), []).append(problem)
    # Each branch of a union reports what it would take. What counts is the one that came furthest into the value.
    furthest = [
        name for name in by_setting if not any(len(name) < len(o) and o[: len(name)] == name for o in by_setting)
    ]
    more = f" (and {len(furthest) - 1} more)" if len(furthest) > 1 else ""
    return _told(furthest[0], by_setting[furthest[0]], root) + more


def _setting(content: Any, location: Location) -> Location:
    """The parts of the location that stand in the file; the others are the names of types, or of a default."""
    parts: list[int | str] = []
    for part in location:
        with suppress(KeyError, IndexError, TypeError):
            content = content[part]
            parts.append(part)
    return tuple(parts)


def _told(setting: Location, problems: list[ErrorDetails], root: type[BaseModel]) -> str:
    name, problem = ".".join(map(str, setting)) or "the file", problems[0]
    name, found = name[:MOST_SHOWN], f"; got {shown.repr(problem['input'])}"
    match problem["type"]:
        case "extra_forbidden":
            return (
                f"unknown setting {name}; known here: {nearest_first(setting[-1], _known_settings(setting[:-1], root))}"
            )
        case "literal_error":
            choices = re.findall(r"'([^']*)'", problem["ctx"]["expected"])
            return f"{name} must be one of {nearest_first(problem['input'], choices)}{found}"
        case "value_error":
            message = str(problem["ctx"]["error"])
            names_itself = message.startswith(tuple(f"{section}." for section in Settings.model_fields))
            return message if names_itself else f"{name} {message}{found}"
        case "model_type":
            return f"{name} must be a section of settings{found}"
    rules = [each["msg"].removeprefix("Input should be ") for each in problems]
    return f"{name} must be {' or '.join(rules)}{found}" if rules[0] != problem["msg"] else f"{name}: {rules[0]}{found}"


def _known_settings(location: Location, section: type[BaseModel]) -> list[str]:
    for part in location:
        if field_info := section.model_fields.get(str(part)):
            annotation = field_info.annotation
            section = next((a for a in (annotation, *get_args(annotation)) if _is_section(a)), section)
    return list(section.model_fields)


def _is_section(annotation: object) -> TypeGuard[type[Section]]:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def section_of(
    kind: type[SomeSection], given: SomeSection | Mapping[str, Any] | None, where: str, **changes: Any
) -> SomeSection:
    """Return a section of settings as a caller from Python has given it.

    Args:
        given: the section, its settings by name, or None for the defaults.
        where: the function that is called, with which messages begin.
        changes: other values for some of the settings; None leaves one as it is.

    Raises:
        InputError: another kind of settings, an unknown one, or a value that is not allowed.
    """
    if not isinstance(given, kind | Mapping | None):
        raise InputError(f"{where}: {kind.__name__} settings are needed, or a dict of them; got {shown.repr(given)}")
    content = dict(given or {}) | {name: value for name, value in changes.items() if value is not None}
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{where}: {_one_line(content, error.errors(), kind)}") from None


def with_values(settings: Settings, values: dict[str, Any], where: str) -> Settings:
    """The settings with some of them, by dotted name, set to other values.

    Raises:
        InputError: beginning with `where`, if a value is not allowed.
    """
    content = settings.model_dump()
    for name, value in values.items():
        *sections, last = name.split(".")
        section = content
        for part in sections:
            if section.get(part) is None:
                section[part] = {}
            section = section[part]
        section[last] = value
    return parse_settings(content, where)
