"""What a trained arm is worth: its scores row by row and seed by seed, and its record with intervals and verdicts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from experiments import records as record
from experiments.study.arms import Arm
from experiments.study.jobs import Result
from experiments.study.rows import Rows
from pipeline.settings import flat
from pipeline.statistics import scores
from pipeline.statistics.comparisons import (
    Finding,
    Influence,
    Verdict,
    choose,
    estimates,
    influence,
    judge,
    probability_better,
)
from pipeline.statistics.intervals import Estimate, Interval, over_seeds
from pipeline.statistics.overfitting import overfitting
from pipeline.statistics.ring import over_judges

EPOCHS = ("epochs", "best_epoch", "onset_epoch")
COLLAPSE = 3.0  # times as far above the middle seed as the best one is below it
ROLES = ("holdout", "val")  # the splits of a training that the two roles of the ring judge


@dataclass(frozen=True, eq=False)
class Scored:
    """An arm with its numbers.

    Attributes:
        table: a row per seed, in the order of the seeds: epochs, best_epoch, onset_epoch, train_rise, diverged,
            `<split>_<metric>` for the splits train and holdout.
        row_scores: of every row, see `study_jobs.Result`; None for an arm that is read at an epoch before its last.
        train: the mean of each row score over the training rows, `[2, R]`, of the model that judges in each role.
        judging: rows that judge, bool `[n]`; the others had a say in the arm's settings.
        picks: which of several competing arms judges each row, int `[rings, n]`, and their names; None for one arm.
    """

    arm: Arm
    result: Result
    rows: Rows
    table: pd.DataFrame
    row_scores: dict[str, np.ndarray] | None
    train: dict[str, np.ndarray]
    judging: np.ndarray
    picks: tuple[np.ndarray, list[str]] | None = None

    @property
    def loss(self) -> str:
        """The name of the loss."""
        return scores.METRICS[self.rows.problem.task][0]

    @property
    def train_rows(self) -> int:
        """The number of rows that each seed trains on."""
        return self.arm.rows or self.rows.train.shape[1]

    def judged_rows(self, name: str) -> np.ndarray:
        """Return the row score behind a metric for every row, `[rings, 2, n]`; NaN where none may judge."""
        return np.where(self.judging, self.row_scores[scores.row_score_of(name)], np.nan)

    @cached_property
    def loss_rows(self) -> np.ndarray:
        """The loss of every row, cross-entropy or squared error, `[rings, 2, n]`; NaN where none may judge."""
        return self.judged_rows(self.loss)

    @property
    def floor_rows(self) -> np.ndarray:
        """The same of knowing nothing."""
        return np.where(self.judging, self.rows.floor[scores.row_score_of(self.loss)], np.nan)

    @property
    def floor_loss(self) -> float:
        """The mean holdout loss of knowing nothing."""
        return float(scores.from_mean(self.loss, np.nanmean(over_judges(self.floor_rows))))

    @property
    def mean_loss(self) -> float:
        """The mean holdout loss, by which arms are chosen."""
        if self.row_scores is None:  # chosen by one half of the rows held out, and shown on the other
            return float(self.table[f"val_{self.loss}"].mean())
        return self.mean(self.loss)

    def mean(self, name: str) -> float:
        """Return the mean of a metric over the rows that judge."""
        return float(scores.from_mean(name, np.nanmean(over_judges(self.judged_rows(name))), self.rows.variance))

    def metric(self, name: str) -> Interval:
        """Return a metric over all rows that judge; nothing is known where none does."""
        if self.row_scores is None:
            return scores.interval_over_seeds(name, self.table[f"holdout_{name}"], self.rows.ring.n)
        return _interval(name, self.judged_rows(name), self.rows)

    def gap(self, name: str) -> Interval:
        """Return how much worse a metric is on the rows that judge than on training rows."""
        if self.row_scores is None:
            return Interval()
        train = self.rows.ring.by_row(self.train[scores.row_score_of(name)])
        values = self.judged_rows(name) - train
        if not np.isfinite(values).any():
            return Interval()
        [estimate] = estimates([values], self.rows.ring)
        train_mean = float(self.table[f"train_{name}"].mean())
        return _turned(name, estimate.interval(), self.mean(name), train_mean, self.rows.variance)

    def worse_than(self, other: "Scored", name: str) -> Interval:
        """Return how much worse a metric is than that of another arm, on the same rows."""
        [estimate] = estimates([self.judged_rows(name) - other.judged_rows(name)], self.rows.ring)
        return _turned(name, estimate.interval(), self.mean(name), other.mean(name), self.rows.variance)


def _interval(name: str, values: np.ndarray, rows: Rows) -> Interval:
    if not np.isfinite(values).any():
        return Interval()
    [estimate] = estimates([values], rows.ring)
    return scores.interval_of(name, estimate, rows.variance)


def on_rows(each: Scored, mask: np.ndarray) -> Interval | None:
    """Return the holdout loss of an arm on some of the rows, bool `[n]`; None where there are none."""
    found = replace(each, judging=mask).metric(each.loss)
    return found if found.mean is not None else None


def _turned(name: str, difference: Interval, one: float, other: float, variance: float) -> Interval:
    """Return a difference of means of row scores as one of the metric itself, turned so that above 0 is worse.

    A difference of RMSE is that of the mean squared errors over the sum of both RMSE.
    """
    if name == "rmse":
        return difference.scaled(1 / (one + other)) if one + other > 0 else difference
    if name == "r2":
        return difference.scaled(1 / variance) if variance > 0 else Interval()
    if name in scores.HIGHER_IS_BETTER:
        low, high = (None if end is None else 0.0 - end for end in (difference.high, difference.low))
        return Interval(0.0 - difference.mean, low, high)
    return difference


def score(arm: Arm, result: Result, rows: Rows, seeds: Sequence[int]) -> Scored:
    """Read an arm's numbers off its training."""
    task = rows.problem.task
    loss, history = scores.METRICS[task][0], result.history
    last = history.groupby("seed")["epoch"].max().reindex(seeds).to_numpy()
    if arm.read_at is not None:
        at = np.broadcast_to(arm.read_at, (2, len(seeds)))
        history = history[history["epoch"] <= arm.read_at]
    elif arm.train.early_stopping:
        at = np.stack([result.best_epoch, result.best_epoch_by_holdout])
    else:
        at = np.stack([last, last])
    table = pd.DataFrame({"seed": list(seeds), "epochs": last, "diverged": result.diverged})
    table = table.merge(overfitting(history, loss), how="left", on="seed")
    is_lost = ~result.sound if arm.read_at is None else _lost_at(history, arm.read_at, seeds, loss)
    train = _train_scores(history, at, arm, is_lost, rows, seeds)
    for name in scores.METRICS[task]:
        row_score = scores.row_score_of(name)
        table[f"train_{name}"] = scores.from_mean(name, train[row_score], rows.variance).mean(axis=0)
        if arm.read_at is None:
            by_seed = rows.ring.by_seed(result.row_scores[row_score])
            table[f"holdout_{name}"] = scores.from_mean(name, by_seed, rows.variance)
        else:
            floor = scores.from_mean(name, np.nanmean(over_judges(rows.floor[row_score])), rows.variance)
            for split in ROLES:
                table[f"{split}_{name}"] = np.where(is_lost[0], floor, _at(history, at[0], seeds, f"{split}_{name}"))
    judging = ~rows.searched if arm.section == "winner" else np.ones(len(rows.y), bool)
    return Scored(arm, result, rows, table, result.row_scores if arm.read_at is None else None, train, judging)


