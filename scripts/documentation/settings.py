"""The generated part of `docs/configuration.md`: every key with its type, default and meaning, from the settings classes."""

from __future__ import annotations

import inspect
import json
import re
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from staypower.config.problems import is_kind
from staypower.config.settings import Settings

__all__ = ["document_settings"]

_HEAD = ("| key | type | default | meaning |", "|---|---|---|---|")
_NAMES = {int: "whole number", float: "number", str: "text", bool: "true or false", type(None): "none"}


def document_settings() -> str:
    """Write every key with its type, default and meaning as Markdown tables."""
    parts = ["### Top level\n", *_table(Settings, sections=True)]
    for name, field in Settings.model_fields.items():
        models = list(_models(field.annotation)) if name != "tables" else []
        shared = _shared_rows(models)
        if shared:
            parts += ["", f"### `{name}`, every kind\n", *_HEAD, *shared]
        for model in models:
            rows = [row for row in _table(model) if row not in shared]
            parts += ["", f"### `{name}`{_kind(model)}\n", *rows, *_inner_tables(name, model)]
    return "\n".join(parts)


def _shared_rows(models: list[type[BaseModel]]) -> list[str]:
    """Return the rows that all kinds of a section have in common."""
    first, *others = [list(_table(model)) for model in models] or [[]]
    return [row for row in first if others and row not in _HEAD and all(row in other for other in others)]


def _kind(model: type[BaseModel]) -> str:
    """Say which kind of a section a class describes, when the section has several."""
    kinds = [f" with `{name}: {field.default}`" for name, field in model.model_fields.items() if is_kind(field)]
    return "".join(kinds)


def _inner_tables(prefix: str, model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        for inner in _models(field.annotation):
            yield from ("", f"### `{prefix}.{name}`\n", *_table(inner), *_inner_tables(f"{prefix}.{name}", inner))


def _table(model: type[BaseModel], *, sections: bool = False) -> Iterator[str]:
    yield from _HEAD
    meanings = _documented(model)
    for name, field in model.model_fields.items():
        kind = _words_of(field) or ("section" if sections and _models(field.annotation) else _type(field.annotation))
        meaning = _cell(field.description or meanings.get(name, ""))
        yield f"| `{field.alias or name}` | {kind}{_bounds(field)} | {_default(field)} | {meaning} |"


def _documented(model: type[BaseModel]) -> dict[str, str]:
    """Read what a class's docstring says about its parameters, for fields that do not describe themselves."""
    _, _, parameters = inspect.cleandoc(model.__doc__ or "").partition("Parameters\n----------\n")
    meanings: dict[str, str] = {}
    for block in re.split(r"\n(?=\S)", parameters.partition("\n\n")[0]):
        head, _, body = block.partition("\n")
        for name in head.partition(" : ")[0].split(", "):
            meanings[name] = " ".join(body.split())
    return meanings


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _words_of(field: FieldInfo) -> str | None:
    extra = field.json_schema_extra
    return str(extra["words"]) if isinstance(extra, dict) and "words" in extra else None


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    default: Any = field.get_default(call_default_factory=True, validated_data={})
    if default is None:
        return ""
    if isinstance(default, BaseModel):
        return "see below"
    if isinstance(default, (tuple, list, frozenset)):
        default = sorted(default) if isinstance(default, frozenset) else list(default)
    return f"`{_cell(json.dumps(default, default=str, ensure_ascii=False))}`"


def _bounds(field: FieldInfo) -> str:
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    found = [
        f"{sign} {getattr(rule, name):g}" for rule in field.metadata for name, sign in signs.items() if hasattr(rule, name)
    ]
    return f", {' and '.join(found)}" if found else ""


def _type(annotation: Any) -> str:
    if annotation in _NAMES:
        return _NAMES[annotation]
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return " or ".join(f"`{json.dumps(choice) if not isinstance(choice, str) else choice}`" for choice in inside)
    if origin is typing.Annotated:
        return _type(inside[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(part) for part in inside if part is not type(None))
    if origin in (tuple, list, frozenset, set):
        return f"list of {_type(inside[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"mapping of {_type(inside[0])} to {_type(inside[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping"
    return getattr(annotation, "__name__", "text")


def _models(annotation: Any) -> list[type[BaseModel]]:
    """List the settings classes inside an annotation, in order."""
    if isinstance(annotation, type):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return list(dict.fromkeys(model for part in typing.get_args(annotation) for model in _models(part)))
