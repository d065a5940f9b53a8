"""Where examples come from, and what is refused."""

import bz2
import gzip
import hashlib
import json
import lzma
import os
import shutil
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipeline import progress
from pipeline.data import downloads, limits, sources
from pipeline.data import load as datasets
from pipeline.data.prepare import prepare
from pipeline.errors import InputError
from pipeline.settings import Data

TABLE = pd.DataFrame(
    {
        "age": [20.0, 31, None, 44, 52, 61, 27, 38, 45, 59, 33, 40],
        "city": ["Bonn", "Ulm", "Ulm", "Bonn", None, "Ulm", "Bonn", "Ulm", "Kiel", "Ulm", "Kiel", "Bonn"],
        "smoker": [True, False, True, True, False, None, False, True, True, False, False, True],
        "visits": range(12),
        "ill": ["yes", "no"] * 6,
    }
)
FILES = [".csv", ".tsv", ".parquet"]
ROOT = Path(__file__).resolve().parents[2]
MNIST = [path for path in (ROOT / "data/raw/mnist.npz", ROOT.parent / "shared/data/mnist.npz") if path.exists()]


def write(frame: pd.DataFrame, name: str) -> None:
    if name.endswith(".parquet"):
        frame.to_parquet(name)
    else:
        frame.to_csv(name, sep="\t" if name.endswith(".tsv") else ",", index=False)


def load(**data: object) -> datasets.Dataset:
    return datasets.load(Data(**data))


@pytest.fixture(autouse=True)
def empty_project(project):
    project()


@pytest.mark.parametrize("suffix", FILES)
def test_a_table_is_the_same_whatever_its_format(suffix):
    write(TABLE, f"t{suffix}")
    dataset = load(source=f"t{suffix}", target="ill", drop=["visits"])
    assert dataset.kinds == {"age": "number", "city": "text", "smoker": "boolean"}
    assert dataset.target.tolist() == TABLE["ill"].tolist()
    assert dataset.features["smoker"].tolist()[:2] == [1.0, 0.0]
    assert dataset.features.isna().sum().tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("name", "shape", "target"),
    [("iris", (150, 4), "setosa"), ("wine", (178, 13), "class_0"), ("breast_cancer", (569, 30), "malignant")],
)
def test_bundled_tables_have_named_classes(name, shape, target):
    dataset = load(source=name)
    assert dataset.features.shape == shape
    assert dataset.target[0] == target


def test_a_bundled_table_can_predict_another_of_its_columns():
    dataset = load(source="iris", target="petal width (cm)", drop=["target"])
    assert list(dataset.features) == ["sepal length (cm)", "sepal width (cm)", "petal length (cm)"]


def test_digits_are_images_whose_white_is_16():
    dataset = load(source="digits")
    assert dataset.features.shape == (1797, 8, 8)
    assert dataset.features.max() == dataset.pixel_max == 16


def test_the_group_column_is_no_feature():
    write(TABLE, "t.csv")
    frame = TABLE.assign(site=["a", "b", "c"] * 4)
    write(frame, "t.csv")
    dataset = load(source="t.csv", target="ill", group="site")
    assert "site" not in dataset.features
    assert dataset.groups.tolist() == [0, 1, 2] * 4


def test_a_second_table_becomes_the_test_rows_at_the_end():
    write(TABLE, "t.csv")
    write(TABLE.iloc[[3, 1]][TABLE.columns[::-1]], "more.parquet")
    dataset = load(source="t.csv", target="ill", test_source="more.parquet")
    assert dataset.test_rows == 2
    assert dataset.features["age"].tolist()[-2:] == [44, 31]
    assert dataset.target.tolist()[-2:] == ["no", "no"]


def test_text_that_looks_like_a_number_stays_text_in_the_second_table():
    write(TABLE.assign(code=["1", "x"] * 6), "t.csv")
    write(TABLE.iloc[:2].assign(code=["1", "1"]), "more.csv")
    dataset = load(source="t.csv", target="ill", test_source="more.csv")
    assert dataset.kinds["code"] == "text"
    assert dataset.features["code"].tolist()[-2:] == ["1", "1"]