def _at(history: pd.DataFrame, epochs: np.ndarray, seeds: Sequence[int], column: str) -> np.ndarray:
    """Return a column of the history at an epoch of each seed, `[R]`; NaN where it has none."""
    if column not in history:
        return np.full(len(seeds), np.nan)
    wanted = pd.MultiIndex.from_arrays([list(seeds), epochs])
    return history.set_index(["seed", "epoch"])[column].reindex(wanted).to_numpy(float)


def _lost_at(history: pd.DataFrame, epoch: int, seeds: Sequence[int], loss: str) -> np.ndarray:
    """Return which seeds have diverged by an epoch, in either role, bool `[2, R]`."""
    losses = [_at(history, np.full(len(seeds), epoch), seeds, f"{split}_{loss}") for split in ROLES]
    return np.broadcast_to(~np.isfinite(losses).all(axis=0), (2, len(seeds)))


def _train_scores(
    history: pd.DataFrame, at: np.ndarray, arm: Arm, is_lost: np.ndarray, rows: Rows, seeds: Sequence[int]
) -> dict[str, np.ndarray]:
    """Return the mean of each row score over the training rows, `[2, R]`.

    Args:
        is_lost: which seeds score what knowing nothing does, bool `[2, R]`.
    """
    names = {"classification": ("cross_entropy", "accuracy"), "regression": ("rmse",)}[rows.problem.task]
    floor = rows.score(rows.knowing_nothing(arm.rows)[:, None], rows.train[:, : arm.rows])
    train = {}
    for name in names:
        row_score = scores.row_score_of(name)
        values = np.stack([_at(history, epochs, seeds, f"train_{name}") for epochs in at])
        values = np.square(values) if name == "rmse" else values
        train[row_score] = np.where(is_lost, floor[row_score].mean(axis=1), values)
    return train


