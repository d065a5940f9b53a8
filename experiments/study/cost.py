"""What the study's trainings cost, and how the three kinds of batches fare in equal time."""

from collections.abc import Iterable

import numpy as np

from experiments import records as record
from experiments.study.jobs import Job, Result
from experiments.study.scored import Scored
from pipeline.statistics import scores


def cost(results: dict[Job, Result], seeds: int, seconds: float) -> record.Cost:
    """Count the trainings of all seeds, and their epochs."""
    return record.Cost(
        runs=len(results) * seeds, seed_epochs=sum(len(result.history) for result in results.values()), seconds=seconds
    )


def equal_time(batches: Iterable[Scored]) -> record.EqualTime | None:
    """Return the holdout losses of the three kinds of batches after as many seconds as the fastest trains in all."""
    kinds: dict[str, list[Scored]] = {}
    for each in batches:
        kinds.setdefault(each.arm.factor, []).append(each)
    if not kinds:
        return None
    # The first training of a graph also compiles it, so the fastest of the rates tells what an epoch takes.
    per_epoch = {
        kind: min(each.result.seconds / each.result.history["epoch"].max() for each in arms)
        for kind, arms in kinds.items()
    }
    seconds = min(per_epoch[kind] * arms[0].arm.train.epochs for kind, arms in kinds.items())
    losses, epochs = {}, {}
    for kind, arms in kinds.items():
        epochs[kind] = max(1, min(arms[0].arm.train.epochs, int(seconds / per_epoch[kind])))
        chosen = min(arms, key=lambda each: _at(each, "val", epochs[kind]).mean())
        losses[kind] = scores.interval_over_seeds(chosen.loss, _at(chosen, "holdout", epochs[kind]), chosen.rows.ring.n)
    return record.EqualTime(seconds=seconds, losses=losses, epochs=epochs)


def _at(each: Scored, split: str, epoch: int) -> np.ndarray:
    """Return the losses of the seeds after an epoch; one that diverged is worth what knowing nothing is."""
    at = each.result.history[each.result.history["epoch"] == epoch].set_index("seed")[f"{split}_{each.loss}"]
    losses = at.reindex(each.table["seed"]).to_numpy()
    return np.where(np.isfinite(losses), losses, each.floor_loss)
