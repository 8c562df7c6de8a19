"""The generated part of `docs/reference.md`: every public name with its signature and what it is for."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping

__all__ = ["MODULES", "document_names", "public_names"]

MODULES = ("staypower", "staypower.metrics", "staypower.features")


def public_names() -> Mapping[str, list[str]]:
    """Return the public names of every public module."""
    return {module: [name for name in importlib.import_module(module).__all__ if name[0] != "_"] for module in MODULES}


def document_names() -> str:
    """Write every public name in Markdown, those of one module together."""
    return "\n\n".join(part for module, names in public_names().items() for part in _module(module, names))


def _module(module: str, names: Iterable[str]) -> Iterator[str]:
    yield f"## `{module}`"
    for name in names:
        yield from _entry(module, name, getattr(importlib.import_module(module), name))


def _entry(module: str, name: str, value: object) -> Iterator[str]:
    yield f"### `{module}.{name}`"
    if inspect.ismodule(value):
        yield f"{_first_paragraph(value)} Its names are listed below."
    elif callable(value):
        yield f"```python\n{name}{_signature(value)}\n```"
        yield _first_paragraph(value)
    else:
        yield f"A constant: {_listed(value)}."


def _signature(value: object) -> str:
    """Write the parameters with their defaults; what each one is stands in its docstring."""
    try:
        found = inspect.signature(value)  # type: ignore[arg-type]
    except ValueError:
        return "()"
    bare = [one.replace(annotation=inspect.Parameter.empty) for one in found.parameters.values()]
    written = str(found.replace(parameters=bare, return_annotation=inspect.Signature.empty))
    return written if len(written) < 100 else "(\n    " + ",\n    ".join(_split(written[1:-1])) + ",\n)"


def _split(parameters: str) -> list[str]:
    """Split at the commas outside brackets."""
    return re.split(r", (?![^(\[]*[)\]])", parameters)


def _first_paragraph(value: object) -> str:
    return " ".join((inspect.getdoc(value) or "").split("\n\n", 1)[0].split())


def _listed(value: object) -> str:
    values = value if isinstance(value, (tuple, list, Mapping)) else [value]
    return ", ".join(f"`{one}`" for one in values)