def best(scored: Iterable[Scored]) -> Scored:
    """Return the one with the lowest holdout loss; of equals the first."""
    return min(scored, key=lambda each: each.mean_loss)


def crossfitted(competing: list[Scored]) -> Scored:
    """Return the best of competing arms with the scores of the choice: for each fold, the best on the other folds.

    So the choice is judged by rows that had no say in it. The best on all rows gives it name and settings.
    """
    if len(competing) == 1:
        return competing[0]
    overall = best(competing)
    if overall.row_scores is None:
        return overall
    ring = overall.rows.ring
    picks = choose(np.stack([each.loss_rows for each in competing]), ring)

    def picked(values: Sequence[np.ndarray]) -> np.ndarray:
        return np.take_along_axis(np.stack(values), picks[None, :, None], axis=0)[0]

    row_scores = {name: picked([each.row_scores[name] for each in competing]) for name in overall.row_scores}
    table = overall.table.copy()
    for name in scores.METRICS[overall.rows.problem.task]:
        by_seed = ring.by_seed(row_scores[scores.row_score_of(name)])
        table[f"holdout_{name}"] = scores.from_mean(name, by_seed, overall.rows.variance)
    return replace(overall, row_scores=row_scores, table=table, picks=(picks, [each.arm.name for each in competing]))


def chosen(scored: list[Scored]) -> list[Scored]:
    """Return of arms that compete with each other the choice, and all that compete with none, in their order."""
    options: dict[str, list[Scored]] = {}
    for each in scored:
        options.setdefault(each.arm.options or f"arm {each.arm.name}", []).append(each)
    return [crossfitted(competing) for competing in options.values()]


@dataclass(frozen=True)
class Judged:
    """An arm compared with its reference; where several arms compete to be the reference, with the chosen one."""

    reference: str
    verdict: Verdict
    probability_better: Interval
    influence: Influence | None


def question(arm: Arm) -> str:
    """Return the question of its section that an arm answers, in which verdicts are adjusted for their number."""
    return "alone and together" if arm.group in ("single", "together") else arm.group


def judged(scored: list[Scored]) -> dict[str, Judged]:
    """Return the comparisons of a section and what is said of them, by the arm's name.

    Args:
        scored: the section's arms, competing ones as `chosen` returns them.
    """
    references = _references(scored)
    questions: dict[str, list[Scored]] = {}
    for each in scored:
        if each.arm.reference is not None and _differences(each, references[each.arm.reference]) is not None:
            questions.setdefault(question(each.arm), []).append(each)
    return {
        each.arm.name: found
        for arms in questions.values()
        for each, found in zip(arms, _judged(arms, references), strict=True)
    }


def _references(scored: list[Scored]) -> dict[str, Scored]:
    """By name, and a choice under the names of all arms that compete for it."""
    names = {each.arm.name: each for each in scored}
    for each in scored:
        names |= {name: each for name in (each.picks[1] if each.picks else []) if name not in names}
    return names


def _differences(each: Scored, reference: Scored) -> np.ndarray | None:
    if each.row_scores is None or reference.row_scores is None:
        return None
    differences = each.loss_rows - reference.loss_rows
    return differences if np.isfinite(differences).any() else None


