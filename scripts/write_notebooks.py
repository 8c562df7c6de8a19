"""Write the notebooks from the Markdown in `scripts/notebooks`, without outputs, so that a change to one reads as text.

Run `python scripts/write_notebooks.py`; the tests execute what is written, and hold it against the Markdown. Each fenced block
of Python becomes a code cell, what stands between two blocks a Markdown cell.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

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


def write(folder: Path) -> None:
    """Write every notebook into a folder."""
    for source in sorted(SOURCES.glob("*.md")):
        nbformat.write(notebook_of(source.read_text(encoding="utf-8")), folder / f"{source.stem}.ipynb")


if __name__ == "__main__":
    write(Path(__file__).parents[1] / "notebooks")
