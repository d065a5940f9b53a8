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
from experiments.report.numbers import (
    FURTHER_NAMES,
    UNKNOWN,
    Numbers,
    count,
    ends,
    number,
    p_value,
    sentence,
    some,
    with_interval,
)
from experiments.report.phrases import Phrases
from experiments.report.tables import BRIER_DECIMALS, Cell, Group, Table, Tables
from pipeline.statistics.intervals import Interval

MOST_NAMES = 6
OTHER_SCORE_NAMES = {"accuracy": "accuracy", "brier": "Brier score", "mae": "mean absolute error"}
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
        same = [OTHER_SCORE_NAMES[choice.score] for choice in choices if choice.difference is None]
        sentences = [f"By the {' and the '.join(same)} the same arm would be chosen."] if same else []
        for choice in choices:
            if choice.difference is None:
                continue
            name = OTHER_SCORE_NAMES[choice.score]
            sentences.append(
                f"By the {name} another arm would be chosen: {choice.arm}, with a difference of "
                f"{self._difference(choice)} on new rows."
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
        error = (
            f"the calibration error on new rows is {share(calibration.error)}, and {share(calibration.error_after)} "
            f"with the logits divided by {calibration.temperature:.2f}, as other rows chose"
        )
        if not is_known(over):
            return f"Whether the networks are too confident cannot be told from {self.phrases.seeds}: {error}."
        if calibration.helps:
            kind = "too confident" if calibration.temperature > 1 else "not confident enough"
            return (
                f"The networks are {kind}: {error}. That lowers the {self.phrases.on_new_rows} by "
                f"{numbers.losses(over)}, and models/champion.keras has it."
            )
        return f"The networks are not detectably too confident or too little: {error}."

    def _decision(self, threshold: Threshold) -> str:
        """Return what a threshold other than a half gains where classes are of different size."""
        if threshold.helps:
            return (
                f"If {threshold.of} is said from a probability of {threshold.threshold:.2f} on, in place of 0.50, the "
                f"balanced accuracy on new rows is {share(threshold.balanced_accuracy)} in place of "
                f"{share(threshold.at_half)}, a difference of {share(threshold.difference)}; other rows chose the "
                "threshold. The served model gives this class "
                "too, as class_balanced."
            )
        return (
            f"A threshold other than a half makes no detectable difference to the balanced accuracy, "
            f"{share(threshold.at_half)} on new rows."
        )

    def _together(self, ensemble: Ensemble) -> str:
        """Return what the seeds gain together, and whether they are served so."""
        gain, numbers, name = ensemble.pair_gain, self.numbers, self.phrases.on_new_rows
        served = "models/champion.keras is one of them"
        if ensemble.serves:
            served = f"models/champion.keras is all {ensemble.members} together, and says how far they agree"
        if not is_known(gain):
            return f"Rows that chose nothing cannot tell whether seeds do better together; {served}."
        verdict = "lower" if gain.low > 0 else "do not detectably lower" if gain.high > 0 else "raise"
        return (
            f"Two seeds that predict together (the mean of their outputs) {verdict} the {name}, by "
            f"{numbers.losses(gain)}; so {served}.{self._on_test_rows(ensemble)}"
        )

    def _on_test_rows(self, ensemble: Ensemble) -> str:
        if not ensemble.test or not is_known(ensemble.gain):
            return ""
        return (
            f" On the test rows all {ensemble.members} have {self.numbers.losses(ensemble.test[self.numbers.loss])}, "
            f"lower than one alone by {self.numbers.losses(ensemble.gain)}."
        )

    def _relies_on(self, columns: list[Importance]) -> str:
        """Return the columns without which the loss rises."""
        found = [column for column in columns if column.matters]
        if not found:
            return (
                f"Of {count(len(columns), 'column')}, no single one is found to matter: permuting it among held-out "
                "rows makes no detectable difference. What two columns both tell is not missed when one of them is "
                "permuted."
            )
        listed = some(
            [f"{column.column} {self.numbers.loss_text(column.rise.mean, True)}" for column in found], MOST_NAMES
        )
        return (
            f"The model relies on {len(found)} of {count(len(columns), 'column')}: permuting one among held-out rows "
            f"raises the {self.numbers.loss_name} ({listed})."
        )

    def _doubts(self, labels: DoubtfulLabels) -> str:
        """Return how many labels are doubtful."""
        if not labels.count:
            return f"None of the {labels.judged:,} labels is doubtful."
        return (
            f"{sentence(count(labels.count, 'label'))} of {labels.judged:,} may be wrong: the networks that held the "
            "row out are as sure of another class as they are of rows in that class. Where classes overlap, such rows "
            "are hard cases instead; a look at them tells."
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
        for metric, (name, cell) in (own | {name: (FURTHER_NAMES[name], _score) for name in further.holdout}).items():
            if metric == "mae":
                cell = tables.loss
            new = (recommendation.holdout | further.holdout).get(metric) or Interval()
            cells = [cell(new), cell(on_test.get(metric) or Interval()), cell(Interval(floors.get(metric)))]
            rows.append((Cell(name), cells))
        columns = ["new rows", "test rows", "knowing nothing"]
        return Table("Scores of the recommended model", "score", columns, [Group("", rows)])

    def _sizes(self, ensemble: Ensemble) -> Table:
        rows = [
            (Cell(count(size.members, "seed")), [Cell(self.numbers.loss_text(size.loss))]) for size in ensemble.by_size
        ]
        floor = self.phrases.nothing(self.numbers.loss, "test")
        rows.append((Cell("knowing nothing"), [Cell(self.numbers.loss_text(floor))]))
        column = f"test {self.numbers.loss_name}"
        return Table("So many seeds together, means over sets of them", "together", [column], [Group("", rows)])

    def _columns(self, columns: list[Importance], tables: Tables) -> Table:
        rows = []
        for column in columns:
            verdict = "no detectable difference" if not column.matters else "matters"
            cell = Cell(
                UNKNOWN if column.matters is None else verdict, kind=f"verdict {'helps' if column.matters else 'no'}"
            )
            rows.append(
                (Cell(column.column), [tables.loss(column.rise, sign=True), Cell(p_value(column.p_adjusted)), cell])
            )
        heads = [f"rise of the {self.numbers.loss_name}", "adjusted p", "verdict"]
        title = f"Columns, by the rise of the {self.numbers.loss_name} when their values change places"
        return Table(title, "column", heads, [Group("", rows)], folded=len(rows) > UNFOLDED)

    def caption(self) -> str:
        """Return the picture's caption."""
        return (
            f"Rise of the {self.numbers.loss_name} on held-out rows when the values of a column change places. "
            "Marks are means, lines 95 % intervals that hold together."
        )

    def alt(self) -> str:
        """Return the picture's alternative text."""
        columns = self.study.importance or []
        parts = [
            f"{column.column} {self.numbers.loss_text(column.rise.mean, True)}" for column in columns if column.matters
        ]
        found = f"These matter: {', '.join(parts)}." if parts else "None is found to matter."
        return f"Forest plot of columns by what the {self.numbers.loss_name} rises without them. {found}"


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
    columns = ["rows", "share (%)", "precision", "recall", "F1"]
    title = "Classes, on new rows"
    return Table(title, "class", columns, [Group("", rows)], folded=len(rows) > UNFOLDED)


def _labels(labels: DoubtfulLabels) -> Table:
    rows = [
        (
            Cell(UNKNOWN if doubt.row is None else f"row {doubt.row:,}"),
            [
                Cell(doubt.label),
                Cell(number(doubt.probability, 3)),
                Cell(doubt.other),
                Cell(number(doubt.probability_of_other, 3)),
            ],
        )
        for doubt in labels.rows
    ]
    columns = ["label", "its probability", "predicted", "its probability "]
    title = f"Doubtful labels, the least plausible first: {len(rows)} of {labels.count:,}"
    return Table(title, "row of the source", columns, [Group("", rows)], folded=len(rows) > UNFOLDED)


def share(interval: Interval) -> str:
    """Return a score between 0 and 1, or a difference of two, with its interval."""
    return with_interval(interval, SHARE_DECIMALS)


def _score(interval: Interval) -> Cell:
    return Cell(number(interval.mean, SHARE_DECIMALS), ends(interval, SHARE_DECIMALS))
