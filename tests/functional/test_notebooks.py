"""Every notebook runs from top to bottom, uses public names only, and is stored without output."""

from __future__ import annotations

import re
from pathlib import Path

import nbclient
import nbformat
import pytest

import staypower

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore")  # the kernel and its client warn about themselves
def test_it_runs(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_public_names_only_and_no_output(path):
    notebook = nbformat.read(path, as_version=4)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert set(re.findall(r"staypower\.(\w+)", code)) <= set(staypower.__all__)
    assert "from staypower." not in code
    assert not any(cell.get("outputs") for cell in notebook.cells)


def test_there_is_a_first_look():
    assert "01_first_look" in [path.stem for path in NOTEBOOKS]
