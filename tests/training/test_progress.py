"""How far a training is, on a terminal and in a log."""

import time
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from pipeline.training.progress import ProgressLine, describe
from pipeline.training.trainer import Epoch


def event(number: int, of: int = 20, **scores: list[float]) -> Epoch:
    scores = scores or {"train_accuracy": [0.9, 1.0], "validation_accuracy": [0.5, 0.75], "learning_rate": [0.1, 0.1]}
    scores = {name: np.array(values) for name, values in scores.items()}
    return Epoch(
        number=number, of=of, scores=scores, lowest_loss=np.array([0.1, 0.2]), active=np.array([True, True]), state=dict
    )


def test_mean_of_the_validation_scores_is_shown():
    assert describe(event(1)) == "validation_accuracy 0.6250"


def test_training_scores_stand_in_where_there_are_no_others():
    assert describe(event(1, train_rmse=[50.0, 52.0], learning_rate=[0.1, 0.1])) == "train_rmse 51.00"


def test_seeds_that_have_stopped_are_left_out():
    assert describe(event(1, validation_rmse=[50.0, np.nan])) == "validation_rmse 50.00"
    assert describe(event(1, validation_rmse=[np.nan, np.nan])) == ""


def test_terminal_has_a_bar_that_is_gone_at_the_end():
    console = Console(force_terminal=True, file=StringIO(), width=100)
    with ProgressLine(20, console) as line:
        line(event(7))
        line.bar.refresh()
        shown = console.file.getvalue()
    assert "7/20" in shown
    assert "validation_accuracy 0.6250" in shown
    # What remains is the movements of the cursor that take the bar away again.
    assert console.file.getvalue().endswith("\x1b[2K")


def test_log_has_a_line_now_and_then_with_the_time_left(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with ProgressLine(20, Console(file=StringIO())) as line:
        for number in range(1, 13):
            now[0] += 2.0
            line(event(number))
    assert capsys.readouterr().out == "epoch 8 of 20: validation_accuracy 0.6250, 24 s left\n"


def test_resumed_training_reckons_the_time_left_by_its_own_epochs(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with ProgressLine(20, Console(file=StringIO())) as line:
        for number in (11, 12):
            now[0] += 10.0
            line(event(number))
    assert capsys.readouterr().out == "epoch 12 of 20: validation_accuracy 0.6250, 80 s left\n"


def test_short_training_writes_nothing_to_a_log(capsys):
    with ProgressLine(20, Console(file=StringIO())) as line:
        line(event(1))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("terminal", [True, False])
def test_error_on_the_way_goes_through(terminal):
    with pytest.raises(KeyError), ProgressLine(20, Console(force_terminal=terminal, file=StringIO())):
        raise KeyError
