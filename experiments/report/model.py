"""The section on the recommended model: its seeds together, the columns that it relies on, and doubtful labels."""

from experiments.records import (
    Calibration,
    ClassScores,
    DoubtfulLabels,
    Ensemble,
    FurtherScores,
    Importance,
    OtherChoice,
    Study,
    Threshold,
)
from experiments.report.arms import is_known
from experiments.report.language import N_, _, counted
from experiments.report.numbers import (
    FURTHER_NAMES,
    LEVEL,
    UNKNOWN,
    Numbers,
    ends,
    joined,
    listed,
    number,
    p_value,
    seeds,
    some,
    with_interval,
)
from experiments.report.phrases import Phrases
from experiments.report.recorded import shown
from experiments.report.tables import BRIER_DECIMALS, SCORES_ON, Cell, Group, Table, Tables
from pipeline.statistics.intervals import Interval

MOST_NAMES = 6
OTHER_SCORE_NAMES = {"accuracy": N_("accuracy"), "brier": N_("Brier score"), "mae": N_("mean absolute error")}
SHARE_DECIMALS = 3
UNFOLDED = 15  # rows of a table that is shown without a click


class RecommendedModel:
    """The sentences, tables and picture texts on the model that one study recommends."""

    def __init__(self, study: Study, numbers: Numbers) -> None:
        self.study, self.numbers, self.phrases = study, numbers, Phrases(study, numbers)

    @property
    def is_known(self) -> bool:
        """Return whether the study says anything of it."""
        return self.study.ensemble is not None

    def sentences(self) -> list[str]:
        """Return the sentences of the section."""
        ensemble, columns, labels = self.study.ensemble, self.study.importance, self.study.doubtful_labels
        return [
            *self._by_other_scores(self.study.by_other_scores),
            *([self._confidence(self.study.calibration)] if self.study.calibration else []),
            *([self._decision(self.study.threshold)] if self.study.threshold else []),
            *([self._together(ensemble)] if ensemble else []),
            *([self._relies_on(columns)] if columns else []),
            *([self._doubts(labels)] if labels else []),
        ]

    def _by_other_scores(self, choices: list[OtherChoice]) -> list[str]:
        """Return which arm other scores than the loss would recommend, and by how much it is better."""
        same = [_(OTHER_SCORE_NAMES[choice.score]) for choice in choices if choice.difference is None]
        sentences = []
        if same:
            scores = _(" and the ").join(same)
            sentences.append(_("By the {scores} the same arm would be chosen.").format(scores=scores))
        for choice in choices:
            if choice.difference is None:
                continue
            sentences.append(
                _(
                    "By the {score} another arm would be chosen: {arm}, with a difference of {difference} on new rows"
                    "{verdict}."
                ).format(
                    score=_(OTHER_SCORE_NAMES[choice.score]),
                    arm=shown(choice.arm),
                    difference=self._difference(choice),
                    verdict="" if _leaves_out_0(choice.difference) else _(", which is not detectable"),
                )
            )
        return sentences

    def _difference(self, choice: OtherChoice) -> str:
        if choice.score == "accuracy":
            return self.numbers.score_differences(choice.difference)
        if choice.score == "mae":
            return self.numbers.losses(choice.difference, sign=True)
        return with_interval(choice.difference, BRIER_DECIMALS, sign=True)

    def _confidence(self, calibration: Calibration) -> str:
        """Return whether the networks are too confident, and whether the served model mends it."""
        numbers, over = self.numbers, calibration.overconfidence
        error = _(
            "the calibration error on new rows is {before}, and {after} with the logits divided by {temperature:.2f}, "
            "as other rows chose"
        ).format(
            before=share(calibration.error),
            after=share(calibration.error_after),
            temperature=calibration.temperature,
        )
        if not is_known(over):
            return _("Whether the networks are too confident cannot be told from {seeds}: {error}.").format(
                seeds=self.phrases.seeds, error=error
            )
        if calibration.helps:
            message = (
                _(
                    "The networks are too confident: {error}. That lowers the {loss} by {size}, and "
                    "models/champion.keras has it."
                )
                if calibration.temperature > 1
                else _(
                    "The networks are not confident enough: {error}. That lowers the {loss} by {size}, and "
                    "models/champion.keras has it."
                )
            )
            return message.format(error=error, loss=self.phrases.on_new_rows, size=numbers.losses(over))
        return _("The networks are not detectably too confident or too little: {error}.").format(error=error)

    def _decision(self, threshold: Threshold) -> str:
        """Return what a threshold other than a half gains where classes are of different size."""
        if threshold.helps:
            return _(
                "If {label} is said from a probability of {threshold:.2f} on, in place of 0.50, the balanced accuracy "
                "on new rows is {balanced} in place of {at_half}, a difference of {difference}; other rows chose the "
                "threshold. The served model gives this class too, as class_balanced."
            ).format(
                label=threshold.of,
                threshold=threshold.threshold,
                balanced=share(threshold.balanced_accuracy),
                at_half=share(threshold.at_half),
                difference=share(threshold.difference),
            )
        return _(
            "A threshold other than a half makes no detectable difference to the balanced accuracy, {at_half} on new "
            "rows."
        ).format(at_half=share(threshold.at_half))

    def _together(self, ensemble: Ensemble) -> str:
        """Return what the seeds gain together, and whether they are served so."""
        gain = ensemble.pair_gain
        served = _("models/champion.keras is one of them")
        if ensemble.serves:
            served = _("models/champion.keras is all {n} together, and says how far they agree").format(
                n=ensemble.members
            )
        if not is_known(gain):
            return _("Rows that chose nothing cannot tell whether seeds do better together; {served}.").format(
                served=served
            )
        if gain.low > 0:
            message = _(
                "Two seeds that predict together (the mean of their outputs) lower the {loss}, by {gain}; so {served}."
            )
        elif gain.high > 0:
            message = _(
                "Two seeds that predict together (the mean of their outputs) do not detectably lower the {loss}, by "
                "{gain}; so {served}."
            )
        else:
            message = _(
                "Two seeds that predict together (the mean of their outputs) raise the {loss}, by {gain}; so {served}."
            )
        together = message.format(loss=self.phrases.on_new_rows, gain=self.numbers.losses(gain), served=served)
        return together + self._further_seeds(ensemble) + self._on_test_rows(ensemble)

    def _further_seeds(self, ensemble: Ensemble) -> str:
        """Return what a third seed brings, a fourth and so on, where rows are held out by so many."""
        gains = [
            _("{gain} ({n} in place of {fewer})").format(
                gain=self.numbers.losses(step.gain), n=step.members, fewer=step.members - 1
            )
            for step in ensemble.steps[1:]
            if is_known(step.gain)
        ]
        if not gains:
            return ""
        return _(" On the rows that more seeds held out, one seed more takes off {gains}.").format(gains=listed(gains))

    def _on_test_rows(self, ensemble: Ensemble) -> str:
        if not ensemble.test or not is_known(ensemble.gain):
            return ""
        return _(" On the test rows all {n} have {loss}, lower than one alone by {gain}.").format(
            n=ensemble.members,
            loss=self.numbers.losses(ensemble.test[self.numbers.loss]),
            gain=self.numbers.losses(ensemble.gain),
        )

    def _relies_on(self, columns: list[Importance]) -> str:
        """Return the columns without which the loss rises."""
        found = [column for column in columns if column.matters]
        if not found:
            return counted(
                "Of {n:,} column, no single one is found to matter: permuting it among held-out rows makes no "
                "detectable difference. What two columns both tell is not missed when one of them is permuted.",
                "Of {n:,} columns, no single one is found to matter: permuting it among held-out rows makes no "
                "detectable difference. What two columns both tell is not missed when one of them is permuted.",
                len(columns),
            )
        rises = [f"{column.column} {self.numbers.loss_text(column.rise.mean, True)}" for column in found]
        return counted(
            "The model relies on {matter} of {n:,} column: permuting one among held-out rows raises the {loss} "
            "({rises}).",
            "The model relies on {matter} of {n:,} columns: permuting one among held-out rows raises the {loss} "
            "({rises}).",
            len(columns),
            matter=len(found),
            loss=self.numbers.loss_name,
            rises=some(rises, MOST_NAMES),
        )

    def _doubts(self, labels: DoubtfulLabels) -> str:
        """Return how many labels are doubtful."""
        if not labels.count:
            return _("None of the {judged:,} labels is doubtful.").format(judged=labels.judged)
        return counted(
            "{n:,} label of {judged:,} may be wrong: the networks that held the row out are as sure of another class "
            "as they are of rows in that class. Where classes overlap, such rows are hard cases instead; a look at "
            "them tells.",
            "{n:,} labels of {judged:,} may be wrong: the networks that held the row out are as sure of another class "
            "as they are of rows in that class. Where classes overlap, such rows are hard cases instead; a look at "
            "them tells.",
            labels.count,
            judged=labels.judged,
        )

    def tables_of(self, tables: Tables) -> list[Table]:
        """Return the tables of the section."""
        return [
            *([self._scores(self.study.further, tables)] if self.study.further else []),
            *([_classes(self.study.classes)] if self.study.classes else []),
            *([self._sizes(self.study.ensemble)] if self.study.ensemble and self.study.ensemble.by_size else []),
            *([self._columns(self.study.importance, tables)] if self.study.importance else []),
            *(
                [_labels(self.study.doubtful_labels)]
                if self.study.doubtful_labels and self.study.doubtful_labels.rows
                else []
            ),
        ]

    def _scores(self, further: FurtherScores, tables: Tables) -> Table:
        """Return a table of the further scores, and of the loss and the score."""
        numbers, recommendation, ensemble = self.numbers, self.study.recommendation, self.study.ensemble
        tested = (ensemble.test if ensemble and ensemble.serves else recommendation.test) or {}
        on_test = tested | (further.test or {})
        own = {numbers.loss: (numbers.loss_name, tables.loss), numbers.score: (numbers.score_label, tables.score)}
        floors = self.study.about.knowing_nothing.get("holdout", {}) | further.knowing_nothing
        rows = []
        for metric, (name, cell) in (
            own | {name: (_(FURTHER_NAMES[name]), _score) for name in further.holdout}
        ).items():
            if metric == "mae":
                cell = tables.loss
            new = (recommendation.holdout | further.holdout).get(metric) or Interval()
            cells = [cell(new), cell(on_test.get(metric) or Interval()), cell(Interval(floors.get(metric)))]
            rows.append((Cell(name), cells))
        columns = [_("new rows"), _("test rows"), _("knowing nothing")]
        return Table(_("Scores of the recommended model"), _("score"), columns, [Group("", rows)])

    def _sizes(self, ensemble: Ensemble) -> Table:
        rows = [(Cell(seeds(size.members)), [Cell(self.numbers.loss_text(size.loss))]) for size in ensemble.by_size]
        floor = self.phrases.nothing(self.numbers.loss, "test")
        rows.append((Cell(_("knowing nothing")), [Cell(self.numbers.loss_text(floor))]))
        column = _(SCORES_ON["test"]).format(score=self.numbers.loss_name)
        return Table(_("So many seeds together, means over sets of them"), _("together"), [column], [Group("", rows)])

    def _columns(self, columns: list[Importance], tables: Tables) -> Table:
        rows = []
        for column in columns:
            verdict = _("no detectable difference") if not column.matters else _("matters")
            cell = Cell(
                UNKNOWN if column.matters is None else verdict, kind=f"verdict {'helps' if column.matters else 'no'}"
            )
            rows.append(
                (Cell(column.column), [tables.loss(column.rise, sign=True), Cell(p_value(column.p_adjusted)), cell])
            )
        loss = self.numbers.loss_name
        heads = [_("rise of the {loss}").format(loss=loss), _("adjusted p"), _("verdict")]
        title = _("Columns, by the rise of the {loss} when their values change places").format(loss=loss)
        return Table(title, _("column"), heads, [Group("", rows)], folded=len(rows) > UNFOLDED, words=heads[-1:])

    def caption(self) -> str:
        """Return the picture's caption."""
        return _(
            "Rise of the {loss} on held-out rows when the values of a column change places. Marks are means, lines "
            "{level} intervals that hold together."
        ).format(loss=self.numbers.loss_name, level=LEVEL)

    def alt(self) -> str:
        """Return the picture's alternative text."""
        columns = self.study.importance or []
        parts = [
            f"{column.column} {self.numbers.loss_text(column.rise.mean, True)}" for column in columns if column.matters
        ]
        loss = self.numbers.loss_name
        if not parts:
            return _("Forest plot of columns by what the {loss} rises without them. None is found to matter.").format(
                loss=loss
            )
        return _("Forest plot of columns by what the {loss} rises without them. These matter: {columns}.").format(
            loss=loss, columns=joined(parts)
        )


