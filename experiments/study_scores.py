"""What a trained arm is worth: its scores seed by seed, and its record with intervals and verdicts."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments import study_record as record
from experiments.study_arms import Arm
from experiments.study_data import Rows
from experiments.study_jobs import Result
from pipeline import scores
from pipeline.comparisons import Judged, Verdict, judge, verdicts
from pipeline.overfitting import overfitting
from pipeline.params import flat

SPLITS = ("train", "val", "holdout")
MEASURES = ("gap_at_best", "gap_at_end", "rise", "holdout_rise", "onset_epoch")


@dataclass(frozen=True, eq=False)
class Scored:
    """An arm with its numbers.

    Attributes:
        table: a row per seed, in the order of the seeds: epochs, best_epoch, diverged, `<split>_<metric>` of the model
            that the arm ends with, and the measures of `pipeline.overfitting`.
        chance: the holdout loss of knowing nothing, `[R]`.
        overlap: see `study_data.Rows.overlap`.
        train_rows: that each seed trains on.
    """

    arm: Arm
    result: Result
    table: pd.DataFrame
    loss: str
    chance: np.ndarray
    overlap: float
    train_rows: int

    @property
    def holdout(self) -> np.ndarray:
        """The holdout loss of each seed; one that diverged is worth what knowing nothing is."""
        return self.table[f"holdout_{self.loss}"].fillna(pd.Series(self.chance)).to_numpy()

    @property
    def validation(self) -> float:
        """The mean validation loss, by which arms are chosen; one that diverged counts like knowing nothing."""
        return float(self.table[f"val_{self.loss}"].fillna(pd.Series(self.chance)).mean())

    def interval(self, column: str) -> record.Interval:
        """The mean of a column over the seeds that have it, with its interval."""
        # The test rows are the same for all seeds, and are not split again.
        overlap = 0.0 if column.startswith("test_") else self.overlap
        return record.Interval(**scores.interval(self.table[column].to_numpy(float), overlap))


def score(arm: Arm, result: Result, rows: Rows, seeds: list[int]) -> Scored:
    """Read an arm's numbers off its training."""
    loss = next(iter(scores.METRICS[rows.problem.task]))
    history = result.history
    last = history.groupby("seed")["epoch"].max().reindex(seeds).to_numpy()
    if arm.read_at is not None:
        model_epoch = np.full(len(seeds), arm.read_at)
        history = history[history["epoch"] <= arm.read_at]
    elif arm.train.early_stopping:
        model_epoch = result.best_epoch
    else:
        model_epoch = np.where(result.diverged, 0, last)
    table = pd.DataFrame({"seed": seeds, "model_epoch": model_epoch, "epochs": last, "diverged": result.diverged})
    at_model = history.drop(columns="learning_rate").rename(columns={"epoch": "model_epoch"})
    table = table.merge(at_model, how="left", on=["seed", "model_epoch"])
    table = table.merge(overfitting(history, loss), how="left", on="seed")
    return Scored(
        arm, result, table, loss, rows.chance(len(seeds), arm.rows), rows.overlap, arm.rows or rows.train.shape[1]
    )


def best(scored: Iterable[Scored]) -> Scored:
    """The one with the lowest validation loss; of equals the first."""
    return min(scored, key=lambda each: each.validation)


def chosen(scored: list[Scored]) -> list[Scored]:
    """Of arms that compete with each other the best, and all that compete with none, in their order."""
    options: dict[str, list[Scored]] = {}
    for each in scored:
        options.setdefault(each.arm.options or f"arm {each.arm.name}", []).append(each)
    return [best(competing) for competing in options.values()]


def against(each: Scored, reference: Scored) -> Judged:
    """An arm compared with another, seed by seed, on the holdout rows."""
    return judge(each.holdout, reference.holdout, np.minimum(each.chance, reference.chance), each.overlap)


def judged(scored: list[Scored]) -> dict[str, tuple[Judged, Verdict]]:
    """The comparisons of a section and what is said of them, by the arm's name.

    P-values are adjusted among the comparisons that answer one question. What all remedies together lose without one of
    them is a question of its own.
    """
    by_name = {each.arm.name: each for each in scored}
    questions: dict[bool, dict[str, Judged]] = {False: {}, True: {}}
    for each in chosen(scored):
        if each.arm.reference is not None:
            found = against(each, by_name[each.arm.reference])
            questions[each.arm.group == "leave_one_out"][each.arm.name] = found
    return {
        name: (found, verdict)
        for own in questions.values()
        for (name, found), verdict in zip(own.items(), verdicts(list(own.values())), strict=True)
    }


def records(scored: list[Scored], base: Scored) -> list[record.Arm]:
    """The arms of one section as they stand in `study.json`.

    Args:
        base: the configured model with every regularizer off.
    """
    is_chosen, told = chosen(scored), judged(scored)
    return [_record(each, base, each in is_chosen, told.get(each.arm.name)) for each in scored]


def _record(each: Scored, base: Scored, is_chosen: bool, told: tuple[Judged, Verdict] | None) -> record.Arm:
    arm, table = each.arm, each.table
    comparison = {} if told is None else _comparison(*told)
    return record.Arm(
        section=arm.section,
        name=arm.name,
        factor=arm.factor,
        group=arm.group,
        x=arm.x,
        changes=changes(arm, base.arm),
        settings={"model": arm.model.model_dump(), "train": arm.train.model_dump()},
        chosen=is_chosen,
        weights=sum(value[0].size for value in each.result.weights.values()),
        train_rows=each.train_rows,
        diverged=int(table["diverged"].sum()),
        scores={split: found for split in (*SPLITS, "test") if (found := metrics(each, split))},
        validation=each.validation,
        epochs=each.interval("epochs"),
        best_epoch=each.interval("best_epoch"),
        **{name: each.interval(name) for name in MEASURES},
        reference=arm.reference,
        **comparison,
    )


def _comparison(found: Judged, told: Verdict) -> dict[str, object]:
    return {
        "difference": record.Interval(**found.comparison.difference),
        "p": told.p,
        "p_adjusted": told.p_adjusted,
        "probability_better": record.Interval(**found.comparison.probability_better),
        "verdict": told.verdict,
    }


def metrics(each: Scored, split: str) -> dict[str, record.Interval]:
    """The metrics of one split, by name; none where the split was not scored."""
    names = next(found for found in scores.METRICS.values() if each.loss in found)
    return {name: each.interval(column) for name in names if (column := f"{split}_{name}") in each.table}


def changes(arm: Arm, base: Arm) -> dict[str, object]:
    """The settings of an arm, by dotted name, that differ from those of another."""
    found = {}
    for section in ("model", "train"):
        own, other = flat(getattr(arm, section)), flat(getattr(base, section))
        found |= {f"{section}.{name}": value for name, value in own.items() if other.get(name) != value}
    return found


def seed_rows(scored: Iterable[Scored]) -> pd.DataFrame:
    """A row per arm and seed, as in `study.csv`."""
    tables = []
    for each in scored:
        table = each.table.drop(columns="model_epoch")
        table.insert(0, "section", each.arm.section)
        table.insert(1, "arm", each.arm.name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def curves(scored: Iterable[Scored]) -> pd.DataFrame:
    """Means over the seeds that still train, a row per arm and epoch, as in `study_curves.csv`."""
    tables = []
    for each in scored:
        by_epoch = each.result.history.drop(columns=["seed", "learning_rate"]).groupby("epoch")
        table = by_epoch.mean().reset_index()
        table.insert(0, "section", each.arm.section)
        table.insert(1, "arm", each.arm.name)
        table.insert(3, "seeds", by_epoch.size().to_numpy())
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
