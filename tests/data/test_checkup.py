"""What the check-up of a source finds, and what it leaves alone."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.data.load import load
from pipeline.data.prepare import prepare
from pipeline.data.sentences import ADVICE
from pipeline.settings import Data

CASES = Path(__file__).parent / "cases"
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "checks.md"
N = 200


def found(folder: Path, table: pd.DataFrame, **settings: object) -> dict[str, list[str | None]]:
    """Return the columns of the findings by code."""
    table.to_csv(folder / "t.csv", index=False)
    data = Data(source="t.csv", target="y", **settings)
    by_code: dict[str, list[str | None]] = {}
    for finding in prepare(load(data), data).findings:
        by_code.setdefault(finding.code, []).append(finding.column)
    return by_code


@pytest.fixture
def plain() -> pd.DataFrame:
    """Return a table in which nothing is to be found."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=N)
    city = rng.choice(["Bonn", "Kiel", "Ulm"], N)
    return pd.DataFrame({"x": x, "city": city, "y": np.where(x + rng.normal(size=N) > 0, "yes", "no")})


def test_a_plain_table_has_no_finding(folder, plain):
    assert found(folder, plain) == {}
    assert found(folder, plain.assign(y=plain["x"] + np.arange(N) % 7)) == {}


@pytest.mark.parametrize(
    ("code", "name", "values"),
    [
        ("D001", "paid", lambda table: np.where(table["y"] == "yes", 17.5, 3.0)),
        ("D001", "answer", lambda table: table["y"].str.upper()),
        ("D002", "id", lambda table: np.arange(1000, 1000 + N)),
        ("D002", "key", lambda table: [f"row {i * 7919}" for i in range(N)]),
        ("D003", "version", lambda table: 5),
        ("D004", "note", lambda table: np.where(np.arange(N) % 5 == 0, table["x"], np.nan)),
        ("D005", "age", lambda table: np.where(np.arange(N) % 9 == 0, -999, 20 + np.arange(N) % 50)),
        ("D006", "price", lambda table: np.where(np.arange(N) == 7, 1e6, table["x"].round(2))),
        ("D008", "zip", lambda table: [f"0{i % 40 + 1000}" for i in range(N)]),
        ("D010", "town", lambda table: [f"town {i // 4}" for i in range(N)]),
        ("D013", "day", lambda table: pd.date_range("2024-01-01", periods=N).strftime("%Y-%m-%d")),
        ("D014", "patient_id", lambda table: np.random.default_rng(1).integers(100, 150, N)),
        ("D012", "city", lambda table: np.where(np.arange(N) % 3, "Ulm", "ULM")),
    ],
)
def test_what_is_wrong_with_a_column_is_found(folder, plain, code, name, values):
    by_code = found(folder, plain.assign(**{name: values(plain)}))
    assert by_code[code] == [name]
    assert set(by_code) <= {code, "D009"}


@pytest.mark.parametrize(
    ("code", "table"),
    [
        ("D009", lambda table: pd.concat([table, table.head(60)])),
        ("D011", lambda table: table.assign(y=np.where(np.arange(N) % 20 == 0, "yes", "no"))),
        ("D007", lambda table: table.assign(y=np.where(np.arange(N) % 40 == 0, 1e9, table["x"]))),
        (
            "D015",
            lambda table: table.join(pd.DataFrame(np.random.default_rng(2).normal(size=(N, 150)))),
        ),
    ],
)
def test_what_is_wrong_with_the_whole_is_found(folder, plain, code, table):
    assert set(found(folder, table(plain))[code]) == {None}


def test_a_column_that_tells_the_target_is_found_in_a_file_that_is_sorted_by_it(folder, plain):
    table = plain.assign(patient=np.arange(N) * 7 + 3).sort_values("y")
    table["patient"] = table["patient"].sort_values().to_numpy()
    assert "patient" in found(folder, table)["D001"]


def test_a_group_that_is_named_and_a_test_set_of_its_own_are_no_findings(folder, plain):
    table = plain.assign(
        site=np.repeat(np.arange(40), 5), day=pd.date_range("2024-01-01", periods=N).strftime("%Y-%m-%d")
    )
    assert set(found(folder, table)) == {"D013", "D014"}
    table.tail(50).to_csv("later.csv", index=False)
    assert found(folder, table.head(150), group="site", test_source="later.csv") == {}


def test_the_copy_of_the_target_and_the_odd_columns_of_the_cases_are_found():
    data = Data(source=str(CASES / "23_copy_of_the_target.csv"), target="y")
    assert ("D001", "alive") in {(one.code, one.column) for one in prepare(load(data), data).findings}
    data = Data(source=str(CASES / "24_row_number_constant_mostly_missing.csv"), target="y")
    prepared = prepare(load(data), data)
    assert {(one.code, one.column) for one in prepared.findings} == {("D002", "Id"), ("D003", "const")}
    assert "column 'rare' has no value in the training part and is left out" in prepared.summary.warnings


def test_findings_are_written_and_warned_of_until_they_are_accepted(digits_project, change, stage, capsys, plain):
    plain.assign(version=5).to_csv("t.csv", index=False)
    change(data={"source": "t.csv", "target": "y"})
    stage("source"), stage("prepare")
    assert "warning: D003: column 'version' has one value in all training rows; name it in" in capsys.readouterr().err
    change(data={"accept": ["D003"]})
    stage("prepare")
    assert capsys.readouterr().err == ""
    [finding] = json.loads(Path("data/prepared/checks.json").read_text())
    assert (finding["code"], finding["column"], finding["accepted"]) == ("D003", "version", True)


def test_a_skewed_column_has_no_extreme_values(folder, plain):
    amounts = np.exp(5 * np.random.default_rng(3).normal(size=N))
    assert (amounts > 20 * np.quantile(amounts, 0.75)).sum() > 3
    assert found(folder, plain.assign(amount=amounts)) == {}


def test_findings_of_one_kind_are_one_warning(folder, plain):
    plain.assign(**{f"v{i}": i for i in range(12)}).to_csv("t.csv", index=False)
    data = Data(source="t.csv", target="y")
    prepared = prepare(load(data), data)
    assert len(prepared.findings) == 12
    [warning] = prepared.summary.warnings
    assert warning.startswith("D003: column 'v0' has one value in all training rows; column 'v1' has")
    assert "; 2 more; name it in data.drop: it tells no row from another (data.accept: [D003]" in warning


def test_a_column_that_is_left_out_is_no_finding(folder, plain):
    table = plain.assign(zip=[f"0{i % 40 + 1000}" for i in range(N)])
    assert found(folder, table, drop=["zip"]) == {}


def test_every_code_is_documented():
    assert re.findall(r"^\| (D\d{3}) \|", DOCUMENTATION.read_text(), re.MULTILINE) == sorted(ADVICE)
