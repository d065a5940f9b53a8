"""How a stage reports what went wrong."""

import os
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


@pytest.mark.parametrize("how", [{"PYTHONUNBUFFERED": ""}, {"PYTHONUNBUFFERED": "1"}], ids=str)
def test_stage_that_nobody_reads_any_more_ends_quietly(how):
    script = "from pipeline.errors import run_stage; run_stage(lambda: print('x' * 1000))"
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run([sys.executable, "-c", script], env=os.environ | how, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_pipe_that_broke_elsewhere_is_a_bug():
    def main() -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run_stage(main)


def test_choices_that_look_alike_come_first():
    assert nearest_first("tanhh", ["relu", "sigmoid", "tanh"]) == "tanh, relu, sigmoid"
    assert nearest_first("xyz", ["relu", "tanh"]) == "relu, tanh"
    assert nearest_first(None, ["relu", "none"]) == "relu, none"


def test_most_of_many_choices_are_counted():
    assert nearest_first("c", list("abcd"), most=2) == "c, a and 2 more"


@pytest.mark.parametrize("how", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}], ids=str)
def test_what_standard_output_cannot_show_is_printed_as_an_escape(how):
    script = "from pipeline.errors import run_stage; run_stage(lambda: print('Stra\\xdfe'))"
    ended = subprocess.run([sys.executable, "-c", script], env=os.environ | how, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "Stra\\xdfe\n", "")


def test_file_whose_name_the_locale_cannot_say_costs_one_line():
    script = "from pipeline.errors import run_stage; run_stage(lambda: open('stra\\xdfe.csv'))"
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0"}
    ended = subprocess.run([sys.executable, "-c", script], env=os.environ | locale, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr == (
        "error: 'stra\\xdfe.csv' has a character that the encoding of file names, ascii, lacks; set PYTHONUTF8=1, or a "
        "locale with UTF-8\n"
    )
