"""Stage evaluate: all seeds on train, validation and, once, the test set; tables, figures, and the run in MLflow.

`python -m pipeline.evaluate --log-only` logs the files that are there once more, after a tracking server was lost.
"""

# ruff: noqa: E402 (interrupts are told in a line from here on, and TensorFlow is configured before it is imported)
from pipeline.interrupts import listen

listen(__name__)

from pipeline.training.fast.process import configure

configure()

import sys

from pipeline.alone import alone
from pipeline.data.splits import SPLITS, Summary, read_split, read_summary
from pipeline.errors import InputError, run_stage
from pipeline.evaluation.pictures import draw
from pipeline.evaluation.record import run_record
from pipeline.evaluation.results import Results, evaluate, read_results, write_results
from pipeline.evaluation.scoring import describe
from pipeline.figures.style import save
from pipeline.files import check_archive, read_of, write_json
from pipeline.params import settings_in_use
from pipeline.paths import EVALUATE_RUN_FILE, FIGURES, MODEL_FILE
from pipeline.settings import Settings
from pipeline.tracking.run import log_run_or_say
from pipeline.tracking.store import check_reachable
from pipeline.training.fitted import read_fitted

LOG_AGAIN = "python -m pipeline.evaluate --log-only"


def log(results: Results, settings: Settings, summary: Summary) -> str | None:
    """Log the results as one MLflow run, and say how to see it; return its id, None if the store was lost.

    Raises:
        InputError: one of the files that belong to the run is missing, or the model is damaged.
    """
    read_of("train", MODEL_FILE, check_archive)
    try:
        run_id = log_run_or_say(run_record(results, settings, summary), LOG_AGAIN)
    except FileNotFoundError as error:
        raise InputError(f"{error.filename} is missing; run `dvc repro`") from None
    if run_id:
        print(f"MLflow run {run_id}; `make ui` shows it")
    return run_id


def main() -> None:
    """Read the seeds and the splits, score them, and write, print and log the results; or log those of before."""
    with alone("evaluate"), settings_in_use("data", "model", "train") as settings:
        summary = read_summary()
        if sys.argv[1:] not in ([], ["--log-only"]):
            raise InputError(f"unknown argument {sys.argv[1]!r}; the only one is --log-only")
        check_reachable()
        if sys.argv[1:]:
            write_json(EVALUATE_RUN_FILE, {"run_id": log(read_results(), settings, summary)})
            print("`dvc commit evaluate` tells DVC that this is no change")
            return
        splits = {name: read_split(name) for name in SPLITS}
        results = evaluate(read_fitted(), settings.model, summary, splits)
        write_results(results)
        for name, figure in draw(results, summary).items():
            save(figure, FIGURES[name])
        print(describe(results.evaluation))
        write_json(EVALUATE_RUN_FILE, {"run_id": log(results, settings, summary)})


if __name__ == "__main__":
    run_stage(main)
