"""The stage prepare: what is fitted, on what, what is written, and what is refused."""

import json
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import prepare as stage
from pipeline import serving, source
from pipeline.data import load as datasets
from pipeline.data import preprocessing, splits
from pipeline.data.examples import Split
from pipeline.data.prepare import Prepared, prepare
from pipeline.data.summarize import digest
from pipeline.errors import InputError
from pipeline.settings import Data

CASES = Path(__file__).parent / "cases"
N = 60
RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "age": np.where(RNG.random(N) < 0.1, np.nan, RNG.normal(40, 12, N)),
        "city": RNG.choice(["Bonn", "Kiel", "Ulm"], N),
        "smoker": RNG.random(N) < 0.4,
        "ill": np.arange(N) % 3 == 0,
        "cost": RNG.normal(1000, 300, N),
    }
)


def table(frame: pd.DataFrame = TABLE, name: str = "t.csv") -> str:
    frame.to_csv(name, index=False)
    return name


def prepared(**data: object) -> Prepared:
    settings = Data(**data)
    return prepare(datasets.load(settings), settings)


@pytest.fixture(autouse=True)
def empty_project(project):
    project()


def test_images_are_scaled_to_one_and_tables_standardized():
    digits = prepared(source="digits").splits["train"].x
    assert (digits.min(), digits.max(), digits.dtype) == (0, 1, np.float32)
    wine = prepared(source="wine").splits["train"].x
    assert np.allclose(wine.mean(axis=0), 0, atol=1e-5)
    assert np.allclose(wine.std(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("name", ["digits", "wine"])
def test_scaling_can_be_set(name):
    unit = prepared(source=name, scaling="unit").splits["train"].x
    assert (unit.min(), unit.max()) == (0, 1)
    standard = prepared(source=name, scaling="standard").splits["train"].x
    assert np.allclose(standard.mean(axis=0), 0, atol=1e-4)
    raw = prepared(source=name, scaling="none").splits["train"].x
    assert raw.max() > 1


def test_a_regressions_target_is_standardized_by_the_training_part():
    result = prepared(source="diabetes")
    y = result.splits["train"].y
    assert (result.summary.task, y.dtype) == ("regression", np.float32)
    assert (y.mean(), y.std()) == (pytest.approx(0, abs=1e-6), pytest.approx(1, abs=1e-6))
    assert result.summary.mean_rmse["train"] == pytest.approx(result.summary.target_scale)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["b", "a"], ["a", "b"]),
        ([10, 2], ["2", "10"]),
        ([2.0, 1.0], ["1", "2"]),
        ([True, False], ["False", "True"]),
        (pd.Categorical(["z", "y"] * 30, ["z", "y", "unused"]), ["y", "z"]),
    ],
)
def test_class_labels_of_any_type_become_indices(labels, names):
    column = labels if len(labels) == N else labels * 30
    TABLE.assign(ill=column).to_parquet("t.parquet")
    result = prepared(source="t.parquet", target="ill")
    assert result.summary.classes == names
    assert result.splits["train"].y.dtype == np.int32
    assert set(result.splits["train"].y) == {0, 1}


@pytest.mark.parametrize(
    ("column", "task"),
    [(RNG.normal(size=N), "regression"), (np.arange(N), "regression"), (np.arange(N) % 10, "classification")],
)
def test_the_task_is_told_from_the_target_unless_it_is_set(column, task):
    source_file = table(TABLE.assign(cost=column))
    assert prepared(source=source_file, target="cost").summary.task == task
    assert prepared(source=source_file, target="cost", task="regression").summary.task == "regression"


def test_what_is_fitted_depends_on_the_training_part_alone():
    train, test = TABLE[:40], TABLE[40:]
    other = test.assign(age=test["age"] * 100 + 7, city="Rome", smoker=True, cost=0)
    results = []
    for frame in (test, other):
        data = {"source": table(train), "test_source": table(frame, "test.csv"), "target": "ill"}
        results.append(prepared(**data))
    assert results[0].preprocessing == results[1].preprocessing
    assert np.array_equal(results[0].splits["train"].x, results[1].splits["train"].x)
    assert not np.array_equal(results[0].splits["test"].x, results[1].splits["test"].x)


def test_a_category_that_training_did_not_have_is_zero_everywhere():
    result = prepared(source=table(), test_source=table(TABLE.assign(city="Rome"), "test.csv"), target="ill")
    cities = [i for i, name in enumerate(result.summary.features) if name.startswith("city=")]
    assert len(cities) == 3
    assert not result.splits["test"].x[:, cities].any()


