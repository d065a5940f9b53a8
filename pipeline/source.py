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


def main() -> None:
    """Write `data/source.json` if its content changes."""
    content = describe(read_settings().data)
    if _stored() != content:
        write_json(SOURCE_FILE, content)


def _stored() -> object:
    try:
        return read_json(SOURCE_FILE)
    except InputError:
        return None


if __name__ == "__main__":
    run_stage(main)
