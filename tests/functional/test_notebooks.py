"""Every notebook runs from top to bottom, uses public names only, and is stored as its Markdown says, with small outputs."""

from __future__ import annotations

import re
from pathlib import Path

import nbclient
import nbformat
import pytest
from depth import DEEP
from write_notebooks import notebook_of

import staypower

ROOT = Path(__file__).parents[2]
FEW = 250
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def shorten(notebook: nbformat.NotebookNode) -> None:
    """Simulate fewer accounts: what a notebook finds in all of them stands in its stored outputs."""
    for cell in notebook.cells:
        cell.source = re.sub(r"\bsimulate\(\d+", f"simulate({FEW}", cell.source)
    assert f"simulate({FEW}" in "".join(cell.source for cell in notebook.cells)


def code_of(path: Path) -> str:
    notebook = nbformat.read(path, as_version=4)
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")


@notebooks
@pytest.mark.filterwarnings("ignore")  # the kernel and its client warn about themselves
def test_it_runs_and_answers(path, tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel chooses the one that draws into notebooks
    notebook = nbformat.read(path, as_version=4)
    if not DEEP:
        shorten(notebook)
    nbclient.NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    answer = notebook.cells[-1].outputs[-1]["data"]["text/markdown"]
    assert answer.startswith("**Answer.**")
    assert not re.search(r"\bnan\b|\binf\b|None", answer)
    assert any("image/png" in output.get("data", {}) for output in outputs)
    # a picture that shows itself as text only is a result that draws badly
    assert not any(re.fullmatch(r"<\w+ size .*>", output.get("data", {}).get("text/plain", "")) for output in outputs
                   if "image/png" not in output.get("data", {}))  # fmt: skip


@notebooks
def test_it_uses_public_names_only(path):
    code = code_of(path)
    assert set(re.findall(r"staypower\.(\w+)", code)) <= set(staypower.__all__)
    assert "from staypower" not in code
    assert not re.findall(r"import staypower\.", code)


@notebooks
def test_it_is_short_and_opens_with_a_question(path):
    cells = nbformat.read(path, as_version=4).cells
    assert "**Question.**" in cells[0].source
    assert cells[0].source.split("**Question.**")[1].count("?") >= 1
    assert sum(cell.cell_type == "code" for cell in cells) <= 14


@notebooks
def test_it_can_be_read_where_it_is_stored(path):
    text = path.read_text(encoding="utf-8")
    cells = nbformat.reads(text, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert cells[-1].outputs[-1]["data"]["text/markdown"].startswith("**Answer.**")
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert max(len(cell.get("outputs", [])) for cell in cells) <= 4, "a job shows its result, and nothing else"
    assert path.stat().st_size < 400_000
    assert not re.search(r"(?<![\w/])/(tmp|home|root|Users|work)/", text), "nothing of the machine that wrote it"


@notebooks
def test_it_is_what_its_markdown_says(path):
    written = notebook_of((ROOT / "scripts" / "notebooks" / f"{path.stem}.md").read_text(encoding="utf-8"))
    stored = nbformat.read(path, as_version=4)
    assert [(cell.id, cell.source) for cell in stored.cells] == [(cell.id, cell.source) for cell in written.cells]


def test_all_of_them_are_there():
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05", "06", "07"]
