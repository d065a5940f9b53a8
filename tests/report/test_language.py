"""The report in other languages: every sentence has a translation, and a page has no sentence of another language."""

import functools
import io
import re
import string
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir, extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from experiments.records import PeerFinding
from experiments.report.language import LOCALE, in_language, language
from experiments.report.recorded import shown
from experiments.study import worth as peers
from experiments.study.arms import BASELINE, BEST_EPOCH, TOGETHER
from experiments.study.questions import memorization
from experiments.study.questions.remedies import HALF_WIDTH
from pipeline.settings import REGULARIZERS
from pipeline.statistics.comparisons import Finding
from tests.report.test_questions import STUDIES, Page, Reported, write_report

ROOT = Path(__file__).parents[2]
CATALOGUES = sorted(LOCALE.glob("*/LC_MESSAGES/report.po"))
KEYWORDS = DEFAULT_KEYWORDS | {"N_": None, "counted": (1, 2)}  # as in the Makefile
THREE_WORDS = re.compile(r"\b[A-Za-z]+(?: [A-Za-z]+){2,}\b")
SOURCES = re.compile(r"[(（][^()（）]*\b(?:1[89]|20)\d\d\b[^()（）]*[)）]")  # literature, which keeps its language

of_each_catalogue = pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])


@functools.cache
def sentences() -> set[tuple[str | None, str | tuple[str, ...]]]:
    """Return every message of the code and the templates, with its context."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    mappings = project["tool"]["babel"]["mappings"]
    methods = [(mapping["pattern"], mapping["method"]) for mapping in mappings]
    options = {mapping["pattern"]: mapping for mapping in mappings}
    found = extract_from_dir(ROOT / "experiments" / "report", methods, options, KEYWORDS)
    warned = extract_from_file("python", ROOT / "pipeline" / "data" / "sentences.py", KEYWORDS)
    return {(context, message) for *_, message, _, context in [*found, *warned]}


def read_catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, path.parts[-3])


def placeholders(message: str) -> set[tuple[str, str | None]]:
    """Return the names in a message, each with its format, in braces or as Jinja has them."""
    braces = {(name, spec) for _, name, spec, _ in string.Formatter().parse(message) if name is not None}
    return braces | {(name, None) for name in re.findall(r"%\((\w+)\)s", message)}


@of_each_catalogue
def test_every_sentence_has_a_translation(path: Path):
    catalogue = read_catalogue(path)
    assert {(message.context, message.id) for message in catalogue if message.id} == sentences()
    assert len(sentences()) > 300
    for message in catalogue:
        ids, texts = ([one] if isinstance(one, str) else list(one) for one in (message.id, message.string))
        assert all(texts) and not message.fuzzy, f"{message.id} has no translation; write one into {path}"
        assert not ids[0] or all(placeholders(text) == placeholders(ids[-1]) for text in texts), message.id


@of_each_catalogue
def test_what_is_read_is_what_stands_in_the_catalogue(path: Path):
    compiled = io.BytesIO()
    write_mo(compiled, read_catalogue(path))
    assert path.with_suffix(".mo").read_bytes() == compiled.getvalue(), "run make translations"


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Reported]:
    """`reported("one seed")` is that study with its report in Chinese, written once."""
    return functools.cache(
        lambda name: write_report(replace(STUDIES[name], language="zh", rows=[]), tmp_path_factory.mktemp("report"))
    )


def english_in(page: Page) -> list[str]:
    """Return the runs of three English words in a page, in its pictures and in what a screen reader says."""
    labels = [attributes.get("aria-label") or "" for _, attributes in page.elements]
    return [words for text in [*page.texts, *labels] for words in THREE_WORDS.findall(SOURCES.sub("", text))]


def test_english_is_found_in_an_english_page():
    assert english_in(Page("<p title='a b c'>新数据 (Bayle and others, 2020)</p><p>which may be none</p>")) == [
        "which may be none"
    ]


@pytest.mark.parametrize("name", ["classification", "regression", "remedies alone", "one seed", "diverged", "names"])
def test_a_chinese_page_has_no_english_sentence(reported, name):
    page = reported(name).page
    assert page.all("html")[0]["lang"] == "zh-CN"
    assert "过拟合了吗？" in page.text
    assert english_in(page) == []


def test_numbers_and_settings_are_those_of_the_english_page(reported, tmp_path):
    chinese, english = reported("regression").page, write_report(STUDIES["regression"], tmp_path).page
    numbers = re.compile(r"\d[\d,]*\.\d+")
    assert sorted(numbers.findall(chinese.text)) == sorted(numbers.findall(english.text))
    without_comments = [re.sub(r" *#.*", "", page.inside("settings")) for page in (chinese, english)]
    assert without_comments[0] == without_comments[1]


def test_pictures_have_chinese_words_and_name_a_font_for_them(reported):
    study = reported("classification")
    assert "轮次" in study.words_of("baseline") and "去掉Dropout" in study.words_of("remedies")
    assert "&#x27;Noto Sans CJK SC&#x27;" in study.html or "'Noto Sans CJK SC'" in study.html


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("dropout 0.5", "Dropout 0.5"),
        ("all but weight decay", "去掉权重衰减"),
        ("adam, rate 0.001", "adam，学习率 0.001"),
        ("64 rows, without", "64 行，不用办法"),
        ("gradient descent, equal epochs, rate 0.1", "梯度下降，同样多的轮次，学习率 0.1"),
        ("20 % of the labels wrong", "20 % 的标签错误"),
        ("the width of model.hidden_units at its highest, 256", "model.hidden_units 的宽度取最大值 256"),
        ("my own remedy", "my own remedy"),
    ],
)
def test_names_of_the_records_are_translated_where_they_are_known(name, wanted):
    assert shown(name) == name
    with in_language("zh"):
        assert shown(name) == wanted


def test_every_name_and_verdict_of_a_study_has_a_translation():
    as_everywhere = {"L1", "L2", "mixup", "cutout"}
    remedies = {regularizer.name for regularizer in REGULARIZERS.values()} - as_everywhere
    names = {*remedies, *peers.NAMES.values(), *memorization.NAMES.values(), BASELINE, BEST_EPOCH, TOGETHER, HALF_WIDTH}
    verdicts = {*get_args(Finding), *get_args(PeerFinding)}
    with in_language("zh"):
        assert [name for name in names | verdicts if shown(name) == name] == []


def test_language_is_that_of_one_render_alone():
    with in_language("zh"), ThreadPoolExecutor(1) as other:
        assert (language(), other.submit(language).result()) == ("zh", "en")
    assert language() == "en"
