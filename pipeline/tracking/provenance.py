"""MLflow's tags for the code of a run and the user who started it."""

import functools
import getpass
import re
import subprocess
import sys
from pathlib import Path

# Stages write these files, which are in git, so changes to them do not mean that the code has changed.
WRITTEN_BY_STAGES = ("dvc.lock", "experiments/results")


def source_tags() -> dict[str, str]:
    """Return the tags for the user and the script."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown"
    script = Path(sys.argv[0])
    name = script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script
    return {"mlflow.user": user, "mlflow.source.name": name.as_posix(), "mlflow.source.type": "LOCAL"}


@functools.cache
def git_tags(folder: Path) -> dict[str, str]:
    """Return the tags for the commit, and whether files in `folder` differ from it; none if there is no commit."""
    exclusions = [f":(exclude){path}" for path in WRITTEN_BY_STAGES]
    command = ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch", "--untracked-files=no", "--", "."]
    try:
        status = subprocess.run(
            [*command, *exclusions], cwd=folder, capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    commit = re.search(r"^# branch\.oid ([0-9a-f]+)$", status, re.MULTILINE)
    if commit is None:  # no commit yet
        return {}
    dirty = any(not line.startswith("#") for line in status.splitlines())
    return {"mlflow.source.git.commit": commit[1], "mlflow.source.git.dirty": str(dirty).lower()}
