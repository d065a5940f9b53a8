"""Stage search: Optuna over optimizers and regularization, several seeds in every trial, on one machine or many.

`python -m experiments.search --worker --storage URL --study NAME` works at a search that runs elsewhere.
"""

import argparse
import os
import sys

from experiments.search import space, storage
from experiments.search.conduct import search, trial_settings
from experiments.search.rows import data_digests, folds_told, read_examples
from pipeline.data.splits import Summary, read_summary
from pipeline.errors import InputError, run_stage
from pipeline.params import settings_in_use
from pipeline.settings import Settings, seed_list
from pipeline.tracking import store


def arguments() -> argparse.Namespace:
    """Return the command line's options: none for the stage; `--worker`, the storage and the study for a worker."""
    parser = argparse.ArgumentParser(prog="python -m experiments.search", description=__doc__.splitlines()[0])
    parser.add_argument("--worker", action="store_true", help="work at a search that runs elsewhere")
    parser.add_argument(
        "--storage",
        default=os.environ.get(storage.STORAGE_VARIABLE) or None,
        help=f"with --worker: its search.storage (or in {storage.STORAGE_VARIABLE}); without: the journal here",
    )
    parser.add_argument("--study", help="with --worker: the name that the search printed")
    parser.add_argument("--parent", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker != bool(options.study):
        parser.error("--worker and --study go together")
    return options


def check(settings: Settings, summary: Summary) -> None:
    """Check whatever can be checked before any trial is trained.

    Raises:
        InputError: the space, the objectives or the rows cannot be searched with, or MLflow cannot be reached.
    """
    space.check_space(settings)
    space.check_space(trial_settings(settings, summary))
    if settings.search.folds is None and not summary.rows["validation"]:
        raise InputError(
            "the search needs validation rows, and there are none: set data.val_fraction above 0, or search.folds"
        )
    if "gap" in settings.search.objectives and settings.train.train_score_rows == 0:
        raise InputError("search.objectives has gap, which needs train.train_score_rows above 0")
    store.check_reachable()


def main() -> None:
    """Run the stage, or a worker."""
    options = arguments()
    if options.worker:
        from experiments.search.worker import work  # imports TensorFlow, which the search itself does not need

        with storage.loss_told(options.storage):
            needs_new_process = work(options.storage, options.study, lambda: options.parent not in (None, os.getppid()))
        if needs_new_process:
            os.execv(sys.executable, sys.orig_argv)  # starts the same command in place of this process
        return None
    with settings_in_use("data", "model", "train", "search") as settings:
        summary = read_summary()
        check(settings, summary)
        if settings.search.folds is not None:
            examples = read_examples(data_digests(summary), settings.search)
            print(folds_told(examples, len(seed_list(settings.search.seeds)), settings.search.folds))
        with storage.loss_told(settings.search.storage):
            return search(settings, summary)


if __name__ == "__main__":
    run_stage(main)
