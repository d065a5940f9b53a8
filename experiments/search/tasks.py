"""The function that a search's worker calls; TensorFlow is imported there, since the search itself needs none."""

from experiments.search.jobs import Job, TrialEnd
from pipeline.data.examples import Examples


def run(examples: Examples, jobs: list[Job]) -> list[TrialEnd]:
    """Train jobs side by side, in a worker; see `trial.run_jobs`."""
    from experiments.search.trial import run_jobs

    return run_jobs(examples, jobs)
