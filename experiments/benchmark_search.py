"""A search with this project against the same trials in plain Optuna, `keras.Model.fit` and MLflow, in one run.

`python -m experiments.benchmark_search` runs a search on digits, without pruning, in a temporary folder. Then it
repeats a few of the trials one `Model.fit` after another, and extrapolates by the number of epochs and seeds. It writes
`experiments/results/benchmark_search.json`, a list of records.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mlflow
import optuna

from pipeline.backend import keras
from pipeline.errors import run_stage
from pipeline.files import write_json
from pipeline.model import build_keras
from pipeline.optimizers import make_optimizer
from pipeline.params import Settings, parse_settings, read_settings, seed_list
from pipeline.paths import RESULTS
from pipeline.splits import read_split, read_summary

BENCHMARK_FILE = RESULTS / "benchmark_search.json"
SAMPLE = 5  # trials that the plain way repeats
TRIALS = 40


@dataclass(frozen=True)
class Record:
    """What one peer took for the whole search; `sampled_trials` of it were run where that is not all of them."""

    work: str
    peer: str
    replicas: int
    seconds: float
    ratio: float
    sampled_trials: int
    seed_epochs: int


def run_search(folder: Path) -> float:
    """Prepare digits and search, each as its own command; seconds of the search, imports included."""
    settings = read_settings()
    search = settings.search.model_copy(update={"trials": TRIALS, "pruner": "none", "storage": None, "dask": None})
    data = settings.data.model_copy(update={"source": "digits"})
    content = settings.model_copy(update={"search": search, "data": data}).model_dump_json()
    (folder / "params.yaml").write_text(content, encoding="utf-8")  # JSON is YAML
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    for stage in ("pipeline.source", "pipeline.prepare"):
        subprocess.run([sys.executable, "-m", stage], cwd=folder, env=environment, check=True)
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "experiments.search"], cwd=folder, env=environment, check=True)
    return time.perf_counter() - began


def finished_trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    """The trials of the search in this folder, in their order."""
    backend = optuna.storages.journal.JournalFileBackend(str(folder / "experiments" / "search.journal"))
    storage = optuna.storages.journal.JournalStorage(backend)
    (name,) = optuna.get_all_study_names(storage)
    trials = optuna.load_study(storage=storage, study_name=name).get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    return sorted(trials, key=lambda trial: trial.number)


def fit_plainly(settings: Settings, seed: int, rows: dict[str, Any], n_outputs: int) -> tuple[float, int]:
    """One `Model.fit` with early stopping; the lowest validation loss and how many epochs it took."""
    keras.utils.set_random_seed(seed)
    plain = build_keras(settings.model, rows["problem"])
    smoothing = settings.train.label_smoothing
    labels = [keras.utils.to_categorical(rows[part].y, n_outputs) for part in ("train", "validation")]
    plain.compile(make_optimizer(settings.train), keras.losses.CategoricalCrossentropy(label_smoothing=smoothing))
    stopping = settings.train.early_stopping
    callbacks = (
        [keras.callbacks.EarlyStopping(patience=stopping.patience, restore_best_weights=True)] if stopping else []
    )
    history = plain.fit(
        rows["train"].x,
        labels[0],
        batch_size=settings.train.batch_size,
        epochs=settings.train.epochs,
        validation_data=(rows["validation"].x, labels[1]),
        callbacks=callbacks,
        verbose=0,
    ).history
    return min(history["val_loss"]), len(history["val_loss"])


def run_plainly(trials: list[optuna.trial.FrozenTrial], seeds: list[int]) -> tuple[float, int]:
    """Repeat trials one `Model.fit` after another, each tracked with a few calls; seconds, and epochs of all seeds."""
    summary = read_summary()
    rows = {"problem": summary.problem, "train": read_split("train"), "validation": read_split("validation")}
    mlflow.set_tracking_uri("sqlite:///plain.db")
    mlflow.set_experiment("plain")
    study = optuna.create_study(storage="sqlite:///plain-optuna.db")
    epochs, began = 0, time.perf_counter()
    for trial in trials:
        settings = parse_settings(trial.user_attrs["settings"])
        asked = study.ask(trial.distributions)
        fits = [fit_plainly(settings, seed, rows, summary.problem.n_outputs) for seed in seeds]
        value = sum(loss for loss, _ in fits) / len(fits)
        epochs += sum(length for _, length in fits)
        study.tell(asked, value)
        with mlflow.start_run(run_name=f"trial {trial.number}"):
            mlflow.log_params(trial.params)
            mlflow.log_metric("value", value)
    return time.perf_counter() - began, epochs


def measure(folder: Path) -> list[Record]:
    """Both peers."""
    ours = run_search(folder)
    trials = finished_trials(folder)
    total = sum(trial.user_attrs["facts"]["seed_epochs"] for trial in trials)
    seeds = seed_list(read_settings().search.seeds)
    sample = trials[:: max(1, len(trials) // SAMPLE)][:SAMPLE]
    home = Path.cwd()
    os.chdir(folder)
    try:
        seconds, epochs = run_plainly(sample, seeds)
    finally:
        os.chdir(home)
    plain = seconds / epochs * total
    work = f"search on digits: {len(trials)} trials, {len(seeds)} seeds, up to {read_settings().train.epochs} epochs"
    workers = read_settings().search.workers
    return [
        Record(work, "Optuna + keras.Model.fit + MLflow", 1, plain, 1.0, len(sample), epochs),
        Record(work, f"experiments.search, {workers} workers", len(seeds), ours, plain / ours, len(trials), total),
    ]


def main() -> None:
    """Measure, print and write."""
    with tempfile.TemporaryDirectory() as folder:
        records = measure(Path(folder))
    for record in records:
        note = f" (from {record.sampled_trials} trials, {record.seed_epochs} epochs of a seed)"
        print(f"{record.peer}: {record.seconds:.0f} s{note}, {record.ratio:.1f} times faster")
    write_json(BENCHMARK_FILE, [asdict(record) for record in records])


if __name__ == "__main__":
    run_stage(main)
