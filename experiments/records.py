"""What the study leaves for those who read it: the schema of `study.json`, and where its files are."""

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from pipeline.errors import InputError
from pipeline.files import write_json
from pipeline.paths import RESULTS, STUDY_RUN_FILE
from pipeline.statistics.comparisons import Finding
from pipeline.statistics.intervals import Interval

STUDY_FILE = RESULTS / "study.json"
STUDY_SEEDS_FILE = RESULTS / "study.csv"
STUDY_CURVES_FILE = RESULTS / "study_curves.csv"

SectionName = Literal[
    "remedies", "learning_curve", "capacity", "optimizers", "activations", "memorization", "winner"
]  # fmt: skip


class Record(BaseModel):
    """A part of `study.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


R = TypeVar("R", bound=Record)


class About(Record):
    """What was studied.

    Attributes:
        loss, score: the metrics' names: cross_entropy and accuracy, or rmse and r2.
        rows: to `train` on for each seed, in the `pool` whose rows are held out in turn, and in `test`.
        folds, rings: into how many folds the pool is cut, and how often.
        knowing_nothing: what the class shares, or the mean, of the training rows score on the rows that judge
            (`holdout`) and on `test`, by metric.
        digest: SHA-256 of each prepared split.
        epochs: that each arm may train.
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
    folds: int
    rings: int
    knowing_nothing: dict[Literal["holdout", "test"], dict[str, float]]
    digest: dict[str, str]
    seeds: list[int]
    epochs: int
    versions: dict[str, str]
    warnings: list[str]


class Influence(Record):
    """The rows that carry most of a difference.

    Attributes:
        rows: their numbers in the source, counted from 1, the most influential one first; None where not known.
        differences: the mean difference of each in the loss a row (cross-entropy, or squared error).
        without: the difference that is left without them.
    """

    rows: list[int] | None
    differences: list[float]
    without: float


