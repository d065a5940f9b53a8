"""The baseline of a study."""

from typing import get_args

import pytest

from experiments.study import arms
from pipeline.choices import Optimizer
from pipeline.settings import EarlyStopping, Model, Train
from pipeline.training.optimizers import make_optimizer
from tests.study.questions.configured import settings


def test_the_baseline_is_the_configured_model_with_every_regularizer_off():
    regularized = settings(
        model={"l2": 0.1, "dropout": 0.5, "batch_norm": True, "max_norm": 1.0},
        train={"ema": 0.9, "label_smoothing": 0.1, "early_stopping": EarlyStopping(), "learning_rate": 0.02},
    )
    base = arms.baseline(regularized)
    assert base.model == Model(hidden_units=[8, 4])
    assert base.train == Train(epochs=6, learning_rate=0.02)


@pytest.mark.parametrize("optimizer", get_args(Optimizer))
def test_the_baseline_has_no_weight_decay_of_its_optimizer_s_own(optimizer):
    train = arms.baseline(settings(train={"optimizer": optimizer})).train
    assert not make_optimizer(train).weight_decay
    assert not getattr(make_optimizer(train), "adam_weight_decay", None)
