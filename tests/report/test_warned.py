"""Warnings of the stage prepare are shown in the language of the report; no sentence stays English."""

import re
import string

import numpy as np
import pandas as pd
import pytest

from experiments.report.language import in_language
from experiments.report.warned import translated
from pipeline.data.load import load
from pipeline.data.prepare import prepare
from pipeline.data.sentences import ADVICE, Sentence
from pipeline.settings import Data

N = 200
ENGLISH = re.compile(r"\b[A-Za-z]+(?: [A-Za-z]+){2,}\b")


@pytest.mark.parametrize("sentence", Sentence, ids=lambda sentence: sentence.name)
def test_every_sentence_is_known_by_its_template(sentence: Sentence):
    fields = {field for _, field, *_format in string.Formatter().parse(sentence) if field}
    text = sentence.format(**{field: f"'{field}_7'" for field in fields})
    assert translated(text) == text
    with in_language("zh"):
        chinese, of_file = translated(text), translated(f"data.source t.csv: {text}")
    assert ENGLISH.search(chinese) is None and of_file.endswith(chinese)
    assert all(f"'{field}_7'" in chinese for field in fields)


@pytest.mark.parametrize("code", sorted(ADVICE))
def test_every_advice_has_a_translation(code: str):
    names = "column 'a' has one value in all training rows; column 'b; c, d' numbers the rows; 3 more"
    with in_language("zh"):
        line = translated(f"{code}: {names}; {ADVICE[code]} (data.accept: [{code}] silences it)")
    assert line.startswith(f"{code}：列 'a' 在所有训练行中只有一个值; ") and "; 另有 3 个；" in line
    assert line.endswith(f"（data.accept: [{code}] 表示已经知道）")


def test_warnings_of_a_source_are_chinese(folder):
    rng = np.random.default_rng(0)
    x = rng.normal(size=N)
    table = pd.DataFrame({"x": x, "copy": x > 0, "version": 5, "empty": np.nan, "y": np.where(x > 0, "yes", "no")})
    table = table.assign(
        town=[f"town {row // 4}" for row in range(N)],
        city=np.where(np.arange(N) % 3, "Ulm", "ULM"),
        day=pd.date_range("2024-01-01", periods=N).strftime("%Y-%m-%d"),
        zip=[f"0{row % 40 + 1000}" for row in range(N)],
        key=[f"{7919 * row}k" for row in range(N)],
    )
    pd.concat([table, table.head(60)]).to_csv("t.csv", index=False)
    data = Data(source="t.csv", target="y")
    warnings = prepare(load(data), data).summary.warnings
    assert {line[:4] for line in warnings} >= {"D001", "D003", "D009", "D010", "D012", "D013", "D008"}
    with in_language("zh"):
        chinese = [translated(line) for line in warnings]
    assert [line for line in chinese if ENGLISH.search(line)] == []
    numbers = re.compile(r"(?<![DN])\d+")
    assert [sorted(numbers.findall(line)) for line in chinese] == [sorted(numbers.findall(line)) for line in warnings]


def test_a_warning_that_is_not_known_stays_as_it_is():
    with in_language("zh"):
        assert translated("version 2 of the data set is not active") == "version 2 of the data set is not active"
