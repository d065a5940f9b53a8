"""Sentences on how far training rows are learnt by heart."""

from experiments.report.arms import full_name, score_of
from experiments.report.evidence import Evidence
from experiments.report.language import _
from experiments.report.numbers import sentence
from pipeline.statistics.intervals import Interval


def describe(evidence: Evidence) -> list[str]:
    """Return the scores with true and shuffled labels, which show how far training rows are learnt by heart."""
    metric, parts = evidence.numbers.score, []
    for arm in evidence.study.section("memorization"):
        train = evidence.numbers.scores(Interval(score_of(arm, "train", metric).mean))
        held_out = evidence.numbers.scores(score_of(arm, "holdout", metric))
        parts.append(
            _("{labels}: {train} on training rows and {held_out} on holdout rows").format(
                labels=full_name(arm), train=train, held_out=held_out
            )
        )
    nothing = evidence.phrases.nothing(metric)
    chance = ""
    if nothing is not None:
        chance = _(" (knowing nothing: {score})").format(score=evidence.numbers.scores(Interval(nothing)))
    return [
        _("{Score} with {scores}{chance}.").format(
            Score=sentence(evidence.numbers.score_name), scores=_("; with ").join(parts), chance=chance
        ),
        _(
            "Shuffled labels have nothing to do with the features, so what is reached on their training rows and "
            "not on new ones is memory."
        ),
    ]
