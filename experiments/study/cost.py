"""The cost of the study's trainings, and how the three kinds of batches fare in equal time."""

import numpy as np

from experiments import records as record
from experiments.study.compared import Compared
from experiments.study.jobs import Job, Result
from experiments.study.scored import Scored
from pipeline.statistics import scores
from pipeline.statistics.intervals import Interval


def cost(results: dict[Job, Result], seeds: int, seconds: float) -> record.Cost:
    """Count the trainings of all seeds, and their epochs."""
    return record.Cost(
        runs=len(results) * seeds,
        seed_epochs=sum(len(result.fitted.history) for result in results.values()),
        seconds=seconds,
    )


def equal_time(optimizers: Compared | None) -> record.EqualTime | None:
    """Return the holdout losses of the three kinds of batches at the time when the fastest has trained all epochs.

    None where the section on optimizers, which they are a part of, is switched off.
    """
    kinds: dict[str, list[Scored]] = {}
    for arm in optimizers.arms if optimizers else []:
        if arm.group == "equal_updates":
            kinds.setdefault(arm.configuration.factor, []).append(arm)
    if not kinds:
        return None
    # The first training of a graph also compiles it, so the fastest of the rates tells what an epoch takes.
    per_epoch = {
        kind: min(arm.result.seconds / arm.result.fitted.history["epoch"].max() for arm in arms)
        for kind, arms in kinds.items()
    }
    most_epochs = {kind: arms[0].configuration.train.epochs for kind, arms in kinds.items()}
    seconds = min(per_epoch[kind] * most_epochs[kind] for kind in kinds)
    losses: dict[str, Interval] = {}
    epochs: dict[str, float] = {}
    for kind, arms in kinds.items():
        epoch = max(1, min(most_epochs[kind], int(seconds / per_epoch[kind])))
        chosen = min(arms, key=lambda arm: _losses_at(arm, "validation", epoch).mean())
        by_seed = _losses_at(chosen, "holdout", epoch)
        epochs[kind] = epoch
        losses[kind] = scores.interval_over_seeds(chosen.loss, by_seed, chosen.rows.ring.n)
    return record.EqualTime(seconds=seconds, losses=losses, epochs=epochs)


def _losses_at(arm: Scored, split: str, epoch: int) -> np.ndarray:
    """Return the losses of the seeds after an epoch; one that diverged is worth what knowing nothing is."""
    history = arm.result.fitted.history
    by_seed = history[history["epoch"] == epoch].set_index("seed")[f"{split}_{arm.loss}"]
    losses = by_seed.reindex(arm.table["seed"]).to_numpy()
    return np.where(np.isfinite(losses), losses, arm.floor_loss)