class Arm(Record):
    """One configuration on all seeds.

    Attributes:
        name: of its own in its section, such as `dropout 0.3`, `all but dropout`, `64 rows`.
        factor: what was changed, such as `dropout`, `rows`, `width`, `depth`, `optimizer`, `activation`, `loss`.
        group: arms of a section that belong together. remedies: `baseline`, `best_epoch` (the baseline with the weights
            of its best epoch), `single`, `together`, `leave_one_out`; learning_curve and capacity: `without` and `with`
            (the chosen remedy); optimizers: `defaults`, `tuned`, `equal_epochs`, `equal_updates`; activations:
            `activation`, `loss`; memorization: `labels`; winner: `default`, `winner`, `incumbent`.
        x: its place on the factor's scale: strength, learning rate, rows, width, number of layers, trial; None where
            there is none.
        changes: settings, by dotted name, that differ from the configured model with every regularizer off.
        settings: all of its settings, by section, as they stand in `params.yaml`.
        chosen: of arms that compete, such as the strengths of one remedy, the one with the lowest holdout loss; True
            where there is no choice. The holdout scores and the difference of a chosen one are those of the choice:
            each fold is judged by the arm that is best on the other folds.
        picks: in how many folds each competing arm was the best on the others, by name; None where none competes.
        scores: by split (train, holdout; test where it was scored) and metric, of the model that the arm ends with:
            that of the best epoch with early stopping, else of the last. Rows are held out by two seeds each, and
            stopped and chosen by other rows. A seed that diverged counts as knowing nothing.
        gap: how much worse each metric is on holdout than on training rows.
        seeds_range: the lowest and highest holdout loss of a seed where some seeds collapse and others do not, which
            the interval cannot cover; else None.
        best_epoch: of the lowest loss on the rows held out.
        onset_epoch: the first after which that loss never came back to its minimum; of the seeds with one.
        reference: the arm of the same section that it is compared with; None for those that are compared with none.
        difference: holdout loss less that of the reference, row by row; below 0 is better. The intervals of the arms
            that answer one question hold together.
        p_adjusted: Holm's over the arms that answer one question.
        detectable: the difference that four of five such studies would have found.
        times_rows, times_rings: how many times as many rows, or rings of seeds, would find a difference of this size.
        probability_better: that a seed of this arm has a lower holdout loss than the same seed of the reference.
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
    """Whether the baseline overfits: does better on the rows it was trained on than on new ones.

    Attributes:
        answer: whether the gap of the loss is above 0 with its whole interval; None where it is not known.
        gap: of each metric, at the last epoch; above 0 is worse on new rows.
        rises: whether training on beyond the best epoch makes the loss on new rows worse: the interval of the rise lies
            above 0, and the training loss does not rise as well, as it does where training is unsteady.
        rise: the holdout loss of the last epoch less that of the best, which these rows did not choose.
        score_rise: the same of the score, turned so that above 0 is worse.
        train_rise: the training loss of the last epoch less that of the best; mean over the seeds.
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
    """loss = floor + scale * rows ** -exponent, and what twice the rows would change, with its 95 % interval.

    `predicted_before` is the loss at `rows` that the law without that point predicts, and `seen` the one that came.
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
    """The settings to use, of the lowest holdout loss among the arms that help; the baseline where none does.

    Attributes:
        holdout: its scores on rows that did not choose it: each fold is judged by the arm that would be recommended
            from the other folds.
        test: its scores on the test set, with intervals for other seeds and other rows of the kind; None without test
            rows.
        over_nothing: its holdout loss less that of knowing nothing.
        beats_nothing: whether that is found to be below 0; None where it is not known.
    """

    section: SectionName
    arm: str
    helps: bool
    settings: dict[str, dict[str, Any]]
    holdout: dict[str, Interval]
    test: dict[str, Interval] | None
    over_nothing: Interval
    beats_nothing: bool | None


class Optimism(Record):
    """What selecting cost: the search's winner, as promised, and what it scores where nothing was chosen (losses).

    Attributes:
        promised: the lowest value of the search.
        same_rows: fresh seeds, on the rows that the search chose by; None where the search had no rows of its own.
        fresh: fresh seeds, on rows that chose nothing; None where the search has chosen by all rows.
        beats_default: the verdict against the default that the search began with.
        judged_on: the rows of that verdict.
        at_edge: what the search found at an end of its space, such as `train.learning_rate at its highest, 0.3`.
    """

    trial: int
    trials: int
    promised: float
    same_rows: Interval | None
    fresh: Interval | None
    test: Interval | None
    optimism_fresh: float | None
    optimism_test: float | None
    beats_default: Finding | None
    judged_on: Literal["holdout", "test"]
    at_edge: list[str]


class Incumbent(Record):
    """The best trial so far after a number of trials: as `Optimism` has the winner; `trials` were tried by then."""

    trial: int
    trials: int
    promised: float
    same_rows: Interval | None
    fresh: Interval | None
    test: Interval | None


class EqualTime(Record):
    """Losses of gradient descent, mini-batches and single examples once each has trained for as many seconds."""

    seconds: float
    losses: dict[str, Interval]
    epochs: dict[str, float]


class TestLooks(Record):
    """How often this test set has been looked at, as far as MLflow knows: this study's look is the last."""

    looks: int | None
    settings_changed_after_a_look: bool


class Cost(Record):
    """What the study took; `seconds` counts the trainings that were kept from before with what they had taken then."""

    runs: int
    seed_epochs: int
    seconds: float


class Study(Record):
    """All of `study.json`; what a section that is switched off would have given is None."""

    about: About
    arms: list[Arm]
    overfits: Overfits
    chosen_remedy: str | None
    power_law: dict[Literal["without", "with"], PowerLaw] | None
    recommendation: Recommendation
    optimism: Optimism | None
    overtuning: list[Incumbent] | None

    def section(self, name: SectionName) -> list[Arm]:
        """The arms of one section, in their order."""
        return [arm for arm in self.arms if arm.section == name]


class StudyRun(Record):
    """What differs between two runs of one study, kept apart: times, and the MLflow runs by `section/arm`."""

    parent_run: str | None
    runs: dict[str, str]
    cost: Cost
    equal_time: EqualTime | None
    test_looks: TestLooks


def read_study() -> Study:
    """Read `study.json`.

    Raises:
        InputError: it is missing or not what the stage study writes.
    """
    return _read(STUDY_FILE, Study)


def read_study_run() -> StudyRun:
    """Read `models/study_run.json`.

    Raises:
        InputError: it is missing or not what the stage study writes.
    """
    return _read(STUDY_RUN_FILE, StudyRun)


def write_study(study: Study, run: StudyRun) -> None:
    """Write both."""
    write_json(STUDY_FILE, study.model_dump(mode="json"))
    write_json(STUDY_RUN_FILE, run.model_dump(mode="json"))


def _read(path: Path, kind: type[R]) -> R:
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run `dvc repro`") from None
    except ValueError:
        raise InputError(f"{path} is not what the stage study writes; delete it and run `dvc repro`") from None
