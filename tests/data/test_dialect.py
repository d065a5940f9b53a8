"""How a text table is written: what is told from the file, what is noted, and what the settings say instead."""

from pathlib import Path

import pytest

from pipeline.data import load as datasets
from pipeline.errors import InputError
from pipeline.settings import Data

CASES = Path(__file__).parent / "cases"
ROWS = [(f"{i}.5", "ab"[i % 2], "Müller" if i % 3 else "Weiß") for i in range(12)]
PLAIN = "x,y,name\n" + "\n".join(",".join(row) for row in ROWS) + "\n"


def load(source: Path | str, target: str | None = "y", **read: object) -> datasets.Dataset:
    return datasets.load(Data(source=str(source), target=target, read=read))


def notes(dataset: datasets.Dataset) -> str:
    return " | ".join(dataset.messages.notes + dataset.messages.warnings)


@pytest.fixture(autouse=True)
def empty_project(project):
    project()


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (PLAIN.encode(), ""),
        (PLAIN.encode("utf-8-sig"), ""),
        (PLAIN.encode("utf-16"), ""),
        (PLAIN.encode("cp1252"), "not UTF-8 and is read as Latin-1"),
        (PLAIN.replace(",", ";").encode(), "separated by semicolons"),
        (PLAIN.replace(",", "\t").encode(), "separated by tabs"),
        (PLAIN.replace(",", "|").encode(), "separated by vertical bars"),
        (PLAIN.replace(",", "   ").encode(), "separated by blanks"),
        (b"# from a machine\n# of 2024\n" + PLAIN.encode(), "lines above its table are passed over: 2"),
        (b"sep=;\n" + PLAIN.replace(",", ";").encode(), "separated by semicolons"),
        (PLAIN.replace("\n", "\r\n").encode(), ""),
        (PLAIN.replace(",", " , ").encode(), "blanks around column names are taken off"),
    ],
    ids=[
        "utf-8",
        "bom",
        "utf-16",
        "latin-1",
        "semicolons",
        "tabs",
        "bars",
        "blanks",
        "comments",
        "sep",
        "crlf",
        "padded",
    ],
)
def test_the_same_table_comes_from_each_way_to_write_it(content, note):
    Path("t.csv").write_bytes(content)
    dataset = load("t.csv")
    assert dataset.features["x"].tolist() == [float(row[0]) for row in ROWS]
    assert dataset.features["name"].tolist() == [row[2] for row in ROWS]
    assert dataset.target.tolist() == [row[1] for row in ROWS]
    assert note in notes(dataset)
    assert bool(note) == bool(notes(dataset))


def test_chinese_text_is_read_as_gbk():
    Path("t.csv").write_bytes(PLAIN.replace("Müller", "北京").replace("Weiß", "上海").encode("gbk"))
    dataset = load("t.csv")
    assert set(dataset.features["name"]) == {"北京", "上海"}
    assert "read as GBK" in notes(dataset)


def test_an_encoding_that_is_set_is_used_or_refused_by_its_name():
    Path("t.csv").write_bytes(PLAIN.encode("cp850"))
    assert set(load("t.csv", encoding="cp850").features["name"]) == {"Müller", "Weiß"}
    with pytest.raises(InputError, match=r"not text in data.read.encoding 'utf-8'"):
        load("t.csv", encoding="utf-8")
    Path("t.csv").write_bytes(PLAIN.encode("utf-16-le"))
    with pytest.raises(InputError, match=r"an encoding that data.read.encoding has to name"):
        load("t.csv")
    assert len(load("t.csv", encoding="utf-16-le")) == 12


@pytest.mark.parametrize("names", [[f"row {i}" for i in range(12)], list(range(1, 13))])
def test_row_names_of_r_are_left_out_with_a_note(names):
    header, *rows = PLAIN.splitlines()
    Path("t.csv").write_text("\n".join([header, *(f'"{name}",{row}' for name, row in zip(names, rows, strict=True))]))
    dataset = load("t.csv")
    assert list(dataset.features) == ["x", "name"]
    assert dataset.features["x"].iloc[0] == 0.5
    assert "taken for the row's name" in notes(dataset)


