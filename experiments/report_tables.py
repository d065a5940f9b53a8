"""The report's tables as plain data: a caption, columns, groups of rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from experiments.report_numbers import (
    SCORE_DECIMALS,
    SCORE_NAMES,
    UNKNOWN,
    Numbers,
    count,
    ends,
    epoch,
    number,
    p_value,
    score_of,
)  # fmt: skip
from experiments.study_record import Arm, Interval, Study, StudyRun

SHORT_ID = 8
SPLITS = {"train": "training", "val": "validation", "holdout": "holdout", "test": "test"}


@dataclass(frozen=True)
class Cell:
    """Text, what stands smaller beneath it, and for an id what it is short for."""

    text: str = UNKNOWN
    detail: str = ""
    full: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Group:
    """Rows that belong together: a title, and for each row its name and its cells."""

    title: str
    rows: list[tuple[Cell, list[Cell]]]


@dataclass(frozen=True)
class Table:
    """A table; `first` is the heading of its rows' names. One that is `folded` opens on demand."""

    caption: str
    first: str
    columns: list[str]
    groups: list[Group] = field(default_factory=list)
    folded: bool = False


@dataclass(frozen=True)
class Tables:
    """Makes the tables of one study."""

    study: Study
    run: StudyRun
    numbers: Numbers

    def overfitting(self, arm: Arm) -> Table:
        """The baseline's scores by split, and overfitting measured four ways."""
        loss, score = self.numbers.loss, self.numbers.score
        by_split = [
            (Cell(f"{name} rows"), [self._loss(score_of(arm, split, loss)), self._score(score_of(arm, split, score))])
            for split, name in SPLITS.items()
            if score_of(arm, split, loss).mean is not None
        ]
        measures = {
            "gap at the best epoch": (arm.gap_at_best, "validation minus training"),
            "gap at the last epoch": (arm.gap_at_end, "validation minus training"),
            "rise after the minimum, validation rows": (arm.rise, "the last epoch minus the best"),
            "rise after the minimum, holdout rows": (arm.holdout_rise, "these had no say in which epoch is the best"),
        }
        ways = [
            (Cell(name, detail), [self._loss(value, sign=True), Cell("")]) for name, (value, detail) in measures.items()
        ]
        at = "its best epoch" if (arm.settings.get("train") or {}).get("early_stopping") else "the last epoch"
        columns = [self.numbers.loss_name, self.numbers.score_name]
        groups = [Group(f"Scores at {at}", by_split), Group("Overfitting, four measures", ways)]
        epochs = [
            (Cell("best epoch"), [self._epoch(arm.best_epoch), Cell("")]),
            (Cell("onset of overfitting"), [self._epoch(arm.onset_epoch), Cell("")]),
            (Cell("MLflow run"), [self._run_id(arm), Cell("")]),
        ]
        return Table("The baseline: every regularizer off", "", columns, [*groups, Group("Epochs and record", epochs)])

    def compared(self, caption: str, arms: dict[str, list[Arm]], folded: bool = False, extra: str = "") -> Table:
        """Arms with all that is known of them; columns without a value in any row are left out."""
        loss, score = self.numbers.loss, self.numbers.score
        columns: dict[str, Callable[[Arm], Cell]] = {
            f"holdout {self.numbers.loss_name}": lambda arm: self._loss(score_of(arm, "holdout", loss)),
            f"holdout {self.numbers.score_name}": lambda arm: self._score(score_of(arm, "holdout", score)),
            f"training {self.numbers.loss_name}": lambda arm: self._loss(score_of(arm, "train", loss)),
            f"training {self.numbers.score_name}": lambda arm: self._score(score_of(arm, "train", score)),
            f"validation {self.numbers.score_name}": lambda arm: self._score(score_of(arm, "val", score)),
            "promised by the search": lambda arm: Cell(self.numbers.loss_text(self._promised(arm))),
            f"test {self.numbers.loss_name}": lambda arm: self._loss(score_of(arm, "test", loss)),
            f"test {self.numbers.score_name}": lambda arm: self._score(score_of(arm, "test", score)),
            "weights": lambda arm: Cell(f"{arm.weights:,}"),
            "gap at best": lambda arm: self._loss(arm.gap_at_best, sign=True),
            "gap at end": lambda arm: self._loss(arm.gap_at_end, sign=True),
            "onset epoch": lambda arm: Cell(epoch(arm.onset_epoch.mean)),
            "difference": lambda arm: self._loss(arm.difference, sign=True),
            "P(better)": lambda arm: self._share(arm.probability_better),
            "adjusted p": lambda arm: Cell(p_value(arm.p_adjusted)),
            "verdict": _verdict,
            "MLflow run": self._run_id,
        }
        shown = [name for name in columns if name not in EXTRA | self._tests() or name in extra.split("; ")]
        every = [arm for group in arms.values() for arm in group]
        shown = [name for name in shown if any(columns[name](arm).text != UNKNOWN for arm in every)]
        groups = [
            Group(title, [(self._name(arm), [columns[name](arm) for name in shown]) for arm in own])
            for title, own in arms.items()
            if own
        ]
        return Table(caption, "arm", shown, groups, folded)

    def batches(self, groups: dict[str, list[Arm]]) -> Table:
        """Gradient descent, mini-batches and single examples after equal epochs, updates and seconds."""
        loss, score = self.numbers.loss, self.numbers.score
        columns = ["learning rate", "epochs", f"holdout {self.numbers.loss_name}", f"holdout {self.numbers.score_name}"]
        made = []
        for title, arms in groups.items():
            rows = []
            for arm in arms:
                rate = (arm.settings.get("train") or {}).get("learning_rate")
                cells = [Cell(UNKNOWN if rate is None else f"{rate:g}"), Cell(epoch(arm.epochs.mean))]
                cells += [self._loss(score_of(arm, "holdout", loss)), self._score(score_of(arm, "holdout", score))]
                rows.append((Cell(method(arm)), [*cells, self._run_id(arm)]))
            made.append(Group(title, rows))
        if self.run.equal_time:
            equal = self.run.equal_time
            rows = [
                (Cell(name), [Cell(), Cell(epoch(equal.epochs.get(name))), self._loss(found), Cell(), Cell()])
                for name, found in equal.losses.items()
            ]
            made.append(Group(f"Equal time: {equal.seconds:.2g} s of training each", rows))
        caption = "Gradient descent, mini-batches and single examples, each at the best of a few rates"
        return Table(caption, "method", [*columns, "MLflow run"], [group for group in made if group.rows])

    def _tests(self) -> set[str]:
        return {f"test {self.numbers.loss_name}", f"test {self.numbers.score_name}"}

    def _promised(self, arm: Arm) -> float | None:
        if self.study.optimism and arm.group == "winner":
            return self.study.optimism.promised
        path = {each.trial: each.promised for each in self.study.overtuning or []}
        return path.get(int(arm.x)) if arm.group == "incumbent" and arm.x is not None else None

    def _name(self, arm: Arm) -> Cell:
        seeds = len(self.study.about.seeds)
        return Cell(arm.name, f"{arm.diverged} of {count(seeds, 'seed')} diverged" if arm.diverged else "")

    def _loss(self, interval: Interval | None, sign: bool = False) -> Cell:
        if interval is None or interval.mean is None:
            return Cell()
        decimals = self.numbers.loss_decimals
        return Cell(number(interval.mean, decimals, sign), ends(interval, decimals))

    def _score(self, interval: Interval) -> Cell:
        return Cell(number(interval.mean, SCORE_DECIMALS), ends(interval, SCORE_DECIMALS))

    def _share(self, interval: Interval | None) -> Cell:
        return Cell() if interval is None else Cell(number(interval.mean, 2), ends(interval, 2))

    def _epoch(self, interval: Interval) -> Cell:
        return Cell(epoch(interval.mean), ends(interval, 0))

    def _run_id(self, arm: Arm) -> Cell:
        run_id = self.run.runs.get(f"{arm.section}/{arm.name}")
        return Cell(run_id[:SHORT_ID], full=run_id, kind="id") if run_id else Cell()


# Columns that only some tables have.
EXTRA = {"weights", "promised by the search", f"training {SCORE_NAMES['accuracy']}", f"training {SCORE_NAMES['r2']}"}
EXTRA |= {f"validation {name}" for name in SCORE_NAMES.values()} | {"training cross-entropy", "training RMSE"}


def by_group(arms: Iterable[Arm], titles: dict[str, str]) -> dict[str, list[Arm]]:
    """Arms under the titles of their groups, with what they are compared with where that is one arm for all."""
    found = {}
    for group, title in titles.items():
        own = [arm for arm in arms if arm.group == group]
        references = {arm.reference for arm in own} - {None}
        found[f"{title}, against {references.pop()}" if len(references) == 1 else title] = own
    return found


def method(arm: Arm) -> str:
    """Gradient descent, mini-batches or single examples."""
    return arm.factor if arm.factor != "optimizer" else arm.name.partition(",")[0]


def _verdict(arm: Arm) -> Cell:
    if arm.verdict is None:
        return Cell()
    return Cell(arm.verdict, kind=arm.verdict.partition(" ")[0])
