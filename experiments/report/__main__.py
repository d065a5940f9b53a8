"""Stage report: the study as one HTML page and its pictures, from result files alone.

`python -m experiments.report` writes them, `--open` shows the page in the browser as well.
"""

# ruff: noqa: E402 (interrupts are told in a line from here on)
from pipeline.interrupts import let_through, listen

listen(__name__)

import argparse
import webbrowser
from pathlib import Path

from experiments.records import STUDY_CURVES_FILE, STUDY_FILE, STUDY_SEEDS_FILE, Study, read_study, read_study_run
from experiments.report.answers import Answers
from experiments.report.figures import draw
from experiments.report.language import _, in_language
from experiments.report.numbers import Numbers
from experiments.report.page import render
from pipeline.errors import InputError, run_stage
from pipeline.files import read_table, written_whole
from pipeline.params import settings_in_use
from pipeline.paths import RESULTS
from pipeline.tracking.note import write_note

REPORT_FILE = RESULTS / "report.html"
ARM = ("section", "arm")
PICTURES = (
    "peers", "baseline", "remedies", "learning_curve", "capacity", "optimizers", "activations",
    "memorization", "winner", "importance",
)  # fmt: skip
FIGURES = {name: RESULTS / f"study_{name}.svg" for name in PICTURES}


def main() -> None:
    """Write the page and its pictures.

    Raises:
        InputError: a result file is missing or not what the stage study writes.
    """
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--open", action="store_true", help="show the page in the browser")
    shows_page = parser.parse_args().open
    with settings_in_use("report") as settings, in_language(settings.report.language):
        _write_report()
    print(f"{REPORT_FILE} has the study's report; python -m experiments.report --open shows it")
    if shows_page:
        with let_through():
            webbrowser.open(REPORT_FILE.resolve().as_uri())


def _write_report() -> None:
    study, run = read_study(), read_study_run()
    numbers = Numbers.of(_with_baseline(study))
    curves = read_table("study", STUDY_CURVES_FILE, ["epoch"], ARM)
    seeds = read_table("study", STUDY_SEEDS_FILE, ["seed", f"holdout_{study.about.loss}"], ARM)
    pictures = draw(study, curves, seeds, numbers)
    page = render(study, run, numbers, pictures)
    for name, svg in pictures.items():
        _write(FIGURES[name], svg)
    _write(REPORT_FILE, page)
    if run.parent_run is not None:
        write_note(run.parent_run, note(study, numbers), [REPORT_FILE, FIGURES["remedies"]])
    for question, answer in Answers(study, numbers).in_order():
        print(f"{question} {answer.lead}")


def note(study: Study, numbers: Numbers) -> str:
    """Return the answers in Markdown, for the study's run in MLflow."""
    answers = [f"**{question}** {lead}{detail}" for question, (lead, detail) in Answers(study, numbers).in_order()]
    return "\n\n".join([*answers, _("The whole page is among the artifacts, in the folder `report`.")])


def _with_baseline(study: Study) -> Study:
    if not study.section("remedies"):
        raise InputError(f"{STUDY_FILE} has no baseline; delete it and run `dvc repro`")
    return study


def _write(path: Path, text: str) -> None:
    with written_whole(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    run_stage(main)