@pytest.mark.parametrize("name", ["16_no_header.csv", "17_no_header_silent.csv"])
def test_a_first_row_of_values_is_no_header_and_the_names_are_told(name):
    with pytest.raises(InputError, match=r"the columns are column_1, .*it has no row of names.*data.read.header"):
        load(CASES / name, "0")
    dataset = load(CASES / name, "column_3")
    assert len(dataset) == len((CASES / name).read_text().splitlines())
    assert "data.read.header: true" in dataset.messages.warnings[0]


@pytest.mark.parametrize("names", ["0,1,2", "1990,1991,1992"])
def test_names_that_count_on_are_a_header(names):
    Path("t.csv").write_text(names + "\n" + "\n".join(f"{i},{i % 2},{i + 1}" for i in range(12)))
    dataset = load("t.csv", names.split(",")[1])
    assert len(dataset) == 12


def test_the_header_can_be_set():
    dataset = load(CASES / "17_no_header_silent.csv", "no", header=True)
    assert list(dataset.features) == ["0.21", "0"]
    Path("t.csv").write_text(PLAIN)
    assert "column 'column_1' has 13 different texts in 13 rows, and is left out" in str(
        load("t.csv", "column_2", header=False).messages.found
    )


def test_names_that_begin_like_a_comment_are_a_header():
    Path("t.csv").write_text("# made by hand\n#" + PLAIN)
    assert list(load("t.csv").features) == ["#x", "name"]


def test_a_separator_that_is_set_is_used():
    Path("t.csv").write_text(PLAIN.replace(",", "+"))
    with pytest.raises(InputError, match=r"there is no column 'y'.*set data.read.separator"):
        load("t.csv")
    assert list(load("t.csv", separator="+").features) == ["x", "name"]


@pytest.mark.parametrize(
    ("name", "features"),
    [
        ("11_semicolon_comma_in_a_name.csv", ["x (m, mean)"]),
        ("12_latin1.csv", ["Länge"]),
        ("15_two_blanks_in_a_name.csv", ["x"]),
        ("28_blank_cell_in_numbers.csv", ["TotalCharges"]),
    ],
)
def test_a_case_is_read_as_numbers(name, features):
    dataset = load(CASES / name)
    assert dataset.kinds == dict.fromkeys(features, "number")


@pytest.mark.parametrize(("name", "word"), [("01_none_is_a_category.csv", "None"), ("02_na_is_a_category.csv", "NA")])
def test_a_word_for_missing_is_a_category_among_text(name, word):
    text = load(CASES / name).features.select_dtypes(object).iloc[:, 0]
    assert word in set(text)
    assert not text.isna().any()


def test_a_word_for_missing_is_missing_among_numbers_and_booleans():
    Path("t.csv").write_text("x,z,y\nNA,None,a\n , ,b\n" + "1,true,a\n2,false,b\n" * 5)
    dataset = load("t.csv")
    assert dataset.kinds == {"x": "number", "z": "boolean"}
    assert dataset.features.isna().sum().tolist() == [2, 2]


def test_blanks_around_texts_are_taken_off_with_a_note():
    Path("t.csv").write_text("c,x,y\n" + " red,1,yes \nred,2, no\n  ,3,yes\nblue,4,no\n" * 3)
    dataset = load("t.csv")
    assert set(dataset.features["c"].dropna()) == {"red", "blue"}
    assert dataset.features["c"].isna().sum() == 3
    assert set(dataset.target) == {"yes", "no"}


def test_an_array_file_may_call_its_features_by_a_capital_letter():
    assert load(CASES / "29_capital_X.npz", None).features.shape[1] == 4
