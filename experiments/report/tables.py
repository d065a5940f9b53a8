"""The report's tables as plain data: a caption, columns, groups of rows."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from experiments.records import Arm, EqualTime, Influence, Study, StudyRun
from experiments.report.arms import (
    changes_of,
    difference_of,
    full_name,
    kind_of,
    method,
    remedy_name,
    score_of,
    share_of_reference,
    short_name,
    short_reference,
)
from experiments.report.language import N_, _
from experiments.report.numbers import UNKNOWN, Numbers, clauses, decimals_of, ends, epoch, number, p_value, seeds
from experiments.report.recorded import shown
from pipeline.choices import NewRows
from pipeline.statistics.intervals import Interval

SHORT_ID = 8
ROWS = {"train": N_("training rows"), "holdout": N_("holdout rows"), "test": N_("test rows")}
SCORES_ON = {"train": N_("training {score}"), "holdout": N_("holdout {score}"), "test": N_("test {score}")}
BRIER_DECIMALS = 4
MOST_PICKS = 2

# Columns by their keys; those without a metric have their keys as headings.
JUDGED = ["difference", "detectable", "P(better)", "adjusted p", "verdict", "MLflow run"]
STANDARD = ["holdout loss", "holdout score", "gap", "onset epoch", *JUDGED]
RANKED = ["kind", "difference", "in %", "detectable", "P(better)", "adjusted p", "verdict", "MLflow run"]
SCORES = ["holdout loss", "holdout score", "Brier score", "gap", "score gap", "onset epoch", "MLflow run"]
LABELS = ["train score", "holdout score", "train loss", "holdout loss", "onset epoch", "MLflow run"]
WINNER = ["promised", "holdout loss", "test loss", "test score", *JUDGED]
FLOORS = [
    "holdout loss",
    "holdout score",
    "test loss",
    "test score",
]  # columns in which knowing nothing has values
WORDS = ["kind", "verdict"]  # columns that hold words


@dataclass(frozen=True)
class Cell:
    """A cell's text, the smaller text beneath it and, for a shortened id, the full one; `kind` is a CSS class."""

    text: str = UNKNOWN
    detail: str = ""
    full: str = ""
    kind: str = ""


Row = tuple[Cell, list[Cell]]
Naming = Callable[[Arm], str]


@dataclass(frozen=True)
class Group:
    """Rows that belong together: a title, and for each row its name and its cells."""

    title: str
    rows: list[Row]


@dataclass(frozen=True)
class Table:
    """A table; `first` is the heading of its rows' names. One that is `folded` opens on demand.

    `words` are the columns that hold words, which begin at the left.
    """

    caption: str
    first: str
    columns: list[str]
    groups: list[Group] = field(default_factory=list)
    folded: bool = False
    words: Sequence[str] = ()


