"""Files appear whole or not at all, and arrays never as pickles."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.files import read_arrays, read_json, write_arrays, write_json, written_whole


def test_file_appears_under_its_name_when_it_is_finished(folder):
    with written_whole("results/scores.json") as beside:
        beside.write_text("new")
        assert not Path("results/scores.json").exists()
        assert beside.suffix == ".json"
    assert Path("results/scores.json").read_text() == "new"
    assert [path.name for path in Path("results").iterdir()] == ["scores.json"]


def test_writer_that_fails_leaves_the_file_of_before_and_nothing_else(folder):
    Path("scores.json").write_text("old")
    with pytest.raises(ZeroDivisionError), written_whole("scores.json") as beside:
        beside.write_text("half of the n")
        raise ZeroDivisionError
    assert Path("scores.json").read_text() == "old"
    assert [path.name for path in folder.iterdir()] == ["scores.json"]


KILLED_WHILE_WRITING = """
import os, signal
from pipeline.files import written_whole
with written_whole("scores.json") as beside:
    beside.write_text("half of the n")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_writer_leaves_the_file_of_before_and_a_hidden_rest_that_is_harmless(folder):
    Path("scores.json").write_text("old")
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING])
    assert killed.returncode == -signal.SIGKILL
    assert Path("scores.json").read_text() == "old"
    rest = [path.name for path in folder.iterdir() if path.name != "scores.json"]
    assert all(name.startswith(".scores.") for name in rest)
    write_json("scores.json", {"accuracy": 0.5})
    assert json.loads(Path("scores.json").read_text()) == {"accuracy": 0.5}


def test_json_with_merge_markers_or_without_a_file_is_one_line(folder):
    Path("search.json").write_text('<<<<<<< HEAD\n{"best": 1}\n=======\n')
    with pytest.raises(
        InputError, match=r"search\.json is not valid JSON: Expecting value: line 1 column 1 .*delete it"
    ):
        read_json("search.json")
    Path("search.json").unlink()
    with pytest.raises(InputError, match=r"search\.json is missing; run `dvc repro`"):
        read_json("search.json")


def test_folder_without_write_permission_is_the_users_to_put_right(folder, not_root):
    Path("results").mkdir(mode=0o555)
    with pytest.raises(InputError, match=r"results/scores\.json cannot be written: Permission denied"):
        write_json("results/scores.json", {})


def test_file_in_a_folders_place_is_the_users_to_put_right(folder):
    Path("results").write_text("")
    with pytest.raises(InputError, match=r"results/scores\.json cannot be written: .*; its folder must be writable"):
        write_json("results/scores.json", {})


def test_folder_in_the_files_place_is_the_users_to_put_right(folder):
    Path("scores.json").mkdir()
    with pytest.raises(InputError, match=r"scores\.json cannot be written: Is a directory"):
        write_json("scores.json", {})
    assert [path.name for path in folder.iterdir()] == ["scores.json"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_or_quota_is_the_users_to_put_right(folder, number):
    with (
        pytest.raises(InputError, match=f"^scores.json cannot be written: {os.strerror(number)}"),
        written_whole("scores.json"),
    ):
        raise OSError(number, os.strerror(number))


FULL = """
import resource, signal
import numpy as np
from pipeline.errors import run_stage
from pipeline.files import write_arrays
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
run_stage(lambda: write_arrays("a.npz", {"x": np.zeros(1000)}))
"""


def test_file_for_which_there_is_no_room_costs_one_line_and_leaves_the_one_of_before(folder):
    write_arrays("a.npz", {"x": np.ones(3)})
    ended = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr == "error: a.npz cannot be written: File too large; make room and start again\n"
    assert read_arrays("a.npz")["x"].tolist() == [1, 1, 1]
    assert [path.name for path in folder.iterdir()] == ["a.npz"]


def test_json_is_for_people_and_refuses_what_is_no_number(folder):
    write_json("a.json", {"b": [1]})
    assert Path("a.json").read_text() == '{\n  "b": [\n    1\n  ]\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json("a.json", {"b": float("nan")})
    assert json.loads(Path("a.json").read_text()) == {"b": [1]}


def test_arrays_come_back_as_they_were(folder):
    arrays = {
        "x/y": np.arange(6, dtype=np.float32).reshape(2, 3),
        "name": np.array("digits"),
        "empty": np.zeros((0, 3)),
    }
    write_arrays("a.npz", arrays)
    found = read_arrays("a.npz")
    assert found.keys() == arrays.keys()
    for name, value in arrays.items():
        np.testing.assert_array_equal(found[name], value, strict=True)


def test_python_objects_are_neither_written_nor_read(folder):
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_arrays("a.npz", {"x": np.array([{}])})
    assert list(folder.iterdir()) == []
    np.savez("a.npz", x=np.array([{}]))
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        read_arrays("a.npz")


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip file at all", b"\x80\x04K\x01."])
def test_file_that_is_no_archive_is_told(folder, content):
    Path("a.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"it is not an \.npz file"):
        read_arrays("a.npz")


def test_damaged_archive_is_told(folder):
    write_arrays("a.npz", {"x": np.arange(1000)})
    content = bytearray(Path("a.npz").read_bytes())
    content[500] ^= 0xFF
    Path("a.npz").write_bytes(content)
    with pytest.raises(ValueError, match="it is damaged"):
        read_arrays("a.npz")
