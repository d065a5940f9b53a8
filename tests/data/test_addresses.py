"""Tables at an address and in folders: how they are fetched, and what the stage source records of them."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest

from pipeline.data import limits
from pipeline.data import load as datasets
from pipeline.data.sources import describe
from pipeline.errors import InputError
from pipeline.settings import Data

TABLE = pd.DataFrame({"x": [i / 4 for i in range(12)], "y": ["no", "yes"] * 6})


@pytest.fixture(autouse=True)
def empty_project(project):
    project()


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server of this machine, and the folder whose files it gives."""
    folder = tmp_path_factory.mktemp("served")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()


def test_a_table_is_downloaded_once_and_recorded_by_its_address(served):
    url, folder = served
    TABLE.to_csv(folder / "my table.csv", index=False)
    content = (folder / "my table.csv").read_bytes()
    data = Data(source=f"{url}/my%20table.csv?version=1", target="y")
    description = describe(data)
    assert description["files"] == [
        {"path": data.source, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    ]
    (folder / "my table.csv").unlink()
    dataset = datasets.load(data)
    assert dataset.features["x"].tolist() == TABLE["x"].tolist()
    assert "is read from data/raw/" in dataset.messages.notes[0]
    assert describe(data) == description
    [path] = Path("data/raw").iterdir()
    assert path.name.endswith("-my_table.csv")


def test_two_addresses_of_one_name_are_two_files(served):
    url, folder = served
    for year in ("2023", "2024"):
        (folder / year).mkdir()
        TABLE.assign(x=int(year) + TABLE["x"]).to_parquet(folder / year / "t.parquet")
    data = Data(source=f"{url}/2023/t.parquet", test_source=f"{url}/2024/t.parquet", target="y")
    assert datasets.load(data).features["x"].astype(int).unique().tolist() == [2023, 2024, 2025, 2026]
    assert len({file["sha256"] for file in describe(data)["files"]}) == 2


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("{url}/gone.csv", r"data.source: .*/gone.csv could not be downloaded \(.*gone.csv\); without a network"),
        ("http://127.0.0.1:{port}/t.csv", r"data.source: .*/t.csv could not be downloaded \(.*connect"),
        ("nowhere://disk/t.csv", r"data.source: nowhere://disk/t.csv could not be downloaded \(.*nowhere"),
        ("http://me:secret@127.0.0.1/t.csv", r"data.source must not hold a password.*http://me:\*\*\*@127.0.0.1/t.csv"),
        ("s3://bucket/t.csv", r"s3://bucket/t.csv could not be downloaded \(.*s3fs"),
        ("{url}/download?id=7", "a path or an address that ends in .csv"),
        ("{url}/empty.csv", r"empty.csv is empty \(0 bytes\)"),
    ],
)
def test_an_address_that_gives_no_table_is_one_line(served, free_port, address, message):
    url, folder = served
    (folder / "empty.csv").touch()
    with pytest.raises(InputError, match=message) as error:
        describe(Data(source=address.format(url=url, port=free_port), target="y"))
    assert "\n" not in str(error.value)
    assert not any(path.stat().st_size for path in Path("data/raw").glob("*"))


def test_a_download_of_more_than_is_allowed_is_given_up(served, monkeypatch):
    url, folder = served
    TABLE.to_csv(folder / "t.csv", index=False)
    monkeypatch.setattr(limits, "MOST_UNPACKED", 50)
    with pytest.raises(InputError, match=r"t\.csv unpacks to 0 GiB; 0 GiB are allowed"):
        describe(Data(source=f"{url}/t.csv", target="y"))
    assert not list(Path("data/raw").glob("*"))


@pytest.mark.parametrize("name", ["parts", "parts/", "parts.parquet", "of.2024"])
def test_a_folder_of_parquet_parts_is_one_table(name):
    folder = Path(name)
    folder.mkdir()
    TABLE.tail(4).to_parquet(folder / "part-1.parquet")
    TABLE.head(8).to_parquet(folder / "part-0.parquet")
    for other in ("_SUCCESS", ".part-0.parquet.crc", "_old.parquet"):
        (folder / other).write_text("no table")
    data = Data(source=name, target="y")
    assert datasets.load(data).features["x"].tolist() == TABLE["x"].tolist()
    files = describe(data)["files"]
    assert [file["path"] for file in files] == [str(folder / f"part-{part}.parquet") for part in (0, 1)]
    TABLE.head(3).to_parquet(folder / "part-2.parquet")
    assert len(describe(data)["files"]) == 3


def test_a_value_in_the_name_of_a_folder_is_a_column():
    TABLE.assign(city=["Ulm", "Bonn", "Ulm"] * 4).to_parquet("parts", partition_cols=["city"])
    dataset = datasets.load(Data(source="parts", target="y"))
    assert dataset.features["city"].value_counts().to_dict() == {"Ulm": 8, "Bonn": 4}


def test_parts_that_do_not_match_and_a_folder_without_parts_are_refused():
    Path("parts").mkdir()
    with pytest.raises(InputError, match=r"data.source: parts is a folder without a .parquet file"):
        describe(Data(source="parts", target="y"))
    TABLE.to_parquet("parts/0.parquet")
    TABLE.rename(columns={"x": "z"}).to_parquet("parts/1.parquet")
    with pytest.raises(InputError, match=r"its parts 0.parquet and 1.parquet differ in the column 'x'"):
        datasets.load(Data(source="parts", target="y"))
