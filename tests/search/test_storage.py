"""Where a search is kept: kills in the midst of a write, and storages that cannot be used."""

import time
from pathlib import Path

import optuna
import psycopg
import pytest
from optuna.storages import journal
from optuna.trial import FrozenTrial, create_trial

from experiments.search import storage
from pipeline.errors import InputError
from pipeline.settings import Search, Settings

SEARCH = Search()


@pytest.fixture
def study(folder: Path) -> optuna.Study:
    """A study of three trials in a journal."""
    study = storage.open_study(storage.open_storage("a.journal"), "a study", SEARCH)
    study.add_trials([ended(value=float(number)) for number in range(3)])
    return study


def values() -> list[float]:
    """Return those of the trials as one who opens the journal now finds them."""
    study = storage.open_study(storage.open_storage("a.journal"), "a study", SEARCH)
    return [trial.value for trial in study.get_trials()]


def ended(value: float) -> FrozenTrial:
    """Return a trial with what a search stores with it."""
    settings = Settings().model_dump(include={"model", "train"})
    facts = {"per_seed": [value], "diverged": 0}
    return create_trial(value=value, user_attrs={"settings": settings, "facts": facts, "seconds": 1.0})


def test_study_that_is_there_is_gone_on_with(study):
    assert values() == [0.0, 1.0, 2.0]
    study.add_trial(ended(value=3.0))
    assert values() == [0.0, 1.0, 2.0, 3.0]


def test_journal_torn_by_a_kill_is_mended(study):
    whole = Path("a.journal").read_bytes()
    for torn in (b'{"op_code":4,"wor', b"{", b'{"op_code":4}'):
        Path("a.journal").write_bytes(whole + torn)
        assert values() == [0.0, 1.0, 2.0]
        mended = Path("a.journal").read_bytes()  # in which they have asked for the study
        assert mended.startswith(whole) and torn not in mended.splitlines()


def test_lock_of_a_killed_search_holds_up_nobody(study):
    journal.JournalFileOpenLock("a.journal").acquire()
    storage.unlock("a.journal")
    began = time.monotonic()
    study.add_trial(ended(value=3.0))
    assert time.monotonic() - began < 5


def test_journal_that_a_kill_left_empty_is_a_new_one(folder):
    Path("a.journal").touch()
    assert values() == []


def test_study_of_another_version_is_refused(study):
    study.set_user_attr("version", 0)
    with pytest.raises(InputError, match="was made by version 0 of this project, this is version 2"):
        values()


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
        ("garbage.journal", "is damaged or no journal of Optuna"),
        ("other.journal", "is damaged or no journal of Optuna"),
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


def test_storage_that_goes_away_is_one_line_without_the_password(database):
    server, _, name = database.rpartition("/")
    lost = rf"search.storage postgresql://tester:\*\*\*@.*/{name} was lost: .*; start again to go on"
    with pytest.raises(InputError, match=lost) as raised, storage.opened(database) as opened:
        study = storage.open_study(opened, "a study", SEARCH)
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        study.add_trial(ended(value=1.0))
    assert "\n" not in str(raised.value)


def test_unwritable_folder_is_one_line(folder, not_root):
    Path("closed").mkdir(mode=0o500)
    with pytest.raises(InputError, match="cannot be opened: Permission denied"):
        storage.open_storage("closed/a.journal")
