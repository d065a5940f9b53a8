"""The function that a study's worker calls; TensorFlow is imported there, since the study itself needs none."""

from experiments.study.jobs import Job, Result
from experiments.study.rows import Rows
from pipeline.training.fast.process import compile_for


def run(rows: Rows, jobs: list[Job], seeds: list[int], epochs: int) -> list[Result]:
    """Train jobs side by side, in a worker; see `worker.train`.

    Args:
        epochs: the number that most jobs of the study have, by which the process chooses how well it compiles.
    """
    from experiments.study.worker import train

    compile_for(rows.train.shape[1] * epochs)
    return train(jobs, rows, seeds)
