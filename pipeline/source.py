"""Stage source: record the data source and digests of the user's files, so that `dvc repro` notices a change.

DVC has no dependency on "the file that `data.source` names", so this stage runs at every `dvc repro` and writes a file
whose content changes only when the data's does. It imports neither NumPy nor pandas, so that it
takes little time.
"""

# ruff: noqa: E402 (interrupts are told in a line from here on)
from pipeline.interrupts import listen

listen(__name__)

from pipeline.data.sources import describe
from pipeline.errors import InputError, run_stage
from pipeline.files import read_json, write_json
from pipeline.params import read_settings
from pipeline.paths import SOURCE_FILE
from pipeline.settings import Settings, seed_list


def main() -> None:
    """Write `data/source.json` if its content changes."""
    settings = read_settings()
    content = describe(settings.data)
    if _stored() != content:
        write_json(SOURCE_FILE, content)
        print(_plan(settings))


def _plan(settings: Settings) -> str:
    """Return what `dvc repro` does with data that it has not seen."""
    seeds, trials, study = len(seed_list(settings.train.seeds)), settings.search.trials, settings.study
    return (
        f"data.source {settings.data.source} is new or has changed, so every stage runs: the model is trained with "
        f"{seeds} seeds and evaluated, a search tries {trials} configurations, and the study asks "
        f"{len(study.sections)} questions with {len(seed_list(study.seeds))} seeds. The default settings take three "
        "minutes on two cores; what takes long says how much time is left, and may be interrupted."
    )


def _stored() -> object:
    try:
        return read_json(SOURCE_FILE)
    except InputError:
        return None


if __name__ == "__main__":
    run_stage(main)
