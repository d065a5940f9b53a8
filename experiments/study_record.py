"""What the study leaves for those who read it: the schema of `study.json`, and where its files are."""

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from pipeline.errors import InputError
from pipeline.files import write_json
from pipeline.paths import RESULTS, STUDY_RUN_FILE

STUDY_FILE = RESULTS / "study.json"
STUDY_SEEDS_FILE = RESULTS / "study.csv"
STUDY_CURVES_FILE = RESULTS / "study_curves.csv"

SectionName = Literal[
    "remedies", "learning_curve", "capacity", "optimizers", "activations", "memorization", "winner"
]  # fmt: skip
Verdict = Literal["helps", "hurts", "no detectable difference"]


class Record(BaseModel):
    """A part of `study.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


R = TypeVar("R", bound=Record)


class Interval(Record):
    """A mean over seeds with its 95 % interval; None where it is not known (fewer than two seeds, or none)."""

    mean: float | None
    low: float | None
    high: float | None


class About(Record):
    """What was studied.

    Attributes:
        loss, score: the metrics' names: cross_entropy and accuracy, or rmse and r2.
        rows: of `train`, `val` (stops and chooses), `holdout` (judges) for each seed, and of `test`.
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
    rows: dict[Literal["train", "val", "holdout", "test"], int]
    digest: dict[str, str]
    seeds: list[int]
    resplit: bool
    epochs: int
    versions: dict[str, str]
    warnings: list[str]


class Arm(Record):
    """One configuration on all seeds.

    Attributes:
        name: of its own in its section, such as `dropout 0.3`, `all but dropout`, `64 rows`.
        factor: what was changed, such as `dropout`, `rows`, `width`, `depth`, `optimizer`, `activation`, `loss`.
        group: arms of a section that belong together. remedies: `baseline`, `single`, `together`, `leave_one_out`;
            learning_curve and capacity: `without` and `with` (the chosen remedy); optimizers: `defaults`, `tuned`,
            `equal_epochs`, `equal_updates`; activations: `activation`, `loss`; memorization: `labels`;
            winner: `default`, `winner`, `incumbent`.
        x: its place on the factor's scale: strength, rows, width, number of layers, trial; None where there is none.
        changes: settings, by dotted name, that differ from the configured model with every regularizer off.
        settings: all of its settings, by section, as they stand in `params.yaml`.
        chosen: of the strengths of one remedy the one with the lowest validation loss; True where there is no choice.
        scores: by split (train, val, holdout; test where it was scored) and metric, of the model that the arm ends
            with: that of the best epoch with early stopping, else of the last.
        validation: mean validation loss, by which arms are chosen; a seed that diverged counts like knowing nothing.
        best_epoch: of the lowest validation loss.
        gap_at_best, gap_at_end: validation minus training loss, at the best epoch and at the last.
        rise: validation loss at the end, less its minimum.
        holdout_rise: the same on the holdout rows, which had no say in which epoch is the best.
        onset_epoch: the first after which the validation loss never came back to its minimum; of the seeds with one.
        reference: the arm of the same section that it is compared with; None for those that are compared with none.
        difference: holdout loss less that of the reference, seed by seed; below 0 is better.
        p_adjusted: Holm's over the section's comparisons, or over those of the arms that leave one remedy out.
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
    weights: int
    train_rows: int
    diverged: int
    scores: dict[str, dict[str, Interval]]
    validation: float
    epochs: Interval
    best_epoch: Interval
    gap_at_best: Interval
    gap_at_end: Interval
    rise: Interval
    holdout_rise: Interval
    onset_epoch: Interval
    reference: str | None = None
    difference: Interval | None = None
    p: float | None = None
    p_adjusted: float | None = None
    probability_better: Interval | None = None
    verdict: Verdict | None = None


class Overfits(Record):
    """Whether the baseline overfits; see `pipeline.overfitting.overfits`. None: not known."""

    answer: bool | None
    rise: Interval
    train_rise: float | None
    p: float | None
    onset_epoch: float | None
    onset_range: tuple[float, float] | None


class PowerLaw(Record):
    """loss = floor + scale * rows ** -exponent, and what twice the rows would change, with its 95 % interval."""

    floor: float | None
    scale: float | None
    exponent: float | None
    rows: int
    predicted: float | None
    predicted_twice: float | None
    change: Interval


class Recommendation(Record):
    """The settings to use, chosen on validation rows among the arms that help; the baseline where none does.

    `test` has its scores on the test set, None without test rows; `new_rows` the same with intervals for other rows of
    the kind: what to expect on new data.
    """

    section: SectionName
    arm: str
    helps: bool
    settings: dict[str, dict[str, Any]]
    holdout: dict[str, Interval]
    test: dict[str, Interval] | None
    new_rows: dict[str, Interval] | None


class Optimism(Record):
    """What selecting cost: the search's winner, as promised, on fresh seeds, and on the test set (losses)."""

    trial: int
    trials: int
    promised: float
    fresh: Interval
    test: Interval | None
    optimism_fresh: float | None
    optimism_test: float | None
    beats_default: Verdict | None


class Incumbent(Record):
    """The best trial so far after a number of trials: its value in the search, and its test loss on fresh seeds."""

    trial: int
    promised: float
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
    """What the study took, and what stock `Model.fit` would have taken, extrapolated from a measured sample.

    `seconds` counts the trainings that were kept from before with what they had taken then.
    """

    runs: int
    seed_epochs: int
    seconds: float
    model_fit_seconds: float | None
    model_fit_sample: str | None


class Study(Record):
    """All of `study.json`; what a section that is switched off would have given is None.

    `equal_budgets` says whether the search gave every optimizer as many trials.
    """

    about: About
    arms: list[Arm]
    overfits: Overfits
    chosen_remedy: str | None
    power_law: dict[Literal["without", "with"], PowerLaw] | None
    recommendation: Recommendation
    optimism: Optimism | None
    overtuning: list[Incumbent] | None
    equal_budgets: bool = False

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
