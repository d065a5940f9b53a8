"""The training sizes that a study compares."""

from experiments.study.questions.learning_curve import learning_curve
from experiments.study.questions.remedies import remedies
from tests.study.questions.configured import settings


def test_each_training_size_is_compared_with_half_of_it():
    base = remedies(settings(), is_classification=True)[0]
    curve = learning_curve(settings(sizes=4), base, "without", n=1150, fewest=200)
    assert [(arm.x, arm.rows) for arm in curve] == [(287, 287), (575, 575), (1150, None)]
    assert [arm.reference for arm in curve] == [None, "287 rows, without", "575 rows, without"]