@pytest.mark.parametrize("scaling", ["auto", "unit", "none"])
def test_the_features_can_be_rebuilt_from_the_plain_constants(scaling):
    frame = TABLE.astype({"city": object})
    frame.loc[::7, "city"] = None
    result = prepared(source=table(frame), test_source="t.csv", target="ill", scaling=scaling)
    rebuilt = []
    for column in json.loads(json.dumps(result.preprocessing))["columns"]:
        missing = frame[column["name"]].isna()
        values = frame[column["name"]].where(~missing, column["missing"])
        match column["kind"]:
            case "number":
                rebuilt.append((values.to_numpy(float) - column["center"]) / column["scale"])
            case "boolean":
                rebuilt.append(values.to_numpy(float))
            case "text":
                rebuilt += [(values == category).to_numpy(float) for category in column["categories"]]
        if column.get("indicator"):
            rebuilt.append(missing.to_numpy(float))
    assert np.allclose(np.column_stack(rebuilt), result.splits["test"].x, atol=1e-6)


def test_a_missing_number_or_boolean_has_an_indicator_where_training_has_any():
    frame = TABLE.assign(smoker=TABLE["smoker"].astype(object).where(np.arange(N) % 5 > 0))
    test = table(frame.assign(cost=np.nan), "test.csv")
    names = prepared(source=table(frame), test_source=test, target="ill").summary.features
    assert names == [
        "age", "age is missing", "cost", "smoker", "smoker is missing", "city=Bonn", "city=Kiel", "city=Ulm",
    ]  # fmt: skip
    alone = prepared(source=table(frame), target="ill", missing="median").summary.features
    assert alone == [name for name in names if "missing" not in name]


def test_the_indicator_tells_a_class_apart():
    result = prepared(source=str(CASES / "03_missing_number_tells_the_class.csv"), target="y")
    train = result.splits["train"]
    indicator = train.x[:, result.summary.features.index("income is missing")]
    assert set(indicator) == {0, 1}
    assert (indicator != train.y).mean() > 0.9


def test_a_missing_category_is_a_category_of_its_own():
    frame = TABLE.astype({"city": object})
    frame.loc[::7, "city"] = None
    result = prepared(source=table(frame), test_source="t.csv", target="ill")
    place = result.summary.features.index("city=(missing)")
    assert result.splits["test"].x[:, place].tolist() == frame["city"].isna().astype(float).tolist()
    raw = frame.head(3).assign(city=[" ", None, "Bonn"])
    assert serving.apply(result.preprocessing, raw)[:, place].tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("name", "column", "word"),
    [("01_none_is_a_category.csv", "MasVnrType", "None"), ("02_na_is_a_category.csv", "PoolQC", "NA")],
)
def test_a_category_that_pandas_reads_as_missing_is_found_at_serving(name, column, word):
    result = prepared(source=str(CASES / name), target="y")
    place = result.summary.features.index(f"{column}={word}")
    raw = pd.DataFrame({column: [word, np.nan, f" {word} "], "noise": 0.0})
    assert serving.apply(result.preprocessing, raw)[:, place].tolist() == [1, 1, 1]


def test_constant_and_empty_columns_are_no_obstacle():
    frame = TABLE.assign(same=5, word="a", gone=None)
    result = prepared(source=table(frame), target="ill")
    assert not {"gone"} & set(result.summary.features)
    assert result.summary.warnings[0] == "column 'gone' has no value in any row and is left out"
    same = result.summary.features.index("same")
    assert not result.splits["train"].x[:, same].any()


def test_a_column_that_only_other_parts_fill_is_left_out():
    data = {"test_source": table(TABLE, "test.csv"), "val_fraction": 0.0, "target": "ill"}
    frame = TABLE.assign(age=np.nan)
    result = prepared(source=table(frame), **data)
    assert "age" not in result.summary.features
    assert "column 'age' has no value in any row and is left out" in result.summary.warnings


