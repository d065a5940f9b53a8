"""A project in a folder of its own, whose stages run as commands, as they do for a user."""

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.benchmarks.fresh import ROOT, command_seconds
from pipeline.params import read_settings

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


class Project:
    """A folder with this project's `params.yaml`, in which some settings are changed."""

    def __init__(self, folder: Path, **sections: dict[str, Any]):
        self.folder = folder
        self.write(**sections)

    def write(self, **sections: dict[str, Any]) -> None:
        """Write `params.yaml`, with changes by section."""
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = read_settings(ROOT / "params.yaml").model_dump(mode="json")
        for name, changes in sections.items():
            settings[name] |= changes
        (self.folder / "params.yaml").write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML

    def stage(self, *names: str) -> float:
        """Run stages, such as `pipeline.train`; return their seconds in all, imports included."""
        return sum(command_seconds([sys.executable, "-m", name], self.folder) for name in names)

    def trials(self) -> list["FrozenTrial"]:
        """Return the trials of the one search that was run here, in order."""
        import optuna
        from optuna.storages.journal import JournalFileBackend, JournalStorage

        storage = JournalStorage(JournalFileBackend(str(self.folder / "experiments" / "search.journal")))
        (name,) = optuna.get_all_study_names(storage)
        return optuna.load_study(storage=storage, study_name=name).trials

    def copy(self, folder: Path) -> "Project":
        """Copy the project with all files that its stages have written."""
        shutil.copytree(self.folder, folder)
        other = Project.__new__(Project)
        other.folder = folder
        return other
