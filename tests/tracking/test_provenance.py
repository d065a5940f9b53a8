"""Which code made a run, read from git."""

from pipeline.tracking.provenance import git_tags


def test_changed_code_is_dirty_and_changed_results_are_not(folder, git):
    (folder / "train.py").write_text("")
    (folder / "dvc.lock").write_text("")
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    (folder / "dvc.lock").write_text("changed")
    assert git_tags.__wrapped__(folder)["mlflow.source.git.dirty"] == "false"
    (folder / "train.py").write_text("changed")
    assert git_tags.__wrapped__(folder)["mlflow.source.git.dirty"] == "true"


def test_no_commit_is_no_tag(folder, git):
    assert git_tags.__wrapped__(folder) == {}
    git("init")
    assert git_tags.__wrapped__(folder) == {}
