"""The objectives of a search are the scores of the project, each in its direction."""

from typing import get_args

from optuna.study import StudyDirection

from experiments.search.objectives import directions, scores_of
from pipeline.choices import OBJECTIVES, Objective
from pipeline.settings import Search
from pipeline.statistics.metrics import FURTHER
from pipeline.statistics.scores import HIGHER_IS_BETTER, METRICS


def test_directions_and_tasks_are_those_of_the_scores():
    assert list(OBJECTIVES) == list(get_args(Objective))
    for name, facts in OBJECTIVES.items():
        assert facts.is_maximized == (name in HIGHER_IS_BETTER)
        if facts.is_score:
            assert [task for task in METRICS if name in (*METRICS[task], *FURTHER[task])] == [facts.task]


def test_second_objective_has_a_direction_of_its_own():
    search = Search(objectives=["brier", "accuracy"], pruner="none")
    assert directions(search) == [StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE]
    assert scores_of(["cross_entropy", "gap", "weights"]) == []
