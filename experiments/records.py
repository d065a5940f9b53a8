"""The study's result files: their paths, and the schemas of `study.json` and `study_run.json`."""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from pipeline.files import read_of, write_json
from pipeline.paths import RESULTS, STUDY_RUN_FILE
from pipeline.statistics.comparisons import Finding
from pipeline.statistics.intervals import Interval

STUDY_FILE = RESULTS / "study.json"
STUDY_SEEDS_FILE = RESULTS / "study.csv"
STUDY_CURVES_FILE = RESULTS / "study_curves.csv"

SectionName = Literal[
    "remedies", "learning_curve", "capacity", "optimizers", "activations", "memorization", "winner"
]  # fmt: skip
RUN_ID = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,255}$"  # as MLflow takes one
NewRows = Literal["holdout", "test"]  # the rows that judge
OtherScore = Literal["accuracy", "brier", "mae"]  # beside the loss
RemedyGroup = Literal["without", "with"]  # the chosen remedy


class Record(BaseModel):
    """A part of a result file, which refuses unknown keys and cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


R = TypeVar("R", bound=Record)


class About(Record):
    """The subject of the study: its data, metrics, seeds and versions.

    Attributes:
        loss, score: the metrics' names: cross_entropy and accuracy, or rmse and r2.
        rows: how many rows each seed trains on (`train`), the pool has whose rows are held out in turn (`pool`), and
            the test set has (`test`).
        weight: the column of weights, by which all means over rows are weighted; None where all rows count alike.
        time: the column of `data.time`, by whose order rows are held out; None where they are drawn.
        folds, rings: into how many folds the pool is cut, and in how many independent ways; in time, into how many
            folds that judge, and how often with other seeds.
        knowing_nothing: the scores, by metric, of always giving the class shares or the mean of the training rows, on
            the rows that judge (`holdout`) and on `test`.
        digest: SHA-256 of each prepared split.
        epochs: the most epochs that an arm may train.
    """

    source: str
    task: Literal["classification", "regression"]
    target: str | None
    features: list[str] | None
    n_features: int
    image_shape: list[int] | None
    classes: list[str] | None
    loss: Literal["cross_entropy", "rmse"]
    score: Literal["accuracy", "r2"]
    rows: dict[Literal["train", "pool", "test"], int]
    weight: str | None = None
    time: str | None = None
    folds: int
    rings: int
    knowing_nothing: dict[NewRows, dict[str, float]]
    digest: dict[str, str]
    seeds: list[int]
    epochs: int
    versions: dict[str, str]
    warnings: list[str]


class Influence(Record):
    """The rows that carry most of a difference.

    Attributes:
        rows: their numbers in the source, counted from 1, the most influential one first; None where not known.
        differences: the mean difference of each row's loss (cross-entropy, or squared error).
        without: the difference that is left without these rows.
    """

    rows: list[int] | None
    differences: list[float]
    without: float


class Arm(Record):
    """One configuration, trained with every seed.

    Attributes:
        name: unique in its section, such as `dropout 0.3`, `all but dropout`, `64 rows`.
        factor: what was changed, such as `dropout`, `rows`, `width`, `depth`, `optimizer`, `activation`, `loss`.
        group: arms of a section that belong together. remedies: `baseline`, `best_epoch` (the baseline with the weights
            of its best epoch), `single`, `together`, `leave_one_out`; learning_curve and capacity: `without` and `with`
            (the chosen remedy); optimizers: `defaults`, `tuned`, `equal_epochs`, `equal_updates`; activations:
            `activation`, `loss`; memorization: `labels`; winner: `default`, `winner`, `incumbent`.
        x: the arm's place on the factor's scale: strength, learning rate, rows, width, number of layers, trial; None
            where there is no scale.
        changes: settings, by dotted name, that differ from the configured model with every regularizer off.
        settings: all settings of the arm, by section, as in `params.yaml`.
        chosen: whether the arm has the lowest holdout loss of the arms that it competes with, such as the strengths of
            one remedy; True where it competes with none. The holdout scores and the difference of a chosen arm are
            those of choosing: each fold is judged by the arm that is best on the other folds.
        picks: for each competing arm, by name, in how many folds it was best on the other folds; None where the arm
            competes with none.
        scores: scores, by split (train, holdout; test where it was scored) and metric, of the final model: that of the
            best epoch with early stopping, else that of the last. Each holdout row is held out by two seeds, and
            training was stopped and arms were chosen on other rows. A seed that diverged counts as knowing nothing.
        gap: how much worse each metric is on holdout than on training rows.
        seeds_range: the lowest and highest holdout loss of a seed where some seeds collapse and others do not, which
            the interval cannot cover; else None.
        best_epoch: the epoch of the lowest loss on the rows held out.
        onset_epoch: the first epoch after which that loss never came back to its minimum, over the seeds that have one.
        reference: the arm of the same section that this one is compared with; None where there is no comparison.
        difference: holdout loss less that of the reference, row by row; below 0 is better. The intervals of the arms
            that answer one question hold simultaneously.
        p_adjusted: the p-value, adjusted by Holm's method over the arms that answer one question.
        detectable: the difference that four of five such studies would have found.
        times_rows, times_rings: how many times as many rows, or rings of seeds, would find a difference of this size.
        probability_better: the probability that a seed of this arm has a lower holdout loss than the same seed of the
            reference.
    """

    section: SectionName
    name: str
    factor: str
    group: str
    x: float | None
    changes: dict[str, Any]
    settings: dict[str, dict[str, Any]]
    chosen: bool
    picks: dict[str, int] | None
    weights: int
    train_rows: int
    diverged: int
    scores: dict[str, dict[str, Interval]]
    gap: dict[str, Interval]
    seeds_range: tuple[float, float] | None
    epochs: Interval
    best_epoch: Interval
    onset_epoch: Interval
    reference: str | None = None
    difference: Interval | None = None
    p: float | None = None
    p_adjusted: float | None = None
    detectable: float | None = None
    times_rows: float | None = None
    times_rings: float | None = None
    probability_better: Interval | None = None
    verdict: Finding | None = None
    influence: Influence | None = None


class Overfits(Record):
    """The answer to whether the baseline overfits: does better on the rows it was trained on than on new ones.

    Attributes:
        answer: whether the whole interval of the loss's gap lies above 0; None where it is not known.
        gap: the gap of each metric at the last epoch; above 0 is worse on new rows.
        rises: whether training on beyond the best epoch makes the loss on new rows worse: the interval of the rise lies
            above 0, and the training loss does not rise as well, as it does where training is unsteady.
        rise: the holdout loss of the last epoch less that of the best epoch, which other rows chose.
        score_rise: the same for the score, with its sign turned so that above 0 is worse.
        train_rise: the training loss of the last epoch less that of the best epoch, mean over the seeds.
        onset_epoch, onset_range: the epoch from which the loss on new rows never comes back to its minimum: median,
            first and last over the seeds that have one.
    """

    answer: bool | None
    gap: dict[str, Interval]
    rises: bool | None
    rise: Interval
    score_rise: Interval
    train_rise: float | None
    onset_epoch: float | None
    onset_range: tuple[float, float] | None


class PowerLaw(Record):
    """The law loss = floor + scale * rows ** -exponent, and its prediction for twice the rows, with a 95 % interval.

    `predicted_before` is the loss at `rows` that the law predicts without that point, and `seen` the observed loss.
    """

    floor: float | None
    scale: float | None
    exponent: float | None
    rows: int
    predicted: float | None
    predicted_twice: float | None
    change: Interval
    predicted_before: float | None
    seen: float | None


class Recommendation(Record):
    """The settings to use: those of the arm with the lowest holdout loss of all that help, else the baseline's.

    Attributes:
        holdout: the scores on rows that did not choose the arm: each fold is judged by the arm that would be
            recommended from the other folds.
        test: the scores on the test set, with intervals for other seeds and other rows of the kind; None without test
            rows.
        over_nothing: the holdout loss less that of knowing nothing.
        beats_nothing: whether that difference is found to be below 0; None where it is not known.
    """

    section: SectionName
    arm: str
    helps: bool
    settings: dict[str, dict[str, Any]]
    holdout: dict[str, Interval]
    test: dict[str, Interval] | None
    over_nothing: Interval
    beats_nothing: bool | None


class OtherChoice(Record):
    """The arm that another score than the loss would recommend of the same candidates.

    Attributes:
        difference: its score less that of the recommended arm, row by row, each chosen for every fold by the other
            folds; None where it is the recommended arm.
    """

    score: OtherScore
    section: SectionName
    arm: str
    difference: Interval | None


PeerFinding = Literal["better", "worse", "no detectable difference", "neither beats knowing nothing"]


class PeerComparison(Record):
    """A peer compared with the recommended network by one metric, row by row.

    Attributes:
        difference: the peer's metric less the network's; the intervals of all peers hold together.
        p_adjusted: the p-value, adjusted by Holm's method over the peers.
        detectable: the difference that four of five such studies would have found.
        verdict: on the peer.
    """

    difference: Interval
    p: float | None
    p_adjusted: float | None
    detectable: float | None
    verdict: PeerFinding | None


class Peer(Record):
    """A model that is no network, trained and judged on the same rows as the recommended network.

    Attributes:
        estimator: scikit-learn's text of it, with the settings that are not scikit-learn's defaults.
        scores: by split (train, holdout, test) and metric, as those of an arm.
        comparisons: by metric: loss, accuracy and Brier score, or RMSE.
    """

    name: str
    estimator: str
    scores: dict[str, dict[str, Interval]]
    comparisons: dict[str, PeerComparison]


class Incumbent(Record):
    """The best of the first `trials` trials of a search: its promised loss, and the same settings' losses afterwards.

    Attributes:
        promised: the validation loss of the best of these trials, by the first of `search.objectives`.
        same_rows: the loss of fresh seeds on the rows that the search chose by; None where the search had no rows of
            its own.
        fresh: the loss of fresh seeds on rows that chose nothing; None where the search chose by all rows.
    """

    trial: int
    trials: int
    promised: float
    same_rows: Interval | None
    fresh: Interval | None
    test: Interval | None


class Optimism(Incumbent):
    """The cost of selecting: the loss promised by the search for its winner, less the losses afterwards.

    Attributes:
        beats_default: the verdict on the winner against the default that the search began with.
        judged_on: the rows of that verdict.
        at_edge: the winner's settings at an end of the search space, such as `train.learning_rate at its highest,
            0.3`.
    """

    optimism_fresh: float | None
    optimism_test: float | None
    beats_default: Finding | None
    judged_on: NewRows
    at_edge: list[str]


class EqualTime(Record):
    """The losses of gradient descent, mini-batches and single examples after as many seconds of training each."""

    seconds: float
    losses: dict[str, Interval]
    epochs: dict[str, float]


class TestLooks(Record):
    """The number of looks at this test set that MLflow knows of; this study's look is the last."""

    looks: int | None
    settings_changed_after_a_look: bool


class Cost(Record):
    """The cost of the study; `seconds` includes the time that trainings kept from an earlier start took then."""

    runs: int
    seed_epochs: int
    seconds: float


class EnsembleSize(Record):
    """The loss on the test rows of so many seeds that predict together, a mean over sets of them."""

    members: int
    loss: float


class Ensemble(Record):
    """The seeds of the recommended arm together: the mean of their probabilities, or of their numbers.

    Attributes:
        members: the seeds with sound weights.
        pair_gain: the loss of one seed less that of the two together that hold a row out, on the rows held out; it says
            whether the seeds are served together.
        serves: whether `models/champion.keras` is all members together, and not the first of them.
        test: the scores of all together on the test set, with intervals for other rows of the kind; None without test
            rows, as `gain`.
        gain: the loss of one seed less that of all together on the test rows, with an interval for other rows and other
            seeds.
        by_size: the loss on the test rows of 1, 2, 4, ... and of all members.
    """

    members: int
    pair_gain: Interval
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


class Study(Record):
    """The whole of `study.json`; the results of a section that is switched off are None."""

    about: About
    arms: list[Arm]
    peers: list[Peer] | None = None
    overfits: Overfits
    chosen_remedy: str | None
    power_law: dict[RemedyGroup, PowerLaw] | None
    recommendation: Recommendation
    by_other_scores: list[OtherChoice] = []
    ensemble: Ensemble | None = None
    further: FurtherScores | None = None
    calibration: Calibration | None = None
    classes: list[ClassScores] | None = None
    threshold: Threshold | None = None
    importance: list[Importance] | None = None
    doubtful_labels: DoubtfulLabels | None = None
    optimism: Optimism | None
    overtuning: list[Incumbent] | None

    def section(self, name: SectionName) -> list[Arm]:
        """Return the arms of one section, in their order."""
        return [arm for arm in self.arms if arm.section == name]


class StudyRun(Record):
    """The results that differ between two runs of one study: times, and the MLflow runs by `section/arm`.

    Attributes:
        seconds: that each arm's training took, by `section/arm`.
    """

    parent_run: Annotated[str, Field(pattern=RUN_ID)] | None
    runs: dict[str, str]
    cost: Cost
    seconds: dict[str, float] = {}
    equal_time: EqualTime | None
    test_looks: TestLooks


def read_study() -> Study:
    """Read `study.json`.

    Raises:
        InputError: the file is missing or not what the stage study writes.
    """
    return _read(STUDY_FILE, Study)


def read_study_run() -> StudyRun:
    """Read `models/study_run.json`.

    Raises:
        InputError: the file is missing or not what the stage study writes.
    """
    return _read(STUDY_RUN_FILE, StudyRun)


def write_study(study: Study, run: StudyRun) -> None:
    """Write both result files."""
    write_json(STUDY_FILE, study.model_dump(mode="json"))
    write_json(STUDY_RUN_FILE, run.model_dump(mode="json"))


def _read(path: Path, kind: type[R]) -> R:
    return read_of("study", path, lambda path: kind.model_validate_json(path.read_bytes()))
