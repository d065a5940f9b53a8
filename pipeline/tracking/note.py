"""The note that MLflow's page of a run begins with, and files beside it."""

import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import without_password
from pipeline.tracking.client import is_loss, open_client
from pipeline.tracking.store import first_cause, sqlite_path, tracking_uri

NOTE = "mlflow.note.content"
FOLDER = "report"  # among the run's artifacts


def write_note(run_id: str, note: str, files: Sequence[Path]) -> None:
    """Give a run a note in Markdown, and files; a store that is lost, or has no such run, costs one line at most."""
    uri = tracking_uri()
    if (path := sqlite_path(uri)) is not None and not path.exists():
        return  # opening it would make a store without the run
    try:
        client = open_client(uri)
        client.set_tag(run_id, NOTE, note)
        for file in files:
            client.log_artifact(run_id, str(file), FOLDER)
    except Exception as error:
        if not is_loss(error):
            raise
        print(f"warning: run {run_id} has no note in {without_password(uri)}: {first_cause(error)}", file=sys.stderr)