def test_columns_without_a_value_or_a_name_are_left_out_with_a_note():
    write(TABLE.assign(nothing=None), "t.csv")
    text = Path("t.csv").read_text().splitlines()
    Path("t.csv").write_text("\n".join(("," if i == 0 else f"{i},") + line for i, line in enumerate(text)))
    dataset = load(source="t.csv", target="ill")
    assert list(dataset.features) == ["age", "city", "smoker", "visits"]
    assert [note.split(" ")[-4:] for note in dataset.messages.warnings] == [["and", "is", "left", "out"]] * 2


def test_a_column_may_be_named_like_a_missing_value():
    write(TABLE.rename(columns={"visits": "NA"}), "t.csv")
    assert "NA" in load(source="t.csv", target="ill").features


def test_a_long_list_of_columns_is_cut_and_starts_with_the_nearest():
    write(pd.DataFrame(np.eye(50), columns=[f"pixel{i}" for i in range(50)]), "t.csv")
    with pytest.raises(InputError, match=r"the columns are pixel49, .* and 30 more$"):
        load(source="t.csv", target="Pixel49")


def test_an_array_file_is_split_by_its_own_keys():
    x, y = np.random.default_rng(0).random((20, 3)), np.arange(20) % 2
    np.savez("plain.npz", x=x, y=y)
    assert load(source="plain.npz").test_rows is None
    np.savez("split.npz", x_train=x[:15], y_train=y[:15], x_test=x[15:], y_test=y[15:, None])
    dataset = load(source="split.npz")
    assert dataset.test_rows == 5
    assert np.array_equal(dataset.features.to_numpy(), x)


@pytest.mark.parametrize(
    ("images", "white"),
    [
        (np.full((20, 2, 2), 7, np.uint8), 255),
        (np.full((20, 2, 2, 3), 0.5), 1),
        (np.full((20, 2, 2), 300.0), None),
    ],
)
def test_white_is_known_for_bytes_and_for_numbers_up_to_one(images, white):
    np.savez("i.npz", x=images, y=np.arange(20) % 2)
    assert load(source="i.npz").pixel_max == white