def _classes(classes: list[ClassScores]) -> Table:
    rows = [
        (
            Cell(scores.name),
            [
                Cell(f"{scores.rows:,}"),
                Cell(f"{100 * scores.share:.1f}"),
                *(_score(interval) for interval in (scores.precision, scores.recall, scores.f1)),
            ],
        )
        for scores in classes
    ]
    columns = [_("rows"), _("share (%)"), _("precision"), _("recall"), _("F1")]
    title = _("Classes, on new rows")
    return Table(title, _("class"), columns, [Group("", rows)], folded=len(rows) > UNFOLDED)


def _labels(labels: DoubtfulLabels) -> Table:
    rows = [
        (
            Cell(UNKNOWN if doubt.row is None else _("row {row:,}").format(row=doubt.row)),
            [
                Cell(doubt.label),
                Cell(number(doubt.probability, 3)),
                Cell(doubt.other),
                Cell(number(doubt.probability_of_other, 3)),
            ],
        )
        for doubt in labels.rows
    ]
    columns = [_("label"), _("its probability"), _("predicted"), _("its probability ")]
    title = _("Doubtful labels, the least plausible first: {listed} of {n:,}").format(listed=len(rows), n=labels.count)
    return Table(title, _("row of the source"), columns, [Group("", rows)], folded=len(rows) > UNFOLDED)


def _leaves_out_0(interval: Interval) -> bool:
    return is_known(interval) and interval.low * interval.high > 0


def share(interval: Interval) -> str:
    """Return a score between 0 and 1, or a difference of two, with its interval."""
    return with_interval(interval, SHARE_DECIMALS)


def _score(interval: Interval) -> Cell:
    return Cell(number(interval.mean, SHARE_DECIMALS), ends(interval, SHARE_DECIMALS))
