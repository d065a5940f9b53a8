"""The records of the study's look into the recommended networks."""

from pydantic import Field

from experiments.records.record import Record
from pipeline.statistics.intervals import Interval


class EnsembleSize(Record):
    """The loss on the test rows of so many seeds that predict together, a mean over sets of them."""

    members: int
    loss: float


class EnsembleStep(Record):
    """The gain of one seed more in an ensemble, on the rows that at least `members` seeds hold out.

    It is a mean over all ensembles of the seeds that hold a row out.

    Attributes:
        members: how many seeds predict together.
        loss: the loss of so many seeds together.
        gain: the loss of one seed fewer, less `loss`.
    """

    members: int
    loss: float
    gain: Interval


class Ensemble(Record):
    """The seeds of the recommended arm together: the mean of their probabilities, or of their numbers.

    Attributes:
        members: the seeds with sound weights.
        pair_gain: the loss of one seed less that of two together that hold a row out, on the rows held out; it says
            whether the seeds are served together.
        steps: the gains of the second seed, which is `pair_gain`, of the third and so on, as far as rows are held out
            by so many.
        serves: whether `models/champion.keras` is all members together, and not the first of them.
        test: the scores of all together on the test set, with intervals for other rows of the kind; None without test
            rows, as `gain`.
        gain: the loss of one seed less that of all together on the test rows, with an interval for other rows and other
            seeds.
        by_size: the loss on the test rows of 1, 2, 4, ... and of all members.
    """

    members: int
    pair_gain: Interval
    steps: list[EnsembleStep] = Field(default_factory=list)
    serves: bool
    test: dict[str, Interval] | None
    gain: Interval | None
    by_size: list[EnsembleSize]


class FurtherScores(Record):
    """Further scores of the recommended networks, by name; see `pipeline.statistics.metrics`.

    Attributes:
        holdout: on the rows held out, each by the seeds that held it out.
        test: of the served model on the test rows; None without any.
        knowing_nothing: those of always giving the class shares.
    """

    holdout: dict[str, Interval]
    test: dict[str, Interval] | None
    knowing_nothing: dict[str, float]


class ClassScores(Record):
    """The scores of one class by the recommended networks, on the rows held out.

    Attributes:
        rows, share: how many of these rows are of the class, and their share.
        precision: the share of the class among the rows that are said to be of it.
        recall: the share of the class's rows that are said to be of it.
        f1: the harmonic mean of the two.
    """

    name: str
    rows: int
    share: float
    precision: Interval
    recall: Interval
    f1: Interval


class Threshold(Record):
    """A decision between two classes that errs as seldom in the one as in the other.

    Attributes:
        threshold: the probability of the class `of` from which on it is said.
        balanced_accuracy, at_half: at that threshold, which other rows chose, and at 0.5.
        difference: the former less the latter, row by row.
        helps: whether it is found to be above 0; None where it is not known.
    """

    threshold: float
    of: str
    balanced_accuracy: Interval
    at_half: Interval
    difference: Interval
    helps: bool | None


class Calibration(Record):
    """The overconfidence of the recommended networks, as one temperature mends it (Guo et al. 2017).

    Attributes:
        temperature: by which the logits are divided; above 1 they are too confident.
        overconfidence: the cross-entropy on held-out rows less that with the temperature, which other rows chose: its
            calibration part; what is left is its refinement part (Berta et al. 2025).
        helps: whether it is found to be above 0, and the served model has the temperature; None where it is not known.
        error, error_after: the calibration error without the temperature and with it.
    """

    temperature: float
    overconfidence: Interval
    helps: bool | None
    error: Interval
    error_after: Interval


class Importance(Record):
    """How much the recommended networks rely on a column.

    Attributes:
        rise: the loss on held-out rows when the column's values change places among the rows, less the loss; the
            intervals of all columns hold together.
        matters: whether a rise is found; None where it is not known.
    """

    column: str
    rise: Interval
    p_adjusted: float | None
    matters: bool | None


class DoubtfulLabel(Record):
    """A row whose label may be wrong.

    Attributes:
        row: its number in the source, counted from 1; None where it is not known.
        label, other: the class that it is in, and the class that the networks put it into.
        probability, probability_of_other: that the networks give to the one and to the other.
    """

    row: int | None
    label: str
    other: str
    probability: float
    probability_of_other: float


class DoubtfulLabels(Record):
    """The rows whose labels may be wrong, of those that were held out; at most 100 are listed."""

    count: int
    judged: int
    rows: list[DoubtfulLabel]