@pytest.mark.parametrize("suffix", FILES)
@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\x81,\xfc\n1,2\n", b"\n\n"])
def test_a_file_that_is_no_table_is_refused(suffix, content):
    Path(f"t{suffix}").write_bytes(content)
    with pytest.raises(InputError, match=rf"data.source: t{suffix} is not a readable {suffix} table"):
        load(source=f"t{suffix}", target="y")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,y\n1,2\n3,4,5\n", "not a readable .csv table: .*Expected 2 fields in line 3, saw 3"),
        ("a,y\n1,2,3\n3,4,5\n", "not a readable .csv table: .*Expected 2 fields in line 2, saw 3.*data.read"),
        ("a,y,a\n1,2,3\n", "has more than one column 'a'"),
        ("a,y\n", "has no rows below its column names"),
        ("a,y\n1,2\n", "has 1 rows; at least 10 are needed"),
        (
            "a+y\n1+2\n",
            "there is no column 'y'; the columns are a[+]y; is it separated by another .*data.read.separator",
        ),
    ],
)
def test_a_table_with_a_fault_is_refused(text, message):
    Path("t.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        load(source="t.csv", target="y")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "data.target must name the column to predict; the columns are age, city, smoker, visits, ill"),
        ({"target": "il"}, "data.target: there is no column 'il'; the columns are ill, "),
        ({"target": "ill", "group": "site"}, "data.group: there is no column 'site'"),
        ({"target": "ill", "drop": ["agee"]}, "data.drop: there is no column 'agee'; the columns are age,"),
        ({"target": "ill", "drop": ["ill"]}, "data.drop names 'ill', which is the column to predict"),
        ({"target": "ill", "group": "ill"}, "data.group names 'ill', which is the column to predict"),
        ({"target": "ill", "group": "city"}, "data.group 'city' is missing in 1 rows"),
        ({"target": "ill", "drop": ["age", "city", "smoker", "visits"]}, "no column left to learn from"),
    ],
)
def test_a_setting_that_names_no_usable_column_is_refused(data, message):
    write(TABLE, "t.csv")
    with pytest.raises(InputError, match=message):
        load(source="t.csv", **data)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1.0, np.inf] * 6, r"holds infinity or a number beyond .* \(first in row 2\)"),
        ([1e300] * 12, "holds infinity or a number beyond"),
        (pd.to_timedelta(range(12), unit="h"), "holds dates|holds timedelta"),
        ([[1, 2]] * 12, "holds mixed values; numbers, booleans and text are allowed"),
    ],
)
def test_a_column_that_cannot_be_a_feature_is_named(column, message):
    write(TABLE.assign(strange=column), "t.parquet")
    with pytest.raises(InputError, match=f"column 'strange' .*{message}"):
        load(source="t.parquet", target="ill")


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (
            TABLE.drop(columns="age").assign(weight=1),
            "must have the columns of data.source: it lacks age and adds weight",
        ),
        (TABLE.drop(columns="ill"), "it lacks ill"),
        (TABLE.assign(age="old"), "data.test_source: column 'age' holds text values, in data.source number values"),
    ],
)
def test_a_second_table_that_does_not_match_is_refused(test, message):
    write(TABLE, "t.csv")
    write(test, "more.csv")
    with pytest.raises(InputError, match=message):
        load(source="t.csv", target="ill", test_source="more.csv")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"age": [1.0, 2, np.inf]}, r"data.test_source: column 'age' holds infinity .* \(first in row 3\)"),
        ({"site": ["a", None, "b"]}, r"data.group 'site' is missing in 1 rows \(first in row 2 of data.test_source m"),
    ],
)
def test_a_row_of_the_second_table_is_counted_in_that_table(change, message):
    frame = TABLE.assign(site=["a", "b", "c"] * 4)
    write(frame, "t.csv")
    write(frame[:3].assign(**change), "more.csv")
    with pytest.raises(InputError, match=message):
        load(source="t.csv", target="ill", group="site", test_source="more.csv")


@pytest.mark.parametrize("setting", [{"target": "y"}, {"group": "g"}, {"drop": ["a"]}])
def test_settings_of_tables_are_refused_where_there_is_no_table(setting):
    with pytest.raises(
        InputError, match=f"data.{next(iter(setting))} names columns of a table, and data.source digits"
    ):
        load(source="digits", **setting)


X = np.zeros((20, 3))
Y = np.arange(20) % 2


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": X, "labels": Y}, "must hold the arrays .* or x, y; it holds images, labels"),
        ({"x": X, "y": Y[:-1]}, r"y of a.npz must be \[rows\], one for each of 20 rows; got \[19\]"),
        ({"x": X[:, 0], "y": Y}, r"x of a.npz must be numbers .*; got float64 \[20\]"),
        ({"x": X[:0], "y": Y[:0]}, r"got float64 \[0, 3\]"),
        ({"x": X.astype(str), "y": Y}, "x of a.npz must be numbers"),
        ({"x": X.astype(object), "y": Y}, "cannot be read: Object arrays cannot be loaded when allow_pickle=False"),
        ({"x_train": X, "y_train": Y, "x_test": X[:, :2], "y_test": Y}, "must agree but for their rows"),
        *(
            ({"x": np.full((20, 2, 2), value), "y": Y}, "images must be finite numbers of at most")
            for value in (np.nan, np.inf, 1e39, -1e39, np.float16(np.inf))
        ),
    ],
)
def test_an_array_file_with_a_fault_is_refused(arrays, message):
    np.savez("a.npz", **arrays)
    with pytest.raises(InputError, match=message):
        load(source="a.npz")


def test_a_file_that_is_no_npz_is_refused():
    Path("a.npz").write_bytes(b"not arrays")
    with pytest.raises(InputError, match=r"a\.npz cannot be read: it is not an .npz file"):
        load(source="a.npz")
    with Path("a.npz").open("wb") as file:
        np.save(file, X)
    with pytest.raises(InputError, match=r"a\.npz cannot be read"):
        load(source="a.npz")


