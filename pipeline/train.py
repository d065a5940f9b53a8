"""Stage train: the prepared rows and the settings in, trained seeds out.

Writes `models/seeds.npz` (every seed's weights), `models/model.keras` (the first seed's as a plain Keras model of
prepared rows) and `experiments/results/history.csv` (a row per seed and epoch).
"""

# ruff: noqa: E402 (the process is configured before anything imports TensorFlow)
from pipeline.training.fast.process import compile_for, configure

configure()

import hashlib
import json
import sys
import time
from contextlib import ExitStack

import keras
import numpy as np

from pipeline.data.examples import Examples
from pipeline.data.splits import Summary, read_split, read_summary
from pipeline.errors import InputError, run_stage
from pipeline.files import written_whole
from pipeline.paths import ARCHITECTURE_FILE, CHECKPOINT_FILE, HISTORY_FILE, MODEL_FILE
from pipeline.settings import Settings, flat, read_settings, seed_list
from pipeline.tracking.store import check_reachable
from pipeline.training.checkpoint import Checkpoint, Interrupted
from pipeline.training.keras_file import save_model
from pipeline.training.model import build_keras, set_weights
from pipeline.training.progress import ProgressLine
from pipeline.training.seeds import TrainedSeeds, write_seeds
from pipeline.training.trainer import Fitted, fit


def check_fits(settings: Settings, summary: Summary) -> None:
    """Refuse what cannot be trained on this data.

    Raises:
        InputError: a loss or label smoothing that is for classes alone.
    """
    if summary.task == "classification":
        return
    if settings.train.loss == "cross_entropy":
        raise InputError("train.loss cross_entropy is for classes, and the target is a number; set it to null")
    if settings.train.label_smoothing:
        raise InputError("train.label_smoothing is for classes, and the target is a number: set it to 0")


def identity(settings: Settings, summary: Summary) -> str:
    """A digest of all that the result depends on."""
    content = flat(settings.model) | flat(settings.train) | summary.digest | {"target_scale": summary.target_scale}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def untrained_model(settings: Settings, summary: Summary) -> keras.Model:
    """The model of `models/architecture.json`.

    Raises:
        InputError: it is missing, or of other settings or data: a stage that is run by hand may be out of turn.
    """
    built = build_keras(settings.model, summary.problem, summary.target_mean or 0.0, summary.target_scale or 1.0)
    try:
        plain = keras.models.model_from_json(ARCHITECTURE_FILE.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{ARCHITECTURE_FILE} is missing; run `dvc repro`") from None
    if plain.to_json() != built.to_json():
        raise InputError(f"{ARCHITECTURE_FILE} is of other settings or data; run `dvc repro`")
    return plain


def give_weights(plain: keras.Model, trained: TrainedSeeds) -> None:
    """Give the plain model the weights of the first seed that did not diverge.

    Raises:
        InputError: all of them diverged.
    """
    if not trained.sound.any():
        raise InputError("train.learning_rate is too high: no seed's loss stayed finite; try a tenth of it")
    set_weights(plain, {name: value[trained.sound.argmax()] for name, value in trained.weights.items()})


def train(settings: Settings, summary: Summary) -> Fitted:
    """Train, going on from a checkpoint if there is one, with progress on standard output."""
    examples = Examples.of_splits(
        summary.problem, read_split("train"), read_split("validation"), summary.target_scale or 1.0
    )
    seeds = seed_list(settings.train.seeds)
    compile_for(examples.train_rows.shape[1] * settings.train.epochs)
    with ExitStack() as stack:
        checkpoint = stack.enter_context(Checkpoint(CHECKPOINT_FILE, identity(settings, summary)))
        resume = checkpoint.load()
        if resume is not None:
            print(f"going on after epoch {int(resume['epoch'])} of {settings.train.epochs}")
        progress = stack.enter_context(ProgressLine(settings.train.epochs))
        return fit(examples, settings.model, settings.train, seeds, [progress, checkpoint], resume)


def write(fitted: Fitted, plain: keras.Model) -> None:
    """Write the stage's files."""
    trained = TrainedSeeds(np.array(fitted.seeds), fitted.best_epoch, fitted.diverged, fitted.weights)
    give_weights(plain, trained)
    write_seeds(trained)
    save_model(plain, MODEL_FILE)
    with written_whole(HISTORY_FILE) as beside:
        fitted.history.to_csv(beside, index=False, float_format="%.7g")
    CHECKPOINT_FILE.unlink(missing_ok=True)


def report(fitted: Fitted, seconds: float) -> None:
    """Say in a few lines what came out."""
    last = fitted.history.groupby("seed").tail(1)
    seeds = f"{len(fitted.seeds)} seed{'s' if len(fitted.seeds) > 1 else ''}"
    fewest, most = last["epoch"].min(), last["epoch"].max()
    print(f"{seeds}, {f'{fewest} to ' if fewest < most else ''}{most} epochs in {seconds:.1f} s")
    if fitted.diverged.any():
        names = ", ".join(str(seed) for seed, diverged in zip(fitted.seeds, fitted.diverged, strict=True) if diverged)
        print(f"warning: the loss of seed {names} stopped being finite, and its training with it", file=sys.stderr)


def main() -> None:
    """Run the stage."""
    settings, summary = read_settings(), read_summary()
    check_fits(settings, summary)
    plain = untrained_model(settings, summary)
    check_reachable()
    began = time.monotonic()
    try:
        fitted = train(settings, summary)
    except Interrupted as interrupted:
        print(f"{interrupted}; `dvc repro` goes on from there", file=sys.stderr)
        sys.exit(130)
    write(fitted, plain)
    report(fitted, time.monotonic() - began)


if __name__ == "__main__":
    run_stage(main)
