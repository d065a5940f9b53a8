"""The report's tables as plain data: a caption, columns, groups of rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from experiments.report_arms import changes_of, method, score_of, short_name, short_reference
from experiments.report_numbers import SCORE_DECIMALS, UNKNOWN, Numbers, count, ends, epoch, number, p_value
from experiments.study_record import Arm, Interval, Study, StudyRun

SHORT_ID = 8
SPLITS = {"train": "training", "val": "validation", "holdout": "holdout", "test": "test"}

JUDGED = ["difference", "P(better)", "adjusted p", "verdict", "MLflow run"]
STANDARD = ["holdout loss", "holdout score", "gap at best", "gap at end", "onset epoch", *JUDGED]
LABELS = ["train score", "val score", "holdout score", "train loss", "holdout loss", "onset epoch", "MLflow run"]
WINNER = ["promised", "holdout loss", "test loss", "test score", *JUDGED]


@dataclass(frozen=True)
class Cell:
    """Text, what stands smaller beneath it, and for an id what it is short for; `kind` is a class of the page's CSS."""

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
        """The baseline's scores by split, and its overfitting measured four ways."""
        loss, score = self.numbers.loss, self.numbers.score
        by_split = [
            (Cell(f"{name} rows"), [self._loss(score_of(arm, split, loss)), self._score(score_of(arm, split, score))])
            for split, name in SPLITS.items()
            if score_of(arm, split, loss).mean is not None
        ]
        measures = [
            ("gap at the best epoch", "validation minus training", arm.gap_at_best),
            ("gap at the last epoch", "validation minus training", arm.gap_at_end),
            ("rise on validation rows", "last epoch minus best", arm.rise),
            ("rise on holdout rows", "last epoch minus best", arm.holdout_rise),
        ]
        ways = [(Cell(name, detail), [self._loss(value, True), Cell("")]) for name, detail, value in measures]
        epochs = [
            (Cell("best epoch"), [self._epoch(arm.best_epoch), Cell("")]),
            (Cell("onset of overfitting"), [self._epoch(arm.onset_epoch), Cell("")]),
        ]
        record = [(Cell("MLflow run"), [self._run_id(arm), Cell("")])]
        groups = [
            Group("Scores at the last epoch", by_split),
            Group("Overfitting, measured four ways", ways),
            Group("Epochs", epochs),
            Group("Record", record),
        ]
        columns = [self.numbers.loss_label, self.numbers.score_name]
        return Table("The baseline: every regularizer off", "", columns, groups)

    def compared(self, caption: str, arms: dict[str, list[Arm]], columns: list[str], folded: bool = False) -> Table:
        """Arms by group with what is known of them; columns without a value in any row are left out."""
        every = [arm for group in arms.values() for arm in group]
        made = {name: (heading, cell) for name, (heading, cell) in self._columns().items() if name in columns}
        shown = [made[name] for name in columns if any(made[name][1](arm).text != UNKNOWN for arm in every)]
        groups = [
            Group(title, [(self._name(arm), [cell(arm) for _, cell in shown]) for arm in own])
            for title, own in arms.items()
            if own
        ]
        return Table(caption, "arm", [heading for heading, _ in shown], groups, folded)

    def _columns(self) -> dict[str, tuple[str, Callable[[Arm], Cell]]]:
        loss, score = self.numbers.loss, self.numbers.score
        columns = {}
        for split, name in SPLITS.items():
            columns[f"{split} loss"] = (
                f"{name} {self.numbers.loss_name}",
                lambda arm, split=split: self._loss(score_of(arm, split, loss)),
            )
            columns[f"{split} score"] = (
                f"{name} {self.numbers.score_name}",
                lambda arm, split=split: self._score(score_of(arm, split, score)),
            )
        plain: dict[str, Callable[[Arm], Cell]] = {
            "gap at best": lambda arm: self._loss(arm.gap_at_best, sign=True),
            "gap at end": lambda arm: self._loss(arm.gap_at_end, sign=True),
            "onset epoch": lambda arm: Cell(epoch(arm.onset_epoch.mean)),
            "difference": lambda arm: self._loss(arm.difference, sign=True),
            "P(better)": lambda arm: self._share(arm.probability_better),
            "adjusted p": lambda arm: Cell(p_value(arm.p_adjusted)),
            "verdict": _verdict,
            "MLflow run": self._run_id,
        }
        promised = {"promised": ("promised by the search", lambda arm: Cell(self._promised(arm)))}
        return columns | promised | {name: (name, cell) for name, cell in plain.items()}

    def batches(self, groups: dict[str, list[Arm]]) -> Table:
        """Gradient descent, mini-batches and single examples after equal epochs, updates and seconds."""
        loss, score = self.numbers.loss, self.numbers.score
        made = []
        for title, arms in groups.items():
            rows = []
            for arm in arms:
                rate = (arm.settings.get("train") or {}).get("learning_rate")
                cells = [Cell(UNKNOWN if rate is None else f"{rate:g}"), self._loss(score_of(arm, "holdout", loss))]
                cells += [self._score(score_of(arm, "holdout", score)), self._run_id(arm)]
                rows.append((Cell(method(arm), self._diverged(arm)), cells))
            made.append(Group(title, rows))
        if self.run.equal_time:
            made.append(self._equal_time())
        columns = ["rate", f"holdout {self.numbers.loss_name}", f"holdout {self.numbers.score_name}", "MLflow run"]
        return Table("Gradient descent, mini-batches, single examples", "method", columns, [g for g in made if g.rows])

    def _equal_time(self) -> Group:
        equal = self.run.equal_time
        rows = []
        for name, found in equal.losses.items():
            epochs = f"{equal.epochs[name]:.0f} epochs" if name in equal.epochs else ""
            rows.append((Cell(name, epochs), [Cell(), self._loss(found), Cell(), Cell()]))
        return Group(f"Equal time, {equal.seconds:.2g} s of training each", rows)

    def changes(self, caption: str, arms: list[Arm]) -> Table:
        """The settings of arms that have many."""
        rows = [(Cell(arm.name), [Cell(changes_of(arm), kind="settings")]) for arm in arms]
        return Table(caption, "arm", ["settings that are not the baseline's"], [Group("", rows)], folded=True)

    def _promised(self, arm: Arm) -> str:
        path = {each.trial: each.promised for each in self.study.overtuning or []}
        promised = path.get(int(arm.x)) if arm.group == "incumbent" and arm.x is not None else None
        if arm.group == "winner" and self.study.optimism:
            promised = self.study.optimism.promised
        return self.numbers.loss_text(promised)

    def _name(self, arm: Arm) -> Cell:
        size = f"{arm.weights:,} weights" if arm.section == "capacity" else ""
        return Cell(short_name(arm), "; ".join(filter(None, [size, self._diverged(arm)])))

    def _diverged(self, arm: Arm) -> str:
        return f"{arm.diverged} of {count(len(self.study.about.seeds), 'seed')} diverged" if arm.diverged else ""

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


def by_group(arms: Iterable[Arm], titles: dict[str, str]) -> dict[str, list[Arm]]:
    """Arms under the titles of their groups, with what they are compared with where that is one arm for all."""
    found = {}
    for group, title in titles.items():
        own = [arm for arm in arms if arm.group == group]
        references = {short_reference(arm) for arm in own if arm.reference is not None}
        against = "".join(references) if len(references) == 1 else ""
        against = "the baseline" if against == "baseline" else against
        found[f"{title}, against {against}" if against else title] = own
    return found


def _verdict(arm: Arm) -> Cell:
    return Cell(arm.verdict or UNKNOWN, kind=f"verdict {(arm.verdict or 'none').partition(' ')[0]}")