@pytest.mark.skipif(
    not MNIST, reason="MNIST is neither at data/raw/mnist.npz nor in a folder shared beside the project"
)
def test_mnist_in_the_data_folder_is_used_without_a_network_if_its_content_is_right():
    downloads.RAW.mkdir(parents=True)
    raw = downloads.RAW / "mnist.npz"
    shutil.copyfile(MNIST[0], raw)
    dataset = load(source="mnist")
    assert dataset.features.shape == (70000, 28, 28)
    assert (dataset.test_rows, dataset.pixel_max) == (10000, 255)
    with np.load(raw) as stored:
        arrays = dict(stored)
    arrays["y_test"][[0, 1]] = arrays["y_test"][[1, 0]]
    np.savez(raw, **arrays)
    with pytest.raises(InputError, match=r"data/raw/mnist.npz is not mnist: y_test has other content.*delete it"):
        load(source="mnist")


@pytest.mark.parametrize(
    ("write_file", "message"),
    [
        (lambda path: path.write_bytes(b"PK\x03\x04 cut off"), "cannot be read: it is not an .npz file"),
        (lambda path: np.savez(path, x=X), "it holds the arrays x, not x_train, y_train, x_test, y_test"),
        (lambda path: np.savez(path, **dict.fromkeys(downloads.SHAPES, X)), "x_train is float64"),
    ],
)
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_a_wrong_file_in_the_data_folder_is_refused(name, write_file, message):
    downloads.RAW.mkdir(parents=True)
    write_file(downloads.RAW / f"{name}.npz")
    with pytest.raises(InputError, match=message):
        load(source=name)


def test_fashion_mnist_with_other_labels_is_refused():
    downloads.RAW.mkdir(parents=True)
    arrays = {key: np.zeros(shape, np.uint8) for key, shape in downloads.SHAPES.items()}
    np.savez_compressed(downloads.RAW / "fashion_mnist.npz", **arrays)
    with pytest.raises(InputError, match="is not fashion_mnist: y_train has other content than the published one"):
        load(source="fashion_mnist")


