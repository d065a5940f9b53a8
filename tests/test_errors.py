"""How a stage reports what went wrong."""

import subprocess
import sys

import pytest

from pipeline.errors import InputError, nearest_first, run_stage


def test_input_error_is_one_line_and_exit_status_2(capsys):
    def main() -> None:
        raise InputError("data.csv has\n  no rows")

    with pytest.raises(SystemExit) as ended:
        run_stage(main)
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", "error: data.csv has no rows\n")


def test_stage_that_succeeds_ends_with_status_0(capsys):
    run_stage(lambda: print("done"))
    assert capsys.readouterr() == ("done\n", "")


def test_bug_keeps_its_traceback_and_exit_status_1():
    script = "from pipeline.errors import run_stage\nrun_stage(lambda: 1 / 0)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Traceback")
    assert ended.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_stage_run_without_its_settings_says_so_in_one_line(folder):
    command = [sys.executable, "-m", "pipeline.source"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "error: params.yaml is missing; run this in the project's root folder\n"
    assert list(folder.iterdir()) == []


def test_choices_that_look_alike_come_first():
    assert nearest_first("tanhh", ["relu", "sigmoid", "tanh"]) == "tanh, relu, sigmoid"
    assert nearest_first("xyz", ["relu", "tanh"]) == "relu, tanh"
    assert nearest_first(None, ["relu", "none"]) == "relu, none"


def test_most_of_many_choices_are_counted():
    assert nearest_first("c", list("abcd"), most=2) == "c, a and 2 more"
