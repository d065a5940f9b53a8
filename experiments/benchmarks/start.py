"""Benchmark of waiting times: up to the first epoch, for a `dvc repro` with nothing to do, and for imports.

It runs in clones of the last commit, so uncommitted changes are not measured.
"""

import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from experiments.benchmarks.fresh import ROOT, command_seconds
from experiments.benchmarks.peers import measure
from experiments.benchmarks.project import Project
from experiments.benchmarks.records import Measured, Record

PART, REPETITIONS = "start", 5
FIRST, NOTHING, IMPORTS = "dvc repro to the first epoch", "dvc repro with nothing to do", "import"
CLONE, CHANGED, NO_OP = "a fresh clone", "another learning rate", "all stages done"
LIBRARIES = ("tensorflow", "mlflow", "optuna", "pandas", "sklearn")
# These settings make every stage as short as possible; its results do not matter.
TINY: dict[str, dict[str, Any]] = {
    "train": {"epochs": 1, "seeds": 2, "early_stopping": None},
    "search": {"trials": 2},
    "engine": {"workers": 1},
    "study": {"seeds": 2, "sections": ["remedies"], "remedies": {"model.l2": [1e-4]}}
    | {"half_width": False},
}  # fmt: skip


def stages() -> list[str]:
    """Return the modules that the stages run, in order."""
    commands = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].values()
    return [stage["cmd"].split()[2] for stage in commands]


def clone(folder: Path) -> Project:
    """Clone the last commit, and set up digits with one epoch of training."""
    subprocess.run(["git", "clone", "-q", "--local", str(ROOT), str(folder)], check=True)
    return Project(folder, data={"source": "digits"}, **TINY)


def repro(project: Project, *targets: str) -> float:
    """Run `dvc repro`; return its seconds."""
    return command_seconds([sys.executable, "-m", "dvc", "repro", *targets], project.folder)


@dataclass(frozen=True)
class Clone:
    """The wait for the first epoch in a new clone."""

    folder: Path
    name: str = CLONE
    seeds: int = 2

    def run(self, turn: int) -> Measured:
        """Time the stages up to train."""
        note = "source, prepare, build, and train with one epoch, its files included"
        return Measured([repro(clone(self.folder / f"clone-{turn}"), "train")], note=note)


@dataclass(frozen=True)
class Changed:
    """The wait for the first epoch after a setting has changed."""

    project: Project
    name: str = CHANGED
    seeds: int = 2

    def run(self, turn: int) -> Measured:
        """Change the learning rate, and time the stage train with one epoch."""
        self.project.write(
            data={"source": "digits"}, **TINY | {"train": TINY["train"] | {"learning_rate": 1e-3 + turn * 1e-4}}
        )
        return Measured([repro(self.project, "train")], note="train with one epoch, its files included")


@dataclass(frozen=True)
class NoOp:
    """The wait for a `dvc repro` with nothing to do."""

    project: Project
    name: str = NO_OP
    seeds: int = 2

    def run(self, turn: int) -> Measured:
        """Time `dvc repro`."""
        return Measured([repro(self.project)])


@dataclass(frozen=True)
class Import:
    """The import of a module in a fresh process, the start of Python included."""

    name: str
    seeds: int = 1

    def run(self, turn: int) -> Measured:
        """Time the import."""
        return Measured([command_seconds([sys.executable, "-c", f"import {self.name}"], ROOT)])


def run(quick: bool) -> list[Record]:
    """Measure all waiting times."""
    repetitions = 1 if quick else REPETITIONS
    with tempfile.TemporaryDirectory() as folder:
        project = clone(Path(folder) / "project")
        repro(project)
        nothing = measure(PART, NOTHING, "s", [NoOp(project)], repetitions)
        first = measure(PART, FIRST, "s", [Clone(Path(folder)), Changed(project)], repetitions)
    imports = measure(PART, IMPORTS, "s", [Import(name) for name in ("sys", *stages(), *LIBRARIES)], repetitions)
    # A ratio would mean nothing here, since these do not do the same work.
    return [replace(record, ratio=None) for record in (*first, *nothing, *imports)]
