"""Interrupts of stages, from their first moment on."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

TOLD = "interrupted; what is finished is kept, and `dvc repro` goes on from there\n"


def listens(process: int) -> bool:
    """Return whether a process waits for its end in a thread, as stages do before they import much."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False
    [held_back] = [line.split()[1] for line in status.splitlines() if line.startswith("SigBlk")]
    return all(int(held_back, 16) >> (number - 1) & 1 for number in (signal.SIGINT, signal.SIGTERM))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["pipeline.prepare", "pipeline.train", "experiments.search", "experiments.study"])
def test_stage_interrupted_as_it_imports_ends_with_one_line(digits_project, change, wait_until, module, number):
    command = [sys.executable, "-m", module]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: listens(process.pid))
    process.send_signal(number)
    process.send_signal(number)  # by those who have no patience
    assert process.communicate(timeout=30) == ("", TOLD)
    assert process.returncode == 128 + number


def test_stage_is_imported_without_a_change_to_the_process():
    code = "import signal, experiments.search.__main__; print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "True\n"


# A parent of a stage, as DVC is one.
PARENT = """
import os, subprocess, sys
stage = subprocess.Popen([sys.executable, "-m", sys.argv[1]], env=os.environ | {"DVC_STAGE": "it"}, stderr=2)
print(stage.pid, flush=True)
stage.wait()
"""


def test_stage_ends_with_the_dvc_that_runs_it(digits_project, change, wait_until, is_alive):
    change(train={"epochs": 1_000_000, "early_stopping": None})
    command = [sys.executable, "-c", PARENT, "pipeline.train"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as parent:
        stage = int(parent.stdout.readline())
        wait_until(lambda: listens(stage))
        parent.kill()
        _, error = parent.communicate(timeout=60)  # which is the stage's too
    wait_until(lambda: not is_alive(stage))
    assert error == TOLD or error.startswith("interrupted after epoch ")