def test_groups_stay_in_one_split():
    frame = TABLE.assign(site=[f"site {i // 4}" for i in range(N)], row=np.arange(N))
    result = prepared(source=table(frame), target="ill", group="site", scaling="none")
    assert not [name for name in result.summary.features if name.startswith("site")]
    row = result.summary.features.index("row")
    sites = [set(split.x[:, row] // 4) for split in result.splits.values()]
    assert all(sites)
    assert sum(map(len, sites)) == len(set.union(*sites)) == 15


def test_rows_without_a_target_are_left_out_with_a_note_and_the_others_keep_their_numbers(project, capsys):
    project(data={"source": str(CASES / "19_target_missing_in_two_rows.csv"), "target": "y"})
    stage.main()
    assert "left out: 2 of 40" in capsys.readouterr().out
    numbers = np.concatenate([splits.read_split(name).numbers for name in splits.SPLITS])
    assert len(numbers) == 38
    y = pd.read_csv(CASES / "19_target_missing_in_two_rows.csv")["y"]
    assert set(numbers) == set(np.flatnonzero(y.notna()))


@pytest.mark.parametrize("data", [{}, {"group": "site"}, {"train_fraction": 0.5}], ids=str)
def test_each_row_keeps_its_number_in_the_source(data):
    frame = TABLE.assign(site=[f"site {i // 4}" for i in range(N)], row=np.arange(N))
    result = prepared(source=table(frame), target="ill", scaling="none", **data)
    row = result.summary.features.index("row")
    for split in result.splits.values():
        np.testing.assert_array_equal(split.numbers, split.x[:, row])


def test_rows_with_the_same_features_in_two_splits_are_counted_and_warned_about(project, capsys):
    table(pd.concat([TABLE, TABLE[:10]]))
    project(data={"source": "t.csv", "target": "ill", "test_source": table(TABLE[:10], "test.csv")})
    stage.main()
    found = splits.read_summary().duplicates
    assert found["train_test"] + found["validation_test"] >= 10
    warning = capsys.readouterr().err
    assert warning.startswith("warning: D009: rows with the same features stand in two splits")
    assert warning.count("\n") == 1


def test_the_summary_states_sizes_balance_and_the_score_to_beat():
    summary = prepared(source=table(), target="ill").summary
    assert summary.rows == {"train": 38, "validation": 10, "test": 12}
    assert summary.class_counts["test"] == {"False": 8, "True": 4}
    assert summary.majority_share["test"] == pytest.approx(8 / 12)
    assert summary.n_features == len(summary.features) == 7
    assert (summary.target, summary.image_shape, summary.target_mean) == ("ill", None, None)
    empty = prepared(source=table(), target="ill", test_fraction=0.0).summary
    assert (empty.rows["test"], empty.majority_share["test"]) == (0, None)


def test_the_same_input_gives_the_same_bytes(project):
    def written() -> dict[str, bytes]:
        stage.main()
        return {path.name: path.read_bytes() for path in splits.PREPARED.iterdir()}

    project(data={"source": "digits"})
    first = written()
    names = ["checks.json", "preprocessing.json", "summary.json", "test.npz", "train.npz", "validation.npz"]
    assert sorted(first) == names
    assert written() == first
    summary = splits.read_summary()
    assert all(digest(splits.read_split(name)) == summary.digest[name] for name in splits.SPLITS)


def test_the_digest_tells_shape_and_type_apart():
    x, y = np.zeros((2, 3), np.float32), np.zeros(2, np.int32)
    digests = {
        digest(Split(x, y)),
        digest(Split(x.reshape(3, 2), y)),
        digest(Split(x.view(np.int32), y)),
    }
    assert len(digests) == 3


def test_images_of_an_array_file_keep_their_shape_in_the_summary():
    images = np.random.default_rng(0).integers(0, 255, (40, 3, 5), dtype=np.uint8)
    labels = np.array(["cat", "dog"] * 20)
    np.savez("i.npz", x_train=images[:30], y_train=labels[:30], x_test=images[30:], y_test=labels[30:])
    result = prepared(source="i.npz")
    assert result.summary.image_shape == [3, 5]
    assert result.summary.classes == ["cat", "dog"]
    assert np.array_equal(result.splits["test"].x, images[30:].reshape(10, 15) / np.float32(255))


@pytest.mark.parametrize("scaling", ["auto", "standard"])
def test_the_problem_knows_the_shape_of_images_and_what_the_network_sees_of_a_pixel_of_0(scaling):
    images = np.random.default_rng(0).integers(0, 255, (40, 3, 5, 2), dtype=np.uint8)
    images[0] = 0
    np.savez("i.npz", x=images, y=np.array(["cat", "dog"] * 20))
    result = prepared(source="i.npz", scaling=scaling, test_fraction=0.0, val_fraction=0.0)
    black = result.splits["train"].x[result.splits["train"].numbers == 0][0]
    assert result.summary.problem.image_shape == (3, 5, 2)
    assert len(result.summary.problem.blank) == {"auto": 1, "standard": 30}[scaling]
    np.testing.assert_array_equal(np.broadcast_to(np.float32(result.summary.problem.blank), 30), black)


@pytest.mark.parametrize(
    ("column", "data", "message"),
    [
        (["yes"] * N, {}, "one value only, 'yes'"),
        ([7] * N, {}, "one value only, '7'"),
        (["rare"] + ["a", "b"] * 29 + ["a"], {}, "class 'rare' has 1 row to split, at least 3 are needed"),
        ([None] * N, {}, r"is missing in 60 of 60 rows \(first in row 1\)"),
        ([0.5, np.inf] * 30, {}, r"holds infinity .* \(first in row 2\)"),
        (
            ["a", "b"] * 30,
            {"task": "regression"},
            "data.task regression needs a target of numbers; .* holds text values",
        ),
        (RNG.normal(size=N), {"task": "classification"}, "has 1 row to split"),
        (["a", "b"] * 30, {"train_fraction": 0.02}, r"data.train_fraction leaves 1 row to train on, none of .*class"),
        (np.linspace(0, 1, N), {"train_fraction": 0.02}, r"the 1 row that data.train_fraction 0.02 leaves"),
        (pd.to_datetime(["2024-01-31"] * N), {}, "holds dates .* choose another data.target"),
    ],
)
def test_a_target_that_cannot_be_learnt_is_refused(column, data, message):
    TABLE.assign(what=column).to_parquet("t.parquet")
    with pytest.raises(InputError, match=message):
        prepared(source="t.parquet", target="what", **data)


def test_a_row_of_the_second_table_is_counted_in_that_table():
    data = {"source": table(), "test_source": table(TABLE[:3].assign(cost=[1, np.inf, 2]), "test.csv")}
    with pytest.raises(InputError, match=r"\(first in row 2 of data.test_source test.csv\)"):
        prepared(target="cost", **data)


def test_a_row_of_an_array_files_own_test_set_is_counted_in_it():
    x, y = np.arange(60.0).reshape(20, 3), np.linspace(0, 1, 20)
    np.savez("a.npz", x_train=x, y_train=y, x_test=x[:2], y_test=[0, np.nan])
    with pytest.raises(InputError, match=r"first in row 2 of the test set"):
        prepared(source="a.npz")


def test_a_class_that_only_the_test_set_has_is_refused():
    test = TABLE.assign(kind=["a", "new"] * 30)
    data = {"source": table(TABLE.assign(kind=["a", "b"] * 30)), "test_source": table(test, "test.csv")}
    with pytest.raises(InputError, match="has not; there it has 'a', 'b'"):
        prepared(target="kind", **data)


def test_a_class_that_a_split_lacks_is_warned_about():
    kind = ["rare"] * 3 + ["a", "b"] * 98 + ["a"]
    frame = pd.concat([TABLE] * 4, ignore_index=True)[:200].assign(kind=kind)
    summary = prepared(source=table(frame), target="kind", test_fraction=0.1, val_fraction=0.1).summary
    lacking = [name for name, counts in summary.class_counts.items() if counts["rare"] == 0]
    assert lacking
    assert summary.warnings[: len(lacking)] == [
        f"{name} has no row of some classes, so its scores say nothing of them: rare" for name in lacking
    ]


def test_a_class_that_the_groups_keep_from_training_is_told_with_its_settings():
    # The first group alone has about the rows that the test set should have, and all of the class.
    site, kind = ["x"] * 12 + ["y"] * 24 + ["z"] * 24, ["rare"] * 3 + ["a", "b"] * 28 + ["a"]
    data = {"source": table(TABLE.assign(site=site, kind=kind)), "target": "kind", "group": "site", "split_seed": 7}
    message = "^data.group 'site' with data.split_seed 7 leaves 24 rows to train on, none of them of class 'rare'"
    with pytest.raises(InputError, match=message):
        prepared(**data)


def test_a_group_in_both_files_is_refused():
    frame = TABLE.assign(site=np.arange(N) // 4)
    data = {"source": table(frame), "test_source": table(frame[:4], "test.csv")}
    with pytest.raises(
        InputError, match=r"data.group 'site': 1 group with rows in data.source and in data.test_source"
    ):
        prepared(target="ill", group="site", **data)


def test_a_value_too_far_outside_the_training_range_is_refused():
    narrow = TABLE.assign(age=np.arange(N) * 1e-10)
    data = {"source": table(narrow), "test_source": table(TABLE.assign(age=1e35), "test.csv")}
    with pytest.raises(InputError, match="column 'age' has a value that lies too far outside"):
        prepared(target="ill", scaling="unit", **data)


def test_a_failing_run_is_one_line_status_2_and_loses_nothing(project):
    project(data={"source": "iris"})
    source.main()
    stage.main()
    before = {path: path.read_bytes() for path in Path("data").rglob("*.*") if path.is_file()}
    project(data={"source": table(TABLE.assign(ill="yes")), "target": "ill"})
    command = [sys.executable, "-W", "error", "-m", "pipeline.prepare"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: data.target: column 'ill' has one value only")
    assert result.stderr.count("\n") == 1
    assert {path: path.read_bytes() for path in Path("data").rglob("*.*") if path.is_file()} == before


def test_a_run_says_what_it_made(project, capsys):
    project(data={"source": "digits"})
    stage.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "digits: 10 classes, 64 features; rows: train 1150, validation 288, test 359"
    assert lines[1].startswith("to beat: ")


def test_kinds_say_what_a_column_holds(folder):
    zips = [f"0{1000 + i % 4}" for i in range(40)]
    table = pd.DataFrame({"zip": zips, "size": ["?", *map(str, range(39))], "y": [i * 1.5 for i in range(40)]})
    table.to_csv("t.csv", index=False)
    data = Data(source="t.csv", target="y", kinds={"zip": "category", "size": "number"})
    result = prepare(datasets.load(data), data)
    assert result.summary.features == [
        "size", "size is missing", "zip=01000", "zip=01001", "zip=01002", "zip=01003",
    ]  # fmt: skip
    assert "data.source: 1 cells of column 'size' are no numbers, and count as missing" in result.notes
    served = serving.apply(result.preprocessing, pd.DataFrame({"zip": ["01002"], "size": ["?"]}))
    assert served[0, 1:].tolist() == [1, 0, 0, 1, 0]


def test_rare_categories_share_a_feature_with_those_that_come_later(folder):
    towns = ["Ulm"] * 30 + ["Bonn"] * 20 + [f"village {i}" for i in range(10)]
    pd.DataFrame({"town": towns, "y": np.arange(60) % 7 + 0.5}).to_csv("t.csv", index=False)
    data = Data(source="t.csv", target="y", rare=5)
    result = prepare(datasets.load(data), data)
    assert result.summary.features == ["town=Bonn", "town=Ulm", "town is rare"]
    served = serving.apply(result.preprocessing, pd.DataFrame({"town": ["Ulm", "village 3", "Paris"]}))
    assert served.tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 1]]


def test_rows_of_a_rare_class_are_left_out_or_kept_to_training_as_asked():
    source = str(CASES / "20_one_row_of_a_rare_class.csv")
    with pytest.raises(InputError, match="has 1 row to split"):
        prepared(source=source, target="y")
    left_out = prepared(source=source, target="y", rare_classes="leave_out")
    assert left_out.summary.classes == ["no", "yes"]
    assert sum(left_out.summary.rows.values()) == 39
    kept = prepared(source=source, target="y", rare_classes="train")
    assert [kept.summary.class_counts[name]["rare"] for name in ("train", "validation", "test")] == [1, 0, 0]


def test_labels_of_the_test_set_that_the_source_lacks_are_named():
    files = {"source": str(CASES / "22_test_source_train.csv"), "test_source": str(CASES / "22_test_source_test.csv")}
    with pytest.raises(InputError, match=re.escape("its target has '<=50K.', '>50K.', which data.source has not")):
        prepared(target="income", **files)


def test_applying_takes_little_more_memory_than_the_features():
    """A column is written where it stands: no copy of the one-hot table, in float64 or otherwise."""
    rng = np.random.default_rng(0)
    names = np.array([f"town {i}" for i in range(400)], dtype=object)
    table = pd.DataFrame({"town": rng.choice(names, 20_000), "x": rng.normal(size=20_000)})
    fitted = preprocessing.fit_table(table, {"town": "text", "x": "number"}, Data())
    tracemalloc.start()
    features = serving.apply(fitted, table)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (features.dtype, features.shape) == (np.float32, (20_000, 401))
    assert features.sum(axis=1).tolist() == pytest.approx((features[:, 0] + 1).tolist(), abs=1e-4)
    assert peak < 1.3 * features.nbytes
