"""Gradient descent, mini-batches and single examples, which are a part of the section on optimizers."""

from experiments.study.arms import Arm, baseline
from pipeline.params import with_values
from pipeline.settings import Settings

# The three are compared on a small training set, where an epoch of each is affordable: single examples take a step for
# every row.
BATCH_ROWS = 256
LARGEST_BATCH = 1 / 4  # of these rows: a mini-batch of all of them is gradient descent
BATCH_RATES = (0.01, 0.1, 1.0)
BATCH_EPOCHS = 10


def batches(settings: Settings, n: int) -> list[Arm]:
    """Return gradient descent, mini-batches and single examples, each with a few learning rates that compete.

    Each trains until it has had as many epochs as the others, and as many updates; it is read at both.
    """
    base, rows = baseline(settings), min(BATCH_ROWS, n)
    batch = max(2, min(base.train.batch_size, int(rows * LARGEST_BATCH)))
    updates_an_epoch = {"gradient descent": 1, "mini-batches": -(-rows // batch), "single examples": rows}
    arms = []
    for kind, updates in updates_an_epoch.items():
        at_equal_updates = round(rows / updates)  # as many as single examples have in one epoch
        changes = {
            "train.optimizer": "gd" if updates == 1 else "sgd",
            "train.batch_size": 1 if updates == rows else batch,
            "train.momentum": None,
            "train.weight_decay": None,
            "train.schedule": "constant",
            "train.epochs": max(BATCH_EPOCHS, at_equal_updates),
        }
        for group, epoch in (("equal_epochs", BATCH_EPOCHS), ("equal_updates", at_equal_updates)):
            for rate in BATCH_RATES:
                changed = with_values(base, changes | {"train.learning_rate": rate}, "study")
                name, options = f"{kind}, {group.replace('_', ' ')}, rate {rate:g}", f"{kind}, {group}"
                scored = {"rows": rows, "read_at": epoch}
                arms.append(Arm.of(changed, "optimizers", name, kind, group, x=rate, options=options, **scored))
    return arms
