"""The notebook runs from top to bottom on simulated fields, as it would on Colab."""

import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "hpa_boost.ipynb"


def opened(parameters: str) -> nbformat.NotebookNode:
    """The notebook with other parameters."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    tagged = [i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    notebook.cells.insert(tagged[0] + 1, nbformat.v4.new_code_cell(parameters))
    return notebook


def run(notebook: nbformat.NotebookNode, folder: Path) -> None:
    NotebookClient(notebook, timeout=250, resources={"metadata": {"path": str(folder)}}).execute()


def test_it_is_kept_without_outputs():
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_it_runs_from_top_to_bottom(tmp_path):
    notebook = opened(f'RUN = "{tmp_path}/run"\nFIELDS, SIZE = 60, 160\nFOLDS, ROUNDS = 3, 4')
    run(notebook, NOTEBOOK.parent)
    assert (tmp_path / "run" / "report.html").is_file()
    assert (tmp_path / "run" / "submission.csv").is_file()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in shown) == 2
    assert sum("text/html" in output.get("data", {}) for output in shown) == 6
    said = "".join(output.get("text", "") for output in shown)
    assert "average precision" in said
    assert "kaggle competitions submit" in said


@pytest.mark.skipif(sys.platform == "win32", reason="needs processes that can be waited for")
def test_a_command_that_fails_stops_it(tmp_path):
    notebook = opened(f'DATA = "{tmp_path}/nothing"\nRUN = "{tmp_path}/run"')
    notebook.cells = [cell for cell in notebook.cells if "read_csv" not in cell.source]
    with pytest.raises(CellExecutionError, match="exit code 4"):
        run(notebook, NOTEBOOK.parent)