def _judged(arms: list[Scored], references: dict[str, Scored]) -> list[Judged]:
    ring, pairs = arms[0].rows.ring, [(each, references[each.arm.reference]) for each in arms]
    differences = [_differences(*pair) for pair in pairs]
    found = estimates(differences, ring)
    better = [pair[0] if estimate.mean < 0 else pair[1] for pair, estimate in zip(pairs, found, strict=True)]
    over_nothing = estimates([each.loss_rows - each.floor_rows for each in better], ring)
    results = []
    for (each, reference), values, verdict in zip(pairs, differences, judge(found, over_nothing), strict=True):
        factor = loss_factor(each.loss, each.mean_loss, reference.mean_loss)
        which = influence(values)
        results.append(
            Judged(
                reference.arm.name,
                verdict.scaled(factor),
                probability_better(each.table[f"holdout_{each.loss}"], reference.table[f"holdout_{each.loss}"]),
                replace(which, without=which.without * factor),
            )
        )
    return results


def loss_factor(loss: str, one: float, other: float) -> float:
    """Return what makes a difference of two mean row losses one of the losses themselves: 1 but for RMSE."""
    return 1 / (one + other) if loss == "rmse" and one + other > 0 else 1.0


def over_nothing(each: Scored) -> Estimate:
    """Estimate the holdout loss of an arm less that of knowing nothing, a row."""
    return estimates([each.loss_rows - each.floor_rows], each.rows.ring)[0]


@dataclass(frozen=True, eq=False)
class Compared:
    """The arms of one section with what they are compared to be.

    Attributes:
        arms: in their order; the best of competing arms with the scores of the choice, see `crossfitted`.
        chosen: the names of those that compete with none or are the choice.
        judged: what is said of those that are compared, by name.
    """

    arms: list[Scored]
    chosen: set[str]
    judged: dict[str, Judged]

    @classmethod
    def of(cls, scored: list[Scored]) -> "Compared":
        """Choose and judge, once."""
        choices = chosen(scored)
        by_name = {each.arm.name: each for each in choices}
        return cls([by_name.get(each.arm.name, each) for each in scored], {*by_name}, judged(choices))

    def choices(self, *groups: str) -> list[Scored]:
        """Return the chosen arms of these groups."""
        return [each for each in self.arms if each.arm.name in self.chosen and each.arm.group in groups]

    def finding(self, arm: Scored) -> Finding | None:
        """Return the verdict on an arm; None where it is compared with none."""
        found = self.judged.get(arm.arm.name)
        return found.verdict.finding if found else None


def records(compared: Compared, base: Scored, tested: dict[str, dict[str, Interval]]) -> list[record.Arm]:
    """Return the arms of one section as they stand in `study.json`.

    Args:
        base: the configured model with every regularizer off.
        tested: the scores on the test set of those arms that were scored there, by name.
    """
    return [
        _record(
            each,
            base,
            each.arm.name in compared.chosen,
            tested.get(each.arm.name),
            compared.judged.get(each.arm.name),
        )
        for each in compared.arms
    ]


def _record(
    each: Scored, base: Scored, is_chosen: bool, test: dict[str, Interval] | None, judged: Judged | None
) -> record.Arm:
    arm, table = each.arm, each.table
    return record.Arm(
        section=arm.section,
        name=arm.name,
        factor=arm.factor,
        group=arm.group,
        x=arm.x,
        changes=changes(arm, base.arm),
        settings={"model": arm.model.model_dump(), "train": arm.train.model_dump()},
        chosen=is_chosen,
        picks=_picks(each),
        weights=sum(value[0].size for value in each.result.weights.values()),
        train_rows=each.train_rows,
        diverged=int(table["diverged"].sum()),
        scores=metrics(each) | ({"test": test} if test else {}),
        gap={name: each.gap(name) for name in scores.METRICS[each.rows.problem.task]},
        seeds_range=_collapse(each),
        **{name: _epochs(table[name], arm.train.epochs) for name in EPOCHS},
        **(_comparison(judged, each.rows.numbers) if judged else {"reference": arm.reference}),
    )


def _epochs(values: pd.Series, last: int) -> Interval:
    """Return a mean epoch of the seeds that have one, with an interval of epochs that there are."""
    interval = over_seeds(values.where(values > 0))
    if not interval.is_known:
        return interval
    return Interval(interval.mean, max(1.0, interval.low), min(float(last), interval.high))


