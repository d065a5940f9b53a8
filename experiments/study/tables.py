"""The tables of a study: `study.csv`, a row per arm and seed, and `study_curves.csv`, a row per arm and epoch."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from experiments import records as record
from experiments.study.scored import ROLES, Scored
from pipeline.errors import InputError
from pipeline.files import read_table, written_whole
from pipeline.paths import RESULTS
from pipeline.statistics import scores
from pipeline.training.history import DIGITS, rounded

ARM = ("section", "arm")  # the columns that tell the arms apart


@dataclass(frozen=True, eq=False)
class Tables:
    """The two tables of a study, with their numbers as the files have them: with seven digits.

    Attributes:
        seeds: a row per arm and seed.
        curves: a row per arm and epoch.
    """

    seeds: pd.DataFrame
    curves: pd.DataFrame

    def __post_init__(self) -> None:
        for name in ("seeds", "curves"):
            object.__setattr__(self, name, rounded(getattr(self, name)))

    def write(self, folder: Path = RESULTS) -> None:
        """Write both files."""
        for path, table in {record.STUDY_SEEDS_FILE: self.seeds, record.STUDY_CURVES_FILE: self.curves}.items():
            with written_whole(folder / path.name) as beside:
                table.to_csv(beside, index=False, float_format=DIGITS)

    @classmethod
    def read(cls) -> "Tables":
        """Read both files of a study that is finished.

        Raises:
            InputError: one of them is missing, or not what the stage study writes.
        """
        seeds = read_table("study", record.STUDY_SEEDS_FILE, ["seed"], ARM)
        return cls(seeds, read_table("study", record.STUDY_CURVES_FILE, ["epoch", "seeds"], ARM))

    def check_arms(self, study: record.Study) -> None:
        """Check that the tables are about the arms and epochs of a study.

        Raises:
            InputError: an arm has no row, or a row no arm; an arm has an epoch twice, or one that it cannot have.
        """
        arms = {(arm.section, arm.name) for arm in study.arms} | {("peers", peer.name) for peer in study.peers or []}
        if {*zip(self.seeds["section"], self.seeds["arm"], strict=True)} != arms:
            raise InputError(
                f"{record.STUDY_SEEDS_FILE} has other arms than {record.STUDY_FILE}; delete both and run `dvc repro`"
            )
        epochs = self.curves["epoch"]
        is_twice = self.curves.duplicated([*ARM, "epoch"]).any()
        if is_twice or not epochs.isin(range(1, study.about.epochs + 1)).all():
            raise InputError(
                f"{record.STUDY_CURVES_FILE} has other epochs than {record.STUDY_FILE}; delete both and run `dvc repro`"
            )


def seed_rows(arms: Iterable[Scored], tested: dict[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """Return a row per arm and seed, as in `study.csv`.

    Args:
        tested: by section and name, the columns `test_<metric>` of the arms that were scored on the test set.
    """
    tables = []
    for arm in arms:
        table = pd.concat([arm.table, tested.get((arm.section, arm.name))], axis=1)
        table.insert(0, "section", arm.section)
        table.insert(1, "arm", arm.name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def curves(arms: Iterable[Scored]) -> pd.DataFrame:
    """Return means over the seeds that still train, a row per arm and epoch, as in `study_curves.csv`.

    The columns `holdout_<metric>` are means over all rows that are held out.
    """
    tables = []
    for arm in arms:
        history = arm.result.fitted.history.drop(columns=["seed", "learning_rate"])
        for name in scores.METRICS[arm.rows.problem.task]:
            history[f"holdout_{name}"] = history[[f"{split}_{name}" for split in ROLES]].mean(axis=1)
            history = history.drop(columns=f"validation_{name}")
        by_epoch = history.groupby("epoch")
        table = by_epoch.mean().reset_index()
        table.insert(0, "section", arm.section)
        table.insert(1, "arm", arm.name)
        table.insert(3, "seeds", by_epoch.size().to_numpy())
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
