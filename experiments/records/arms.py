"""The records of a study's arms, and of what they answer: overfitting, and more data."""

from typing import Any

from experiments.records.record import Record, SectionName
from pipeline.statistics.comparisons import Finding
from pipeline.statistics.intervals import Interval


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
        onset_epoch: the epoch after the last minimum of that loss, which it never reaches again; a mean over the seeds
            that have one.
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
