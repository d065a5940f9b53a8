"""Stage search: Optuna over optimizers and regularization, several seeds in every trial, on one machine or many."""

# ruff: noqa: E402 (interrupts are told in a line from here on)
from pipeline.interrupts import listen

listen(__name__)

from experiments.search import storage
from experiments.search.conduct import search
from experiments.search.plan import check_searchable
from experiments.search.rows import data_digests, describe_folds, read_examples
from pipeline.alone import alone
from pipeline.data.splits import read_summary
from pipeline.errors import run_stage
from pipeline.params import settings_in_use
from pipeline.settings import seed_list
from pipeline.tracking import store


def main() -> None:
    """Run the stage."""
    with alone("search"), settings_in_use("data", "model", "train", "search") as settings:
        summary = read_summary()
        check_searchable(settings, summary)
        store.check_reachable()
        if settings.search.folds is not None:
            examples = read_examples(data_digests(summary), settings.search)
            print(describe_folds(examples, len(seed_list(settings.search.seeds)), settings.search.folds))
        storage.unlock(settings.search.storage)
        with storage.opened(settings.search.storage) as opened:
            search(settings, summary, opened)


if __name__ == "__main__":
    run_stage(main)
