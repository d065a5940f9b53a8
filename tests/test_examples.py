"""The example notebooks, run as a reader runs them; with the other slow tests, since each trains hundreds of networks."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.ipynb"))


@pytest.mark.reference
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_notebook_runs_and_shows_its_pictures(path: Path, tmp_path: Path):
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    data = [output["data"] for output in outputs if "data" in output]
    assert len(data) >= 3
    shown = "".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    pictures = shown.count(".plot()") + shown.count(".figure(")
    assert sum("image/svg+xml" in of_output for of_output in data) == pictures
    if "run_study(" in shown:
        assert any("Does it overfit?" in of_output.get("text/html", "") for of_output in data)
