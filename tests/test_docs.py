"""The README and the pages of docs/: their links, settings, commands and code are those of the project."""

import importlib.util
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.params import parse_settings, with_values
from pipeline.settings import Settings

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [
    README,
    ROOT / "README.zh-CN.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "zh").glob("*.md")),
]
TARGETS = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
STAGES = set(YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"])

of_each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(page: Path, language: str, mark: str = "") -> list[str]:
    """Return the fenced blocks of a language; with a mark, those that stand below it."""
    pattern = rf"^{mark}```{language}\n(.*?)^```$"
    return re.findall(pattern, page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[list[str]]:
    """Return the commands of a page, as words: the lines of its blocks of shell, and what stands in backticks."""
    text = page.read_text(encoding="utf-8")
    lines = "".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    spans = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))
    found = [*lines, *(span.replace("\n", " ") for span in spans if re.match(r"(make|dvc|python -m) ", span))]
    return [words for line in found if (words := shlex.split(line, comments=True))]


def test_readme_is_read_to_its_end():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    assert [line for line in lines if len(line) > 120] == []


def test_citation_names_the_version_of_a_folder_without_git():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert YAML(typ="safe").load(ROOT / "CITATION.cff")["version"] == tools["setuptools_scm"]["fallback_version"]


@of_each_page
def test_relative_links_lead_somewhere(page: Path):
    links = re.findall(r"\]\(([^)\s#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@of_each_page
def test_settings_that_are_shown_are_allowed(page: Path):
    for block in blocks(page, "yaml"):
        content = YAML(typ="safe").load(block)
        if content.keys() <= Settings.model_fields.keys():
            parse_settings(content, page.name)


def test_settings_page_shows_each_section_alone():
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    shown = {}
    for start, end in re.findall(r':start-at: "(.*)"\n(?::end-before: "(.*)"\n)?', page):
        section = params[params.index(start) :]
        shown |= YAML(typ="safe").load(section[: section.index(end)] if end else section)
    assert shown == YAML(typ="safe").load(params)


@of_each_page
def test_commands_name_what_exists(page: Path):
    dvc = pytest.importorskip("dvc.cli.parser").get_main_parser()
    for words in commands(page):
        match words:
            case ["make", *arguments]:
                assert {word for word in arguments if "=" not in word} <= TARGETS, words
            case ["python" | ".venv/bin/python", "-m", module, *_]:
                assert importlib.util.find_spec(module), words
            case ["dvc", *arguments]:
                _check_dvc(vars(dvc.parse_args(arguments)))


def _check_dvc(arguments: dict[str, Any]) -> None:
    """Hold the stages and settings of a command of DVC to those that there are."""
    assert set(arguments.get("targets") or []) <= STAGES
    changes = dict(change.split("=", 1) for change in arguments.get("set_param") or [])
    values = {name: YAML(typ="safe").load(value) for name, value in changes.items()}
    with_values(Settings(), values, "-S")


@of_each_page
def test_code_compiles(page: Path):
    for number, block in enumerate(blocks(page, "python")):
        compile(block, f"{page.name}, block {number}", "exec")


@of_each_page
def test_code_that_is_marked_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in blocks(page, "python", mark="<!-- runs -->\n"):
        exec(compile(block, page.name, "exec"), names)