@dataclass(frozen=True)
class Tables:
    """The tables of one study."""

    study: Study
    run: StudyRun
    numbers: Numbers

    def overfitting(self, arm: Arm, at_best: Arm | None) -> Table:
        """Return the baseline's scores by split and at its best epoch, those of knowing nothing, gap and rise."""
        overfits, has_brier = self.study.overfits, "brier" in arm.scores.get("holdout", {})
        rows = [self._scores(_(name), arm, split) for split, name in ROWS.items()]
        if at_best is not None:
            rows.insert(2, self._scores(_("holdout rows, at the best epoch"), at_best, "holdout"))
        rows += [self._nothing(_("knowing nothing, holdout rows"), "holdout")]
        if self.study.about.rows.get("test"):
            rows.append(self._nothing(_("knowing nothing, test rows"), "test"))
        loss, score = self.numbers.loss, self.numbers.score
        gap = [self.loss(overfits.gap.get(loss), True), self.score_difference(overfits.gap.get(score)), Cell("")]
        rise = [self.loss(overfits.rise, True), self.score_difference(overfits.score_rise), Cell("")]
        measures = [
            (Cell(_("gap"), _("holdout rows against training rows")), gap),
            (Cell(_("rise"), _("last epoch against the best, holdout rows")), rise),
        ]
        epochs = [
            (Cell(_("best epoch"), _("mean over the seeds")), [Cell(epoch(arm.best_epoch.mean)), Cell(""), Cell("")]),
        ]
        if overfits.rises:
            onset = [self._onset(), Cell(""), Cell("")]
            epochs.append((Cell(_("onset of the rise"), _("median and range of the seeds")), onset))
        record = [(Cell(_("MLflow run")), [self._run_id(arm), Cell(""), Cell("")])]
        groups = [
            Group(_("Scores"), [row for row in rows if row[1][0].text != UNKNOWN]),
            Group(_("How much worse: above 0 is worse"), measures),
            Group(_("Epochs"), epochs),
            Group(_("Record"), record),
        ]
        columns = [self.numbers.loss_label, self.numbers.score_label, _("Brier score")][: 3 if has_brier else 2]
        cut = [Group(group.title, [(name, cells[: len(columns)]) for name, cells in group.rows]) for group in groups]
        return Table(_("The baseline: every regularizer off"), "", columns, cut)

    def _scores(self, name: str, arm: Arm, split: str) -> Row:
        cells = [self._loss_on(split, arm), self._score_on(split, arm), brier(score_of(arm, split, "brier"))]
        return Cell(name), cells

    def _nothing(self, name: str, split: NewRows) -> Row:
        return Cell(name), [*self.floors(split), Cell("")]

    def floors(self, split: NewRows) -> list[Cell]:
        """Return the loss and the score of knowing nothing."""
        floor, numbers = self.study.about.knowing_nothing.get(split, {}), self.numbers
        return [Cell(numbers.loss_text(floor.get(numbers.loss))), Cell(numbers.score_text(floor.get(numbers.score)))]

    def _onset(self) -> Cell:
        onsets = self.study.overfits.onset_range
        between = ""
        if onsets:
            between = _("{first} to {last}").format(first=epoch(onsets[0]), last=epoch(onsets[1]))
        return Cell(epoch(self.study.overfits.onset_epoch), between)

    def compared(
        self,
        caption: str,
        arms: dict[str, list[Arm]],
        columns: list[str],
        folded: bool = False,
        name: Naming = short_name,
    ) -> Table:
        """Return a table of arms by group, with the scores of knowing nothing beneath them.

        Columns without a value in any row are left out. `name` returns the name of an arm.
        """
        all_arms = [arm for group in arms.values() for arm in group]
        known = self._columns()
        columns_shown = [column for column in columns if any(known[column][1](arm).text != UNKNOWN for arm in all_arms)]
        groups = [
            Group(
                title,
                [(self._name(arm, name(arm)), [known[column][1](arm) for column in columns_shown]) for arm in members],
            )
            for title, members in arms.items()
            if members
        ]
        by_column = dict(zip(FLOORS, [*self.floors("holdout"), *self.floors("test")], strict=True))
        floors = [by_column.get(column, Cell("")) for column in columns_shown]
        if any(cell.text not in ("", UNKNOWN) for cell in floors):
            groups.append(Group("", [(Cell(_("knowing nothing")), floors)]))
        headings = [known[column][0] for column in columns_shown]
        words = [known[column][0] for column in WORDS]
        return Table(caption, _("arm"), headings, groups, folded, words)

    def _columns(self) -> dict[str, tuple[str, Callable[[Arm], Cell]]]:
        """Return each column's heading, and the function that makes its cell of an arm."""
        loss, score = self.numbers.loss, self.numbers.score
        columns: dict[str, tuple[str, Callable[[Arm], Cell]]] = {}
        for split, heading in SCORES_ON.items():
            on_split = _(heading)
            columns[f"{split} loss"] = (on_split.format(score=self.numbers.loss_name), partial(self._loss_on, split))
            columns[f"{split} score"] = (
                on_split.format(score=self.numbers.score_label),
                partial(self._score_on, split),
            )
        columns["promised"] = (_("promised by the search"), lambda arm: Cell(self._promised(arm)))
        columns["Brier score"] = (_("Brier score"), lambda arm: brier(score_of(arm, "holdout", "brier")))
        columns["score gap"] = (
            _("gap, {score}").format(score=self.numbers.score_label),
            lambda arm: self.score_difference(arm.gap.get(score)),
        )
        columns["gap"] = (
            _("gap, {score}").format(score=self.numbers.loss_name),
            lambda arm: self.loss(arm.gap.get(loss), sign=True),
        )
        plain: dict[str, Callable[[Arm], Cell]] = {
            N_("kind"): lambda arm: Cell(_(kind_of(arm)), kind="kind"),
            N_("onset epoch"): lambda arm: Cell(epoch(arm.onset_epoch.mean)),
            N_("difference"): lambda arm: self.loss(arm.difference, sign=True),
            N_("in %"): lambda arm: _percent(share_of_reference(arm, self.study)),
            N_("detectable"): lambda arm: Cell(self.numbers.loss_text(arm.detectable)),
            N_("P(better)"): lambda arm: _share(arm.probability_better),
            N_("adjusted p"): lambda arm: Cell(p_value(arm.p_adjusted)),
            N_("verdict"): self._verdict,
            N_("MLflow run"): self._run_id,
        }
        return columns | {name: (_(name), cell) for name, cell in plain.items()}

    def batches(self, groups: dict[str, list[Arm]]) -> Table:
        """Return a table of gradient descent, mini-batches and single examples after equal epochs, updates and time."""
        loss, score = self.numbers.loss, self.numbers.score
        all_groups = []
        for title, arms in groups.items():
            rows = []
            for arm in arms:
                rate = (arm.settings.get("train") or {}).get("learning_rate")
                cells = [Cell(UNKNOWN if rate is None else f"{rate:g}"), self.loss(score_of(arm, "holdout", loss))]
                cells += [self.score(score_of(arm, "holdout", score)), self._run_id(arm)]
                rows.append((Cell(shown(method(arm)), self._diverged(arm)), cells))
            all_groups.append(Group(title, rows))
        if self.run.equal_time:
            all_groups.append(self._equal_time(self.run.equal_time))
        floors = [Cell(""), *self.floors("holdout"), Cell("")]
        all_groups = [group for group in all_groups if group.rows]
        if all_groups:
            all_groups.append(Group("", [(Cell(_("knowing nothing")), floors)]))
        of_holdout = _(SCORES_ON["holdout"])
        scores = [of_holdout.format(score=name) for name in (self.numbers.loss_name, self.numbers.score_label)]
        columns = [_("rate"), *scores, _("MLflow run")]
        return Table(_("Gradient descent, mini-batches, single examples"), _("method"), columns, all_groups)

    def _equal_time(self, equal: EqualTime) -> Group:
        rows = []
        for name, loss in equal.losses.items():
            epochs = _("{n:.0f} epochs").format(n=equal.epochs[name]) if name in equal.epochs else ""
            rows.append((Cell(shown(name), epochs), [Cell(), self.loss(loss), Cell(), Cell()]))
        return Group(_("Equal time, {seconds:.2g} s of training each").format(seconds=equal.seconds), rows)

    def changes(self, caption: str, arms: list[Arm]) -> Table:
        """Return a table of the settings that differ from the baseline's, for arms that have many."""
        rows = [(Cell(full_name(arm)), [Cell(changes_of(arm), kind="settings")]) for arm in arms]
        columns = [_("settings that are not the baseline's")]
        return Table(caption, _("arm"), columns, [Group("", rows)], folded=True, words=columns)

    def influential(self, arms: list[tuple[Arm, Influence]], folded: bool) -> Table:
        """Return a table of the source rows that carry the arms' differences, with the difference of each row."""
        rows = []
        for arm, influence in arms:
            by_row = [number(difference, self._row_decimals, sign=True) for difference in influence.differences]
            if influence.rows:
                numbered = zip(influence.rows, by_row, strict=True)
                by_row = [_("row {row:,}: {difference}").format(row=row, difference=text) for row, text in numbered]
            cells = [self.loss(Interval(mean), True) for mean in (difference_of(arm).mean, influence.without)]
            rows.append((Cell(remedy_name(arm)), [*cells, Cell(clauses(by_row), kind="settings")]))
        unit = _("squared error") if self.numbers.loss == "rmse" else self.numbers.loss_name
        of_rows = _("rows of the source, and the difference of each in its {loss}").format(loss=unit)
        columns = [_("difference"), _("without these rows"), of_rows]
        caption = _("The rows that carry these differences")
        return Table(caption, _("arm"), columns, [Group("", rows)], folded, words=[of_rows])

    @property
    def _row_decimals(self) -> int:
        """Return the decimals of a single row's difference: fewer than a mean's, since it is much larger."""
        decimals = self.numbers.loss_decimals
        return max(0, 2 * decimals - 4 if self.numbers.loss == "rmse" else decimals - 2)

    def _promised(self, arm: Arm) -> str:
        path = {trial.trial: trial.promised for trial in self.study.overtuning or []}
        promised = path.get(int(arm.x)) if arm.group == "incumbent" and arm.x is not None else None
        if arm.group == "winner" and self.study.optimism:
            promised = self.study.optimism.promised
        return self.numbers.loss_text(promised)

    def _name(self, arm: Arm, name: str) -> Cell:
        details = [_("{n:,} weights").format(n=arm.weights) if arm.section == "capacity" else ""]
        if arm.group == "tuned" and arm.x is not None and name != full_name(arm):
            details.append(_("rate {value}").format(value=f"{arm.x:.3g}"))
        details += [_picks(arm), self._diverged(arm)]
        if arm.seeds_range:
            lowest, highest = (self.numbers.loss_text(end) for end in arm.seeds_range)
            details.append(_("seeds from {lowest} to {highest}").format(lowest=lowest, highest=highest))
        return Cell(name, clauses([detail for detail in details if detail]))

    def _verdict(self, arm: Arm) -> Cell:
        kind = f"verdict {(arm.verdict or 'none').partition(' ')[0]}"
        return Cell(
            shown(arm.verdict) if arm.verdict else UNKNOWN, self._diverged(arm) if arm.verdict else "", kind=kind
        )

    def _diverged(self, arm: Arm) -> str:
        if not arm.diverged:
            return ""
        return _("{n} of {seeds} diverged").format(n=arm.diverged, seeds=seeds(len(self.study.about.seeds)))

    def _loss_on(self, split: str, arm: Arm) -> Cell:
        return self.loss(_without_ends(score_of(arm, split, self.numbers.loss), split))

    def _score_on(self, split: str, arm: Arm) -> Cell:
        return self.score(_without_ends(score_of(arm, split, self.numbers.score), split))

    def loss(self, interval: Interval | None, sign: bool = False) -> Cell:
        """Return a loss or a difference of losses with its interval."""
        if interval is None or interval.mean is None:
            return Cell()
        decimals = decimals_of(interval, self.numbers.loss_decimals)
        return Cell(number(interval.mean, decimals, sign), ends(interval, decimals))

    def score(self, interval: Interval) -> Cell:
        """Return a score with its interval."""
        return Cell(self.numbers.score_text(interval.mean), self.numbers.score_ends(interval))

    def score_difference(self, interval: Interval | None) -> Cell:
        """Return a difference of scores with its interval."""
        if interval is None or interval.mean is None:
            return Cell()
        return Cell(self.numbers.score_text(interval.mean, sign=True), self.numbers.score_ends(interval))

    def _run_id(self, arm: Arm) -> Cell:
        return self.run_id(f"{arm.section}/{arm.name}")

    def run_id(self, key: str) -> Cell:
        """Return the id of an MLflow run by its key among those of the study."""
        run_id = self.run.runs.get(key)
        return Cell(run_id[:SHORT_ID], full=run_id, kind="id") if run_id else Cell()


