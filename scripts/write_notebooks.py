"""Write the notebooks from the Markdown in `scripts/notebooks`, and run them, so that they can be read where they are stored.

Run `python scripts/write_notebooks.py [NAME ...]`, by default for all; the tests execute what is written, and hold it against
the Markdown. Each fenced block of Python becomes a code cell, what stands between two blocks a Markdown cell.
"""

from __future__ import annotations

import base64
import io
import re
import sys
import tempfile
from pathlib import Path

import nbclient
import nbformat
from PIL import Image

SOURCES = Path(__file__).parent / "notebooks"
_CODE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def notebook_of(text: str) -> nbformat.NotebookNode:
    """Turn Markdown with fenced Python into a notebook."""
    notebook = nbformat.v4.new_notebook()
    # what was captured stands between what was not: prose, code, prose, ...
    for place, part in enumerate(_CODE.split(text)):
        if part.strip():
            make = nbformat.v4.new_code_cell if place % 2 else nbformat.v4.new_markdown_cell
            notebook.cells.append(make(part.strip(), id=f"cell-{len(notebook.cells)}"))
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return notebook


def run(notebook: nbformat.NotebookNode) -> None:
    """Execute a notebook, and keep its outputs small: few colours, no times or folders, nothing from standard error."""
    with tempfile.TemporaryDirectory() as place:
        nbclient.NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": place}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            for output in cell.outputs:
                data = output.get("data", {})
                data.update({kind: _anywhere(text) for kind, text in data.items() if kind.startswith("text/")})
                if "image/png" in data:
                    data["image/png"] = _smaller(data["image/png"])
    notebook.metadata.pop("language_info", None)


def _anywhere(text: str) -> str:
    """Leave out the temporary folder that a company's files lie in."""
    return re.sub(rf"{re.escape(tempfile.gettempdir())}/tmp\w+/", "", text)


def _smaller(picture: str) -> str:
    few, written = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB").quantize(32), io.BytesIO()
    few.save(written, "PNG", optimize=True)
    return base64.b64encode(written.getvalue()).decode() + "\n"


def write(folder: Path, names: list[str]) -> None:
    """Write notebooks into a folder, run."""
    for source in sorted(SOURCES.glob("*.md")):
        if not names or source.stem in names:
            notebook = notebook_of(source.read_text(encoding="utf-8"))
            run(notebook)
            nbformat.write(notebook, folder / f"{source.stem}.ipynb")


if __name__ == "__main__":
    write(Path(__file__).parents[1] / "notebooks", sys.argv[1:])
