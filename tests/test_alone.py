"""One run of a stage at a time."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.alone import alone
from pipeline.errors import InputError


def test_second_run_of_a_stage_is_refused_in_one_line_and_another_stage_is_not(digits_project, stage, capsys):
    with alone("build"):
        with pytest.raises(SystemExit) as ended:
            stage("build")
        assert ended.value.code == 2
        told = "error: another run of the stage build is at work in this project; wait for it\n"
        assert capsys.readouterr().err == told
        with alone("train"):
            pass
    stage("build")


def test_run_that_was_killed_or_has_failed_holds_up_nobody(folder):
    killed = "from pipeline.alone import alone\nimport os\nwith alone('train'):\n    os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", killed]).returncode == -9
    with pytest.raises(ZeroDivisionError), alone("train"):
        1 / 0  # noqa: B018
    with alone("train"):
        pass


def test_folder_that_may_not_be_written_is_one_line(folder, not_root):
    Path("models").mkdir(mode=0o500)
    with pytest.raises(InputError, match=r"models/\.train\.lock cannot be written: Permission denied"), alone("train"):
        pass