def by_group(arms: Iterable[Arm], titles: dict[str, str]) -> dict[str, list[Arm]]:
    """Return arms under the titles of their groups, which name the reference where all arms of a group share it."""
    arms = list(arms)
    groups: dict[str, list[Arm]] = {}
    for group, title in titles.items():
        members = [arm for arm in arms if arm.group == group]
        references = {short_reference(arm) for arm in members if arm.reference is not None}
        against = "".join(references) if len(references) == 1 else ""
        against = _("the baseline") if against == shown("baseline") else against
        groups[_("{group}, against {arm}").format(group=title, arm=against) if against else title] = members
    return groups


def _without_ends(interval: Interval, split: str) -> Interval:
    """Return a score, without its interval on training rows: these are all rows, not a sample of others."""
    return Interval(interval.mean) if split == "train" else interval


def _picks(arm: Arm) -> str:
    """Return in how many folds an arm and its nearest rivals were chosen, where the folds do not agree."""
    if not arm.picks or len(arm.picks) < 2:
        return ""
    folds = sum(arm.picks.values())
    most = sorted(arm.picks.items(), key=lambda pick: -pick[1])[:MOST_PICKS]
    alike = f"{arm.name.partition(',')[0]}, " if arm.group == "tuned" else ""
    rivals = [
        _("{arm} in {times}").format(arm=shown(name.removeprefix(alike)), times=times)
        for name, times in most
        if name != arm.name
    ]
    chosen = _("chosen in {times} of {folds} folds").format(times=arm.picks.get(arm.name, 0), folds=folds)
    return clauses([chosen, *rivals])


def brier(interval: Interval, sign: bool = False) -> Cell:
    """Return a Brier score or a difference of Brier scores with its interval."""
    return Cell(number(interval.mean, BRIER_DECIMALS, sign), ends(interval, BRIER_DECIMALS))


def _share(interval: Interval | None) -> Cell:
    return Cell() if interval is None else Cell(number(interval.mean, 2), ends(interval, 2))


def _percent(interval: Interval) -> Cell:
    percent = interval.scaled(100)
    return Cell(number(percent.mean, 0, sign=True), ends(percent, 0))
