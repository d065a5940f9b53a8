"""What the study's trainings cost, next to stock `Model.fit`, and how the three kinds of batches fare in equal time."""

import time
from collections.abc import Iterable

import numpy as np

from experiments import study_record as record
from experiments.study_data import Rows
from experiments.study_jobs import Job, Result
from experiments.study_scores import Scored
from pipeline import scores

SAMPLED_EPOCHS = 5


def cost(results: dict[Job, Result], rows: Rows, base: Job, seeds: int, seconds: float) -> record.Cost:
    """The number of trainings, and what stock `Model.fit` would take for them, from a sample of it that is measured."""
    first, per_step = model_fit_sample(base, rows)
    steps = sum(len(result.history) * steps_an_epoch(job, rows) for job, result in results.items())
    runs = len(results) * seeds
    work = f"{rows.problem.n_features}-{'-'.join(map(str, base.model.hidden_units))}-{rows.problem.n_outputs}"
    return record.Cost(
        runs=runs,
        seed_epochs=sum(len(result.history) for result in results.values()),
        seconds=seconds,
        model_fit_seconds=runs * first + steps * per_step,
        model_fit_sample=f"{work}, {SAMPLED_EPOCHS} epochs of {steps_an_epoch(base, rows)} steps with validation: "
        f"{per_step * 1000:.2f} ms a step, and {first:.2f} s to build and compile",
    )


def steps_an_epoch(job: Job, rows: Rows) -> int:
    """Optimizer steps in an epoch of one seed."""
    from pipeline.trainer import batch_size

    n = job.rows or rows.train.shape[1]
    return -(-n // batch_size(job.train, n))


def model_fit_sample(job: Job, rows: Rows) -> tuple[float, float]:
    """Seconds that stock `Model.fit` takes to build and compile, and for each step after that, validation included."""
    from pipeline.backend import keras
    from pipeline.model import build_keras
    from pipeline.optimizers import make_optimizer
    from pipeline.trainer import batch_size

    began = time.perf_counter()
    plain = build_keras(job.model, rows.problem)
    is_classification = rows.problem.is_classification
    loss = "sparse_categorical_crossentropy" if is_classification else "mean_squared_error"
    plain.compile(make_optimizer(job.train), loss, metrics=["accuracy"] if is_classification else [])
    stamps = [began]
    plain.fit(
        rows.x[rows.train[0]],
        rows.y[rows.train[0]],
        batch_size=batch_size(job.train, len(rows.train[0])),
        epochs=1 + SAMPLED_EPOCHS,
        validation_data=(rows.x[rows.val[0]], rows.y[rows.val[0]]),
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: stamps.append(time.perf_counter()))],
        verbose=0,
    )
    first, *others = np.diff(stamps)
    return float(first - np.median(others)), float(np.median(others) / steps_an_epoch(job, rows))


def equal_time(batches: Iterable[Scored]) -> record.EqualTime | None:
    """The holdout losses of the three kinds of batches after as many seconds as the fastest trains in all."""
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
        losses[kind] = record.Interval(**scores.interval(_at(chosen, "holdout", epochs[kind]), chosen.overlap))
    return record.EqualTime(seconds=seconds, losses=losses, epochs=epochs)


def _at(each: Scored, split: str, epoch: int) -> np.ndarray:
    """The losses of the seeds after an epoch; one that diverged is worth what knowing nothing is."""
    at = each.result.history[each.result.history["epoch"] == epoch].set_index("seed")[f"{split}_{each.loss}"]
    found = at.reindex(each.table["seed"]).to_numpy()
    return np.where(np.isfinite(found), found, each.chance)
