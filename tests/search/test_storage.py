"""Where a search is kept: kills in the midst of a write, workers that die, storages that cannot be used."""

import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from experiments.search import queue, storage
from pipeline.errors import InputError
from pipeline.settings import Search

SEARCH = Search()


@pytest.fixture
def kept(folder: Path):
    return storage.open_storage("a.journal")


@pytest.fixture
def study(kept) -> optuna.Study:
    """A queue of three trials."""
    study = storage.open_study(kept, "a study", SEARCH, epochs=2)
    study.set_user_attr("trials", 3)
    queue.fill(study, [{}] * 3)
    return study


def states(study: optuna.Study) -> list[str]:
    return [trial.state.name for trial in study.get_trials()]


def test_two_workers_never_take_the_same_trial(study, kept):
    other = storage.open_storage("a.journal")
    theirs = optuna.load_study(storage=other, study_name="a study")
    taken = [queue.take(study, kept, SEARCH, "one"), queue.take(theirs, other, SEARCH, "two")]
    taken.append(queue.take(study, kept, SEARCH, "one"))
    assert [trial.number for trial in taken] == [0, 1, 2]
    assert queue.take(theirs, other, SEARCH, "two") is None


def test_trial_of_a_dead_worker_waits_again_with_its_parameters(study, kept):
    watchman = queue.Watchman(study, kept, "a.journal")
    with queue.sign_of_life("a.journal") as worker:
        trial = queue.take(study, kept, SEARCH, worker)
        rate = trial.suggest_float("rate", 0, 1)
        watchman.look()
        assert states(study) == ["RUNNING", "WAITING", "WAITING"]
    watchman.look()
    assert states(study) == ["WAITING"] * 3
    again = queue.take(study, kept, SEARCH, "another")
    assert (again.number, again.suggest_float("rate", 0, 1)) == (0, rate)


def test_worker_that_died_before_it_gave_its_name_is_noticed_too(study, kept, monkeypatch):
    watchman = queue.Watchman(study, kept, "a.journal")
    kept.set_trial_state_values(study.trials[0]._trial_id, state=TrialState.RUNNING)
    watchman.look()
    assert states(study)[0] == "RUNNING"
    monkeypatch.setattr(queue, "NAMELESS_SECONDS", 0)
    time.sleep(0.01)
    watchman.look()
    assert states(study)[0] == "WAITING"


def test_trial_that_kills_its_workers_has_failed(study, kept):
    watchman = queue.Watchman(study, kept, "a.journal")
    for _ in range(queue.MOST_LOSSES):
        assert queue.take(study, kept, SEARCH, "dead").number == 0
        watchman.look()
    assert states(study) == ["FAIL", "WAITING", "WAITING"]
    assert study.trials[0].user_attrs["error"] == "its worker died 3 times"


def test_trial_that_ended_just_before_its_worker_did_stays_as_it_is(study, kept):
    watchman = queue.Watchman(study, kept, "a.journal")
    trial = queue.take(study, kept, SEARCH, "dead")
    before = study.get_trials(states=(TrialState.RUNNING,))
    study.tell(trial, 1.0)
    watchman._count_loss(before[0])
    queue.put_back(kept, trial._trial_id)
    assert states(study)[0] == "COMPLETE"


def test_worker_on_another_machine_is_missed_when_its_heart_stops(database, folder, monkeypatch):
    monkeypatch.setattr(storage, "GRACE_SECONDS", 1)
    kept = storage.open_storage(database)
    try:
        study = storage.open_study(kept, "a study", SEARCH, epochs=2)
        study.set_user_attr("trials", 1)
        queue.fill(study, [{}])
        watchman = queue.Watchman(study, kept, database)
        trial = queue.take(study, kept, SEARCH, "elsewhere")
        watchman.look()
        assert states(study) == ["RUNNING"]
        monkeypatch.setattr(queue, "HEARTBEAT_SECONDS", 0.2)
        with queue.alive(trial, kept):
            time.sleep(1.5)
            watchman.look()
        assert states(study) == ["RUNNING"]
        time.sleep(1.2)
        watchman.look()
        assert states(study) == ["WAITING"]
        assert queue.take(study, kept, SEARCH, "another").number == 0
        watchman.look()
        assert states(study) == ["RUNNING"]
    finally:
        close(kept)