@pytest.fixture
def no_network(monkeypatch):
    """Any address is looked up at a proxy that refuses at once."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    # urllib keeps the proxies that it saw first; the next test must see its own.
    monkeypatch.setattr(urllib.request, "_opener", None)
    monkeypatch.setenv("KERAS_HOME", str(Path.cwd() / "keras"))


def test_a_failed_download_says_where_to_place_the_file(no_network):
    with pytest.raises(InputError, match=r"could not be downloaded .* place an .npz .* at data/raw/mnist.npz"):
        load(source="mnist")
    assert not list(Path.cwd().rglob("mnist.npz"))


def test_a_failed_openml_download_says_what_to_do_instead(no_network):
    with pytest.raises(InputError, match=r"openml:61 could not be loaded .* save the table as a .csv"):
        load(source="openml:61")


def test_openml_by_id_from_its_cache():
    rows = "\n".join(f"{i}.5,{'red' if i % 3 else 'blue'},{'yes' if i % 2 else 'no'}" for i in range(20))
    arff = (
        "@RELATION t\n@ATTRIBUTE size REAL\n@ATTRIBUTE colour {red,blue}\n@ATTRIBUTE class {yes,no}\n@DATA\n" + rows
    ).encode()
    url = "https://openml.org/data/v1/download/1/t.arff"
    description = {
        "id": "61",
        "name": "t",
        "version": "1",
        "description": "",
        "format": "ARFF",
        "status": "active",
        "file_id": "1",
    }
    description |= {"url": url, "md5_checksum": hashlib.md5(arff).hexdigest(), "default_target_attribute": "class"}
    flags = {"is_ignore": "false", "is_row_identifier": "false", "number_of_missing_values": "0"}
    features = [
        {"index": "0", "name": "size", "data_type": "numeric", "is_target": "false", **flags},
        {"index": "1", "name": "colour", "data_type": "nominal", "is_target": "false", **flags},
        {"index": "2", "name": "class", "data_type": "nominal", "is_target": "true", **flags},
    ]
    cached = {
        "api/v1/json/data/61": json.dumps({"data_set_description": description}).encode(),
        "api/v1/json/data/features/61": json.dumps({"data_features": {"feature": features}}).encode(),
        "api/v1/json/data/qualities/61": json.dumps(
            {"data_qualities": {"quality": [{"name": "NumberOfInstances", "value": "20"}]}}
        ).encode(),
        "data/v1/download/1/t.arff": arff,
    }
    for host in ("openml.org", "www.openml.org"):
        for path, content in cached.items():
            file = downloads.RAW / "openml" / host / f"{path}.gz"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(gzip.compress(content))
    dataset = load(source="openml:61")
    assert dataset.kinds == {"size": "number", "colour": "text"}
    assert dataset.target_name == "class"
    assert dataset.target.tolist()[:2] == ["no", "yes"]


def test_text_that_strayed_among_numbers_is_named_with_its_row():
    ages = [str(20 + n % 40) for n in range(200)]
    table = pd.DataFrame({"age": ages, "y": ["a", "b"] * 100})
    table.loc[6, "age"] = "?"
    write(table, "t.csv")
    with pytest.raises(InputError, match=r"data.source: column 'age' holds numbers, but in 1 of 200 cells .* row 7\)"):
        load(source="t.csv", target="y")


def test_a_few_classes_of_numbers_and_text_are_categories():
    table = pd.DataFrame({"rooms": ["1", "2", "3", "4"] * 12 + ["5+", "5+"], "y": ["a", "b"] * 25})
    write(table, "t.csv")
    assert load(source="t.csv", target="y").features["rooms"].nunique() == 5


def test_a_pipe_is_no_source(folder):
    os.mkfifo("a.csv")
    with pytest.raises(InputError, match="is no file but a pipe, socket or device"):
        sources.user_files(Data(source="a.csv", target="y"))


def test_files_that_unpack_to_more_than_is_allowed_are_refused_before_they_are_read(folder, monkeypatch):
    monkeypatch.setattr(limits, "MOST_UNPACKED", 1000)
    np.savez_compressed("a.npz", x=np.zeros((400, 2)), y=np.arange(400) % 2)
    pd.DataFrame({"x": np.zeros(400), "y": np.arange(400) % 2}).to_parquet("a.parquet")
    frame = pd.DataFrame({"x": np.zeros(400), "y": np.arange(400) % 2})
    frame.to_feather("a.feather"), frame.to_excel("a.xlsx", index=False)
    Path("a.csv.zst").write_bytes(pa.compress(frame.to_csv(index=False).encode(), "zstd", asbytes=True))
    names = ("a.parquet", "a.feather", "a.xlsx", "a.csv.zst")
    for source in (Data(source="a.npz"), *(Data(source=name, target="y") for name in names)):
        with pytest.raises(InputError, match=f"data.source: {source.source} unpacks to 0 GiB; 0 GiB are allowed"):
            datasets.load(source)


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("t.csv.gz", gzip.compress),
        ("t.csv.bz2", bz2.compress),
        ("t.CSV.XZ", lzma.compress),
        ("t.csv.zst", lambda content: pa.compress(content, "zstd", asbytes=True)),
        ("t.txt", bytes),
        ("t.csv.zip", None),
        ("t.feather", None),
        ("t.jsonl", None),
        ("t.xlsx", None),
    ],
)
def test_a_table_is_the_same_in_every_container(folder, name, pack):
    expected = read_as("t.csv", TABLE)
    if pack is not None:
        Path(name).write_bytes(pack(Path("t.csv").read_bytes()))
    elif name.endswith(".zip"):
        with zipfile.ZipFile(name, "w") as archive:
            archive.write("t.csv")
    else:
        method = {".feather": "to_feather", ".jsonl": "to_json", ".xlsx": "to_excel"}[Path(name).suffix]
        getattr(TABLE, method)(name, **OPTIONS.get(name, {}))
    dataset = datasets.load(Data(source=name, target="ill"))
    pd.testing.assert_frame_equal(dataset.features, expected, check_dtype=False)


OPTIONS = {"t.jsonl": {"orient": "records", "lines": True}, "t.xlsx": {"index": False}}


def read_as(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return the features of a table that is written as text."""
    table.to_csv(name, index=False)
    return datasets.load(Data(source=name, target="ill")).features


