"""Stage search: Optuna over optimizers and regularization, several seeds in every trial, on one machine or many."""

# ruff: noqa: E402 (interrupts are told in a line from here on)
from pipeline.interrupts import listen

listen(__name__)

from experiments.search import space, storage
from experiments.search.conduct import search
from experiments.search.plan import trial_settings
from experiments.search.rows import data_digests, folds_told, read_examples
from pipeline.alone import alone
from pipeline.data.splits import Summary, read_summary
from pipeline.errors import InputError, run_stage
from pipeline.params import settings_in_use
from pipeline.settings import Settings, seed_list
from pipeline.tracking import store


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
    """Run the stage."""
    with alone("search"), settings_in_use("data", "model", "train", "search") as settings:
        summary = read_summary()
        check(settings, summary)
        if settings.search.folds is not None:
            examples = read_examples(data_digests(summary), settings.search)
            print(folds_told(examples, len(seed_list(settings.search.seeds)), settings.search.folds))
        with storage.loss_told(settings.search.storage):
            search(settings, summary)


if __name__ == "__main__":
    run_stage(main)
