"""The comparison of the search's winner with its default."""

from experiments.study.questions.winner import winner
from tests.study.questions.configured import names, settings


def test_the_winner_is_compared_with_the_default_that_the_search_began_with():
    def trial(number: int, rate: float) -> dict:
        changed = settings(train={"learning_rate": rate, "epochs": 9})
        sections = {"model": changed.model.model_dump(), "train": changed.train.model_dump()}
        return {"trial": number, "settings": sections}

    search = {"default": trial(0, 0.1), "best": trial(7, 0.3), "incumbents": [trial(0, 0.1), trial(4, 0.2)]}
    arms = winner(settings(), search)
    assert names(arms) == ["default", "winner", "trial 0", "trial 4"]
    assert [arm.x for arm in arms] == [0, 7, 0, 4]
    assert [arm.reference for arm in arms] == [None, "default", None, None]
    assert [arm.train.learning_rate for arm in arms] == [0.1, 0.3, 0.1, 0.2]
    # A trial is judged by its best epoch, so it keeps that epoch's weights.
    assert {arm.train.early_stopping.patience for arm in arms} == {9}


def test_without_a_finished_trial_there_is_no_winner():
    assert winner(settings(), {"best": None, "default": None}) == []
