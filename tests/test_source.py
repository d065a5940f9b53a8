"""The stage source: what it notices, what it refuses, and that it stays quick."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import prepare, source
from pipeline.data.sources import describe
from pipeline.errors import InputError
from pipeline.paths import SOURCE_FILE
from pipeline.settings import Data


def run(*code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *code], capture_output=True, text=True, timeout=60)


def test_a_named_source_is_described_by_its_name_alone():
    assert describe(Data(source="digits")) == {"source": "digits", "files": []}
    assert describe(Data(source="openml:61")) == {"source": "openml:61", "files": []}


def test_the_description_changes_with_the_files_content_and_not_with_its_date(project):
    project()
    for name in ("a.csv", "b.csv"):
        Path(name).write_text("x,y\n1,2\n")
    data = Data(source="a.csv", test_source="b.csv")
    before = describe(data)
    Path("a.csv").touch()
    assert describe(data) == before
    Path("b.csv").write_text("x,y\n1,3\n")
    after = describe(data)
    assert after["files"][0] == before["files"][0]
    assert after["files"][1]["sha256"] != before["files"][1]["sha256"]


def test_main_writes_once_says_what_follows_and_leaves_an_unchanged_file_alone(project, capsys):
    project(data={"source": "iris"}, search={"trials": 7})
    source.main()
    plan = capsys.readouterr().out
    assert "data.source iris is new or has changed, so every stage runs" in plan
    assert "a search tries 7 configurations" in plan
    written = SOURCE_FILE.stat().st_mtime_ns
    source.main()
    assert SOURCE_FILE.stat().st_mtime_ns == written
    assert capsys.readouterr().out == ""
    project(data={"source": "wine"})
    source.main()
    assert json.loads(SOURCE_FILE.read_text()) == {"source": "wine", "files": []}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"source": "fashion-mnist"},
            "must be one of fashion_mnist, .*a path or an address that ends in .csv, .tsv, .txt",
        ),
        ({"source": "table.sav"}, "a path or an address that ends in .*; got 'table.sav'"),
        ({"source": "openml:"}, "got 'openml:'"),
        ({"source": "gone.csv"}, "data.source: there is no file gone.csv"),
        ({"source": "empty.csv"}, "data.source: empty.csv is empty"),
        ({"source": "folder.csv"}, "data.source: folder.csv cannot be read: Is a directory"),
        ({"source": "t.csv", "test_source": "gone.csv"}, "data.test_source: there is no file gone.csv"),
        ({"source": "t.csv", "test_source": "gone.npz"}, "data.test_source must be a path that ends in .csv"),
        ({"source": "iris", "test_source": "t.csv"}, "data.test_source goes with a data.source that ends in .csv"),
    ],
)
def test_a_source_that_cannot_be_is_refused(project, data, message):
    project()
    Path("empty.csv").touch()
    Path("folder.csv").mkdir()
    Path("t.csv").write_text("x,y\n1,2\n")
    with pytest.raises(InputError, match=message):
        describe(Data(**data))


def test_a_failing_run_says_one_line_exits_with_2_and_keeps_what_was_written(project):
    project(data={"source": "iris"})
    source.main()
    before = SOURCE_FILE.read_bytes()
    project(data={"source": "iriss"})
    result = run("-m", "pipeline.source")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: data.source must be one of iris,")
    assert result.stderr.count("\n") == 1
    assert SOURCE_FILE.read_bytes() == before


def test_the_stage_starts_without_the_heavy_libraries():
    heavy = "numpy", "pandas", "sklearn", "keras", "tensorflow"
    result = run("-c", f"import pipeline.source, sys; print([m for m in {heavy} if m in sys.modules])")
    assert result.stdout.strip() == "[]", result.stderr


def test_a_folder_that_cannot_be_written_to_is_named(project):
    root = project(data={"source": "iris"})
    # Root may write anywhere, so the stage becomes nobody after its imports; it needs no folder above its own.
    root.chmod(0o555)
    code = (
        "import os, pipeline.source as s\nfrom pipeline.errors import run_stage\n"
        "if os.getuid() == 0: os.setuid(65534)\nrun_stage(s.main)"
    )
    try:
        result = run("-c", code)
    finally:
        root.chmod(0o755)
    assert result.returncode == 2, result.stderr
    assert result.stderr == (
        "error: data/source.json cannot be written: Permission denied; its folder must be writable\n"
    )


def test_prepare_refuses_a_file_that_changed_since_source_recorded_it(project, capsys):
    table = Path("mine.csv")
    table.write_text("a,y\n" + "".join(f"{n},{n % 2}\n" for n in range(40)), encoding="utf-8")
    project(data={"source": "mine.csv", "target": "y"})
    source.main()
    prepare.main()
    table.write_text(table.read_text(encoding="utf-8") + "1,1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"mine.csv has changed since the stage source read it; run `dvc repro` again"):
        prepare.main()
