"""The records of a study's choices: what it recommends, and what the search's winner is worth."""

from typing import Any

from experiments.records.record import OtherScore, Record, SectionName
from pipeline.choices import NewRows
from pipeline.statistics.comparisons import Finding
from pipeline.statistics.intervals import Interval


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
    """The arm that another score than the loss would recommend of the same candidates, at the best of its strengths.

    Attributes:
        difference: its score less that of the recommended arm, row by row, each chosen for every fold by the other
            folds; None where it is the recommended arm.
    """

    score: OtherScore
    section: SectionName
    arm: str
    difference: Interval | None


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
