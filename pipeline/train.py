"""Stage train: the prepared rows and the settings in, trained seeds out.

Writes `models/seeds.npz` (every seed's weights), `models/model.keras` (those of the first seed whose weights are sound,
as a plain Keras model of prepared rows) and `experiments/results/history.csv` (a row per seed and epoch).
"""

# ruff: noqa: E402 (interrupts are told in a line from here on, and TensorFlow is configured before it is imported)
from pipeline.interrupts import listen

listen(__name__)

from pipeline.training.fast.process import compile_for, configure

configure()

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline.alone import alone
from pipeline.data.examples import Examples
from pipeline.data.splits import Summary, read_split, read_summary
from pipeline.errors import run_stage
from pipeline.params import settings_in_use
from pipeline.paths import CHECKPOINT_FILE, MODEL_FILE
from pipeline.settings import Settings, seed_list
from pipeline.tracking.parent import ParentRun
from pipeline.tracking.run import EXPERIMENT
from pipeline.tracking.store import check_reachable
from pipeline.training.checkpoint import Checkpoint, Interrupted, training_identity
from pipeline.training.checks import check_task
from pipeline.training.fitted import Fitted, write_fitted
from pipeline.training.keras_file import read_untrained, save_model
from pipeline.training.live import LiveCurves
from pipeline.training.model import set_weights
from pipeline.training.progress import ProgressLine
from pipeline.training.trainer import Epoch, fit


def train(settings: Settings, summary: Summary) -> Fitted:
    """Train, going on from a checkpoint if there is one, with progress on standard output."""
    examples = Examples.of_splits(summary.problem, read_split("train"), read_split("validation"))
    epochs = settings.train.epochs
    compile_for(examples.train_rows.shape[1] * epochs)
    identity = training_identity(settings, summary)
    with Checkpoint(CHECKPOINT_FILE, identity) as checkpoint:
        resume = checkpoint.load()
        if resume is not None:
            print(f"going on after epoch {int(resume['epoch'])} of {epochs}")
        with ProgressLine(epochs) as progress, live_run(f"{summary.source}, in training", identity) as run:
            callbacks: list[Callable[[Epoch], None]] = [progress, LiveCurves(run.add_curves), checkpoint]
            return fit(examples, settings.model, settings.train, seed_list(settings.train.seeds), callbacks, resume)


@contextmanager
def live_run(name: str, identity: str) -> Iterator[ParentRun]:
    """Yield the run in MLflow for what is logged while the training lasts; the stage evaluate completes it."""
    run = ParentRun(EXPERIMENT, name, log_again="the stage evaluate logs it", identity=identity)
    try:
        yield run
    except Interrupted:
        run.end("KILLED")
        raise
    except BaseException:
        run.end("FAILED")
        raise
    run.end("SCHEDULED")


def report(fitted: Fitted, seconds: float) -> None:
    """Say in a few lines how the training went."""
    epochs = fitted.history.groupby("seed")["epoch"].max()
    seeds = f"{len(fitted.seeds)} seed{'s' if len(fitted.seeds) > 1 else ''}"
    fewest, most = epochs.min(), epochs.max()
    print(f"{seeds}, {f'{fewest} to ' if fewest < most else ''}{most} epochs in {seconds:.1f} s")
    for warning in fitted.warnings:
        print(f"warning: {warning}", file=sys.stderr)


def main() -> None:
    """Read the settings and the rows, train, and write the stage's files."""
    with alone("train"), settings_in_use("model", "train") as settings:
        summary = read_summary()
        check_task(settings.train, summary.problem)
        plain = read_untrained(settings.model, summary.problem)
        check_reachable()
        began = time.monotonic()
        try:
            fitted = train(settings, summary)
        except Interrupted as interrupted:
            print(f"{interrupted}; `dvc repro` goes on from there", file=sys.stderr)
            sys.exit(interrupted.status)
        set_weights(plain, fitted.first_sound)
        write_fitted(fitted)
        save_model(plain, MODEL_FILE)
        CHECKPOINT_FILE.unlink(missing_ok=True)
        report(fitted, time.monotonic() - began)


if __name__ == "__main__":
    run_stage(main)
