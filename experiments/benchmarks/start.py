"""How long one waits: from `dvc repro` to the first epoch, for a `dvc repro` with nothing to do, and for imports.

It runs in clones of the last commit, so what is not committed is not measured.
"""

import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from ruamel.yaml import YAML

from experiments.benchmarks.fresh import ROOT, command_seconds
from experiments.benchmarks.peers import measure
from experiments.benchmarks.project import Project
from experiments.benchmarks.records import Measured, Record

PART, REPETITIONS = "start", 5
FIRST, NOTHING, IMPORTS = "dvc repro to the first epoch", "dvc repro with nothing to do", "import"
CLONE, CHANGED, NO_OP = "a fresh clone", "another learning rate", "all stages done"
LIBRARIES = ("tensorflow", "mlflow", "optuna", "pandas", "sklearn")
# Every stage in as little time as may be; what comes of it is not looked at.
TINY = {
    "train": {"epochs": 1, "seeds": 2, "early_stopping": None},
    "search": {"trials": 2, "workers": 1},
    "study": {"seeds": 2, "workers": 1, "sections": ["remedies"], "remedies": {"model.l2": [1e-4]}}
    | {"half_width": False},
}  # fmt: skip


def stages() -> list[str]:
    """The modules that the stages run, in their order."""
    commands = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].values()
    return [stage["cmd"].split()[2] for stage in commands]


def clone(folder: Path) -> Project:
    """A clone of the last commit, on digits, with an epoch of training."""
    subprocess.run(["git", "clone", "-q", "--local", str(ROOT), str(folder)], check=True)
    return Project(folder, data={"source": "digits"}, **TINY)


def repro(project: Project, *targets: str) -> float:
    """Seconds of `dvc repro`."""
    return command_seconds([sys.executable, "-m", "dvc", "repro", *targets], project.folder)


@dataclass(frozen=True)
class Clone:
    """Everything up to an epoch, in a new clone each time."""

    folder: Path
    name: str = CLONE
    seeds: int = 2

    def run(self, turn: int) -> Measured:
        """Run the stages up to train."""
        note = "source, prepare, build, and train with one epoch, its files included"
        return Measured([repro(clone(self.folder / f"clone-{turn}"), "train")], note=note)


@dataclass(frozen=True)
class Changed:
    """The stage train alone, after a setting has changed."""

    project: Project
    name: str = CHANGED
    seeds: int = 2

    def run(self, turn: int) -> Measured:
        """Change the learning rate and train an epoch."""
        self.project.write(
            data={"source": "digits"}, **TINY | {"train": TINY["train"] | {"learning_rate": 1e-3 + turn * 1e-4}}
        )
        return Measured([repro(self.project, "train")], note="train with one epoch, its files included")


@dataclass(frozen=True)
class NoOp:
    """Nothing to do."""

    project: Project
    name: str = NO_OP
    seeds: int = 2

    def run(self, turn: int) -> Measured:
        """Have DVC look."""
        return Measured([repro(self.project)])


@dataclass(frozen=True)
class Import:
    """A module in a fresh process, the start of Python included."""

    name: str
    seeds: int = 1

    def run(self, turn: int) -> Measured:
        """Import it."""
        return Measured([command_seconds([sys.executable, "-c", f"import {self.name}"], ROOT)])


def run(quick: bool) -> list[Record]:
    """All of it."""
    repetitions = 1 if quick else REPETITIONS
    with tempfile.TemporaryDirectory() as folder:
        project = clone(Path(folder) / "project")
        repro(project)
        nothing = measure(PART, NOTHING, "s", [NoOp(project)], repetitions)
        first = measure(PART, FIRST, "s", [Clone(Path(folder)), Changed(project)], repetitions)
    imports = measure(PART, IMPORTS, "s", [Import(name) for name in ("sys", *stages(), *LIBRARIES)], repetitions)
    # These are no peers of each other.
    return [replace(each, ratio=None) for each in (*first, *nothing, *imports)]
