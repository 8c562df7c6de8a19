"""The generated part of `docs/reference.md`: every public name with its signature and what it is for."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable, Iterator, Mapping

__all__ = ["MODULES", "document_names", "public_names"]

MODULES = ("staypower", "staypower.metrics", "staypower.features")


def public_names() -> Mapping[str, list[str]]:
    """Return the public names of every public module."""
    return {module: [name for name in importlib.import_module(module).__all__ if name[0] != "_"] for module in MODULES}


def document_names() -> str:
    """Write every public name in Markdown, those of one module together; the site puts their whole docstrings below."""
    return "\n\n".join(part for module, names in public_names().items() for part in _module(module, names))


def _module(module: str, names: Iterable[str]) -> Iterator[str]:
    values = {name: getattr(importlib.import_module(module), name) for name in names}
    rows = [f"| `{name}` | {_said(value)} |" for name, value in values.items()]
    yield f"## `{module}`"
    yield "| name | what it is for |\n|---|---|\n" + "\n".join(rows)
    shown = [line for name, value in values.items() for line in _directive(f"{module}.{name}", value)]
    yield "\n".join(["```{eval-rst}", *shown, "```"])


def _said(value: object) -> str:
    if inspect.ismodule(value):
        return f"{_first_paragraph(value)} Its names are listed below."
    said = _first_paragraph(value) if callable(value) else f"A constant: {_listed(value)}."
    return said.replace("|", "\\|")


def _directive(name: str, value: object) -> Iterator[str]:
    """Ask for the docstring of a name; of a class its public methods too, but not what scikit-learn gives it."""
    if inspect.isclass(value):
        given = [
            word for word in vars(value) if word[0] != "_" and not word.startswith("set_") and callable(getattr(value, word))
        ]
        yield from (f".. autoclass:: {name}", f"   :members: {', '.join(given)}" if given else "", "")
    elif callable(value):
        yield from (f".. autofunction:: {name}", "")


def _first_paragraph(value: object) -> str:
    return " ".join((inspect.getdoc(value) or "").split("\n\n", 1)[0].split())


def _listed(value: object) -> str:
    values = value if isinstance(value, (tuple, list, Mapping)) else [value]
    return ", ".join(f"`{one}`" for one in values)
