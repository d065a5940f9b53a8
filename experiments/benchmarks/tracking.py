"""Benchmark of MLflow: its share of a run's time, and the time to record a trial, from the 1st to the 1,000th.

Three ways to record a trial take turns, trial by trial, each with its own SQLite store. A way that has used `LIMIT`
seconds stops, and the last trials it recorded count as its last ones.
"""

import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from experiments.benchmarks.fresh import fresh
from experiments.benchmarks.project import Project
from experiments.benchmarks.records import Measured, Record, record

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

PART, REPETITIONS = "tracking", 3
OURS, CALLBACK, STORAGE = "this project", "Optuna's MLflowCallback", "MLflow's MlflowStorage for Optuna"
TRIALS, WINDOW, LIMIT = 1000, 20, 150.0
EPOCHS, PARAMS = 30, 12  # of a trial: the number of points of its curve, and of searched settings
STAGES = ("pipeline.source", "pipeline.prepare", "pipeline.build", "pipeline.train")


class Recorder(Protocol):
    """A way to record a trial."""

    def add(self, number: int, params: dict[str, float], curve: Sequence[float]) -> None: ...


class Ours:
    """This project's child run, with all that the search logs: params, scores and the curve."""

    def __init__(self, folder: Path):
        from pipeline.tracking.parent import ParentRun

        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/ours.db"
        self.parent = ParentRun("search", "benchmark")
        self.parent.open()

    def add(self, number: int, params: dict[str, float], curve: Sequence[float]) -> None:
        """Log the finished trial."""
        from pipeline.tracking.parent import ChildRecord

        now = int(time.time() * 1000)
        scores = {"value_0": min(curve), "seconds": 1.0, "best_epoch": float(np.argmin(curve))}
        curves, tags = {"epoch.validation_loss": curve}, {"optuna.trial": str(number)}
        name = f"trial {number}"
        self.parent.add([ChildRecord(str(number), name, "FINISHED", params, scores, curves, tags, now, now)])


class Callback:
    """Optuna's own callback, which logs params, the value and tags, but no curve."""

    def __init__(self, folder: Path):
        import mlflow
        import optuna
        from optuna_integration import MLflowCallback

        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        uri = f"sqlite:///{folder}/callback.db"
        mlflow.MlflowClient(uri).create_experiment("benchmark")  # making the store counts for none of the three
        self.log = MLflowCallback(tracking_uri=uri, metric_name="value")
        self.study = optuna.create_study(study_name="benchmark")

    def add(self, number: int, params: dict[str, float], curve: Sequence[float]) -> None:
        """Log the finished trial."""
        import optuna

        distributions: dict[str, BaseDistribution] = {
            name: optuna.distributions.FloatDistribution(0, 1) for name in params
        }
        trial = optuna.trial.create_trial(params=params, distributions=distributions, value=min(curve))
        self.study.add_trial(trial)
        self.log(self.study, self.study.trials[-1])


class Storage:
    """MLflow as Optuna's storage, which records the trial, its params, the curve and the value."""

    def __init__(self, folder: Path):
        import mlflow
        import optuna
        from mlflow.optuna.storage import MlflowStorage

        mlflow.set_tracking_uri(f"sqlite:///{folder}/storage.db")
        storage = MlflowStorage(mlflow.create_experiment("benchmark"))
        self.study = optuna.create_study(storage=storage, sampler=optuna.samplers.RandomSampler(seed=0))

    def add(self, number: int, params: dict[str, float], curve: Sequence[float]) -> None:
        """Do all that a study does with its storage for a trial."""
        trial = self.study.ask()
        for name in params:
            trial.suggest_float(name, 0, 1)
        for epoch, value in enumerate(curve, start=1):
            trial.report(value, epoch)
        self.study.tell(trial, min(curve))


RECORDERS: dict[str, Callable[[Path], Recorder]] = {OURS: Ours, CALLBACK: Callback, STORAGE: Storage}


def trials(task: dict[str, Any]) -> dict[str, list[float]]:
    """Time the recording of each trial by each recorder; called in a process of its own."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        recorders: dict[str, Recorder] = {name: make(Path(folder)) for name, make in RECORDERS.items()}
        seconds: dict[str, list[float]] = {name: [] for name in recorders}
        for number in range(task["trials"]):
            params = {f"param_{place}": float(value) for place, value in enumerate(rng.uniform(size=PARAMS))}
            curve = rng.uniform(size=EPOCHS).tolist()
            for name, recorder in recorders.items():
                if sum(seconds[name]) > task["limit"]:
                    continue
                began = time.perf_counter()
                recorder.add(number, params, curve)
                seconds[name].append(time.perf_counter() - began)
    return seconds


def evaluate(task: dict[str, Any]) -> dict[str, float]:
    """Run the stage evaluate in this process; return the seconds of logging, importing mlflow included."""
    from pipeline import evaluate as stage
    from pipeline.tracking import run as tracking

    spent, log_run = [], tracking.log_run

    def timed(record: tracking.RunRecord) -> str:
        began = time.perf_counter()
        try:
            return log_run(record)
        finally:
            spent.append(time.perf_counter() - began)

    tracking.log_run = timed
    sys.argv[1:] = []
    stage.main()
    return {"seconds": sum(spent)}


def of_trials(seconds: dict[str, list[float]], n_trials: int) -> list[Record]:
    """Return records of the first and the last trials of each recorder."""
    records = []
    for label, part in ((f"trials 1 to {WINDOW}", slice(WINDOW)), (f"trials up to {n_trials}", slice(-WINDOW, None))):
        stock = float(np.median(seconds[CALLBACK][part]))
        for name, trial_seconds in seconds.items():
            n_recorded = len(trial_seconds)
            note = "" if n_recorded == n_trials else f"stopped at trial {n_recorded}, after {sum(trial_seconds):.0f} s"
            measured = [Measured([value], note=note) for value in trial_seconds[part]]
            records.append(record(PART, f"recording a trial: {label}", name, 1, "s", measured, stock))
    return records


def of_runs(quick: bool) -> list[Record]:
    """Measure MLflow's share of the stage evaluate, and of train and evaluate together."""
    shares: dict[str, list[Measured]] = {"evaluate": [], "train and evaluate": []}
    with tempfile.TemporaryDirectory() as folder:
        train = {"epochs": 5} if quick else {}
        project = Project(Path(folder), data={"source": "digits"}, train=train)
        project.stage(*STAGES)
        for turn in range(1 if quick else REPETITIONS):
            print(f"{PART}: a run, turn {turn + 1}", flush=True)
            trained = project.stage("pipeline.train")
            evaluated = fresh("tracking.evaluate", {}, project.folder)
            logged = evaluated.value["seconds"]
            note = f"{logged:.2f} s of {{}} s on digits"
            for name, seconds in (("evaluate", evaluated.seconds), ("train and evaluate", trained + evaluated.seconds)):
                shares[name].append(Measured([logged / seconds], note=note.format(f"{seconds:.1f}")))
    return [record(PART, "MLflow's share of a run", name, 5, "share", turns) for name, turns in shares.items()]


def run(quick: bool) -> list[Record]:
    """Measure the recording of trials, and MLflow's share of a run."""
    n_trials = 3 * WINDOW if quick else TRIALS
    print(f"{PART}: {n_trials} trials", flush=True)
    seconds = fresh("tracking.trials", {"trials": n_trials, "limit": 10.0 if quick else LIMIT}).value
    return [*of_trials(seconds, n_trials), *of_runs(quick)]