@pytest.mark.parametrize(
    "name",
    ["t.csv.gz", "t.csv.bz2", "t.csv.xz", "t.csv.zst", "t.csv.zip", "t.feather", "t.jsonl", "t.xlsx", "t.parquet"],
)
@pytest.mark.parametrize("content", [b"PK\x03\x04 no", b"\x1f\x8b\x08\x00torn", bytes(100)])
def test_a_container_that_is_damaged_is_one_line(folder, name, content):
    Path(name).write_bytes(content)
    with pytest.raises(InputError, match=f"data.source: {name} is not a readable"):
        datasets.load(Data(source=name, target="y"))


def test_a_zip_of_two_tables_says_so(folder):
    with zipfile.ZipFile("t.csv.zip", "w") as archive:
        archive.writestr("a.csv", "x,y\n1,2\n"), archive.writestr("b.csv", "x,y\n1,2\n")
    with pytest.raises(InputError, match="it must hold one table and holds 2 files"):
        datasets.load(Data(source="t.csv.zip", target="y"))


@pytest.mark.parametrize(
    ("late", "kind", "value"),
    [("7", "number", 7.0), ("", "number", None), ("NA", "number", None), ("$7", "number", 7.0)],
)
def test_a_cell_far_down_decides_as_one_at_the_top_does(folder, late, kind, value):
    """Columns that begin with numbers are read as these, until a cell says otherwise."""
    rows = "".join(f"{'$' if late == '$7' else ''}{i},{'ab'[i % 2]}\n" for i in range(3000))
    Path("t.csv").write_text(f"x,y\n{rows}{late},a\n")
    dataset = datasets.load(Data(source="t.csv", target="y"))
    assert dataset.kinds == {"x": kind}
    assert dataset.features["x"].tolist()[:2999] == list(range(2999))
    last = dataset.features["x"].iloc[-1]
    assert np.isnan(last) if value is None else last == value


def test_a_word_far_down_makes_a_column_text_as_it_stands(folder):
    Path("t.csv").write_text("x,y\n" + "".join(f"1.{i % 9}0,{'ab'[i % 2]}\n" for i in range(3000)) + "low,a\n")
    dataset = datasets.load(Data(source="t.csv", target="y"))
    assert dataset.kinds == {"x": "text"}
    assert set(dataset.features["x"]) == {*(f"1.{i}0" for i in range(9)), "low"}


def test_the_note_on_a_column_of_dates_that_is_left_out_names_no_features(folder):
    rows = "".join(f"2024-01-{i + 1:02},{i},{'ab'[i % 2]}\n" for i in range(30))
    Path("t.csv").write_text(f"day,x,y\n{rows}")
    for drop, count in (([], 1), (["day"], 0)):
        notes = datasets.load(Data(source="t.csv", target="y", time="day", drop=drop)).messages.notes
        assert sum("holds dates" in note for note in notes) == 1
        assert sum("its features are" in note for note in notes) == count


def test_a_target_of_whole_numbers_that_are_taken_as_classes_is_noted(folder):
    for classes, task, count in ((3, "auto", 1), (2, "auto", 0), (3, "classification", 0)):
        Path("t.csv").write_text("x,y\n" + "".join(f"{i},{i % classes}\n" for i in range(30)))
        data = Data(source="t.csv", target="y", task=task)
        warnings = prepare(datasets.load(data), data).summary.warnings
        noted = "the target's 3 different whole numbers are taken as classes; set data.task to regression"
        assert sum(warning.startswith(noted) for warning in warnings) == count


def test_reading_that_takes_long_says_how_far_it_is(folder, monkeypatch, capsys):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    Path("t.csv").write_text("x,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(100)))
    datasets.load(Data(source="t.csv", target="y"))
    assert "reading the table: 100%" in capsys.readouterr().out
