"""An interrupted training goes on where it was, whoever or whatever interrupted it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.paths import CHECKPOINT_FILE, SEEDS_FILE
from pipeline.training import checkpoint
from pipeline.training.fitted import read_fitted

# Runs the stage train, and sends its own process a signal in the third epoch.
SCRIPT = """
import os, sys
from pipeline import train
from pipeline.errors import run_stage
from pipeline.training import checkpoint

checkpoint.SECONDS_BETWEEN, checkpoint.SAVING_SHARE = float(sys.argv[2]), 1e9
call = checkpoint.Checkpoint.__call__

def call_and_kill(self, event):
    if event.number == 3:
        os.kill(os.getpid(), int(sys.argv[1]))
    call(self, event)

checkpoint.Checkpoint.__call__ = call_and_kill
run_stage(train.main)
"""


def train_and_kill(number: signal.Signals, seconds_between: float = 1e9) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", SCRIPT, str(int(number)), str(seconds_between)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def stage_and_kill(stage, monkeypatch, number: signal.Signals) -> int:
    """The exit status of the stage train, sent a signal in its third epoch."""
    call = checkpoint.Checkpoint.__call__

    def call_and_kill(self, event):
        if event.number == 3:
            os.kill(os.getpid(), number)
        call(self, event)

    with monkeypatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(checkpoint.Checkpoint, "__call__", call_and_kill)
        stage("train")
    return ended.value.code


def assert_same_weights(expected: dict[str, np.ndarray]) -> None:
    weights = read_fitted().weights
    assert all((value == weights[name]).all() for name, value in expected.items())


@pytest.fixture
def expected(digits_project: Path) -> dict[str, np.ndarray]:
    """The weights of the uninterrupted training, whose results are there from before."""
    return read_fitted().weights


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_training_says_so_and_goes_on_to_the_same_weights(expected, stage, monkeypatch, capsys, number):
    before, handler = SEEDS_FILE.read_bytes(), signal.getsignal(number)
    assert stage_and_kill(stage, monkeypatch, number) == 128 + number
    assert capsys.readouterr().err == "interrupted after epoch 3 of 6; `dvc repro` goes on from there\n"
    assert signal.getsignal(number) is handler
    assert CHECKPOINT_FILE.exists()
    assert SEEDS_FILE.read_bytes() == before
    SEEDS_FILE.unlink()
    stage("train")
    assert capsys.readouterr().out.startswith("going on after epoch 3 of 6\n")
    assert_same_weights(expected)
    assert not CHECKPOINT_FILE.exists()


def test_killed_process_loses_only_what_came_after_the_last_save(expected, stage, capsys):
    assert train_and_kill(signal.SIGKILL, seconds_between=0).returncode == -signal.SIGKILL
    stage("train")
    assert capsys.readouterr().out.startswith("going on after epoch 2 of 6\n")
    assert_same_weights(expected)


def test_checkpoint_of_other_settings_is_not_gone_on_from(expected, stage, change, monkeypatch, capsys):
    change(train={"learning_rate": 0.02})
    stage_and_kill(stage, monkeypatch, signal.SIGTERM)
    change(train={"learning_rate": 0.01})
    stage("train")
    assert "going on" not in capsys.readouterr().out
    assert_same_weights(expected)


def test_checkpoint_of_other_data_is_not_gone_on_from(expected, stage, change, monkeypatch, capsys):
    stage_and_kill(stage, monkeypatch, signal.SIGTERM)
    change(data={"split_seed": 1})
    stage("prepare")
    stage("train")
    assert "going on" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"half a checkpoint"])
def test_damaged_checkpoint_is_not_gone_on_from(expected, stage, capsys, content):
    CHECKPOINT_FILE.write_bytes(content)
    stage("train")
    assert "going on" not in capsys.readouterr().out
    assert_same_weights(expected)


def test_short_training_is_not_saved_at_all(expected, stage, monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("saved")

    monkeypatch.setattr(checkpoint, "write_arrays", refuse)
    stage("train")