def _on_training_rows(each: Scored, name: str) -> Interval:
    """Return a metric on training rows with an interval for other seeds: these very rows, other models."""
    values = each.table[f"train_{name}"].to_numpy(float)
    if not np.isfinite(values).all() or len(values) < 2:
        return over_seeds(values)
    row_score = scores.row_score_of(name)
    by_seed = each.train[row_score].mean(axis=0)
    estimate = Estimate(
        float(by_seed.mean()), 0.0, float(by_seed.var(ddof=1) / len(by_seed)), len(by_seed) - 1.0, each.train_rows
    )
    return scores.interval_of(name, estimate, each.rows.variance)


def _picks(each: Scored) -> dict[str, int] | None:
    if each.picks is None:
        return None
    picks, names = each.picks
    ring = each.rows.ring
    by_fold = [picks[number][fold == k][0] for number, fold in enumerate(ring.fold) for k in range(ring.folds)]
    return {names[place]: int(count) for place, count in enumerate(np.bincount(by_fold)) if count}


def _collapse(each: Scored) -> tuple[float, float] | None:
    """Return the range of the seeds' losses where some seeds collapse.

    The worst then is nearer to knowing nothing than to the middle seed, and much farther from it than the best seed is.
    """
    losses = each.table[f"holdout_{each.loss}"].dropna()
    if not len(losses):
        return None
    middle, floor = losses.median(), replace(each, judging=np.ones_like(each.judging)).floor_loss
    above, below = losses.max() - middle, middle - losses.min()
    if middle >= floor or losses.max() <= (middle + floor) / 2 or above <= COLLAPSE * below:
        return None
    return float(losses.min()), float(losses.max())


def _comparison(judged: Judged, numbers: np.ndarray | None) -> dict[str, object]:
    verdict, which = judged.verdict, judged.influence
    return {
        "reference": judged.reference,
        "difference": verdict.difference,
        "p": verdict.p,
        "p_adjusted": verdict.p_adjusted,
        "detectable": verdict.detectable,
        "times_rows": verdict.times_rows,
        "times_rings": verdict.times_rings,
        "probability_better": judged.probability_better,
        "verdict": verdict.finding,
        "influence": which
        and record.Influence(
            rows=None if numbers is None else (numbers[which.rows] + 1).tolist(),
            differences=which.differences,
            without=which.without,
        ),
    }


def metrics(each: Scored) -> dict[str, dict[str, Interval]]:
    """Return the metrics of the splits train and holdout, by name; none where the split was not scored."""
    names = scores.METRICS[each.rows.problem.task]
    train = {name: _on_training_rows(each, name) for name in names}
    holdout = {name: each.metric(name) for name in names}
    if each.rows.problem.is_classification and each.row_scores is not None:
        holdout["brier"] = each.metric("brier")
    every = {"train": train, "holdout": holdout}
    return {split: found for split, found in every.items() if any(each.mean is not None for each in found.values())}


def changes(arm: Arm, base: Arm) -> dict[str, object]:
    """Return the settings of an arm, by dotted name, that differ from those of another."""
    different = {}
    for section in ("model", "train"):
        own, other = flat(getattr(arm, section)), flat(getattr(base, section))
        different |= {f"{section}.{name}": value for name, value in own.items() if other.get(name) != value}
    return different


def seed_rows(scored: Iterable[Scored], tested: dict[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """Return a row per arm and seed, as in `study.csv`.

    Args:
        tested: by section and name, the columns `test_<metric>` of the arms that were scored on the test set.
    """
    tables = []
    for each in scored:
        table = pd.concat([each.table, tested.get((each.arm.section, each.arm.name))], axis=1)
        table.insert(0, "section", each.arm.section)
        table.insert(1, "arm", each.arm.name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def curves(scored: Iterable[Scored]) -> pd.DataFrame:
    """Return means over the seeds that still train, a row per arm and epoch, as in `study_curves.csv`.

    The columns `holdout_<metric>` are means over all rows that are held out.
    """
    tables = []
    for each in scored:
        history = each.result.history.drop(columns=["seed", "learning_rate"])
        for name in scores.METRICS[each.rows.problem.task]:
            history[f"holdout_{name}"] = history[[f"{split}_{name}" for split in ROLES]].mean(axis=1)
            history = history.drop(columns=f"val_{name}")
        by_epoch = history.groupby("epoch")
        table = by_epoch.mean().reset_index()
        table.insert(0, "section", each.arm.section)
        table.insert(1, "arm", each.arm.name)
        table.insert(3, "seeds", by_epoch.size().to_numpy())
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