def close(kept) -> None:
    kept.remove_session()
    kept.engine.dispose()


@pytest.mark.parametrize("where", ["journal", "postgresql"])
def test_one_search_at_a_time_conducts_a_study(folder, request, where):
    url = request.getfixturevalue("database") if where == "postgresql" else "a.journal"
    first, second = storage.open_storage(url), storage.open_storage(url)
    try:
        with queue.conducting(first, url, "s"):
            with (
                pytest.raises(InputError, match="study s is being searched already"),
                queue.conducting(second, url, "s"),
            ):
                pass
            with queue.conducting(second, url, "t"):
                pass
        with queue.conducting(second, url, "s"):
            pass
    finally:
        if where == "postgresql":
            close(first), close(second)


def test_journal_torn_by_a_kill_is_mended(study):
    whole = Path("a.journal").read_bytes()
    Path("a.journal").write_bytes(whole + b'{"op_code":4,"wor')
    assert states(optuna.load_study(storage=storage.open_storage("a.journal"), study_name="a study")) == ["WAITING"] * 3
    assert Path("a.journal").read_bytes() == whole
    Path("a.journal").write_bytes(whole + b'{"op_code":4,"wor')
    queue.fill(study, [{}] * 4)  # by one who had it open already
    assert len(optuna.load_study(storage=storage.open_storage("a.journal"), study_name="a study").trials) == 4


def test_lock_of_a_killed_process_holds_up_nobody(study):
    code = "from experiments.search.storage import _JournalLock; import os; "
    code += "_JournalLock('a.journal.lock').acquire(); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    began = time.monotonic()
    study.set_user_attr("a", 1)
    assert time.monotonic() - began < 5


def test_study_of_another_version_is_refused(study, kept):
    study.set_user_attr("version", 0)
    with pytest.raises(InputError, match="was made by version 0 of this project, this is version 1"):
        storage.open_study(kept, "a study", SEARCH, epochs=2)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("nonsense", "must be null, a path that ends in .journal or a URL"),
        ("oracle9://user:geheim@host/x", "must be null"),
        ("postgresql//user:geheim@host/x", "must be null"),
        ("postgresql://user:geheim@127.0.0.1:1/x", "cannot be used: connection failed"),
        ("postgresql://user:ge/he:im@127.0.0.1:1/x", "cannot be used: "),
        ("postgresql://127.0.0.1:1/x?user=a&password=geheim", "cannot be used: connection failed"),
        ("/dev/null/a.journal", "cannot be opened: File exists"),
        ("folder.journal", "cannot be opened: Is a directory"),
        ("garbage.journal", "is no journal of Optuna"),
        ("other.journal", "is no journal of Optuna"),
    ],
)
def test_storage_that_cannot_be_used_is_one_line_without_the_password(folder, url, told):
    Path("folder.journal").mkdir()
    Path("garbage.journal").write_bytes(b"\x00\xff\n\x01\n")
    Path("other.journal").write_text('{"a": 1}\n')
    began = time.monotonic()
    with pytest.raises(InputError) as raised:
        storage.open_storage(url)
    assert told in str(raised.value)
    assert "geheim" not in str(raised.value) and "ge/he" not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert time.monotonic() - began < 8


def test_unwritable_folder_is_one_line(folder, not_root):
    Path("closed").mkdir(mode=0o500)
    with pytest.raises(InputError, match="cannot be opened: Permission denied"):
        storage.open_storage("closed/a.journal")
